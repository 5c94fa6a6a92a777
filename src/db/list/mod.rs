//! Reading records: by id, as pages, as pages per parent, and counted. Every domain's lists come from here.

use std::{collections::HashMap, sync::Arc};

use sqlx::{FromRow, Postgres, QueryBuilder, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    Cursor, OrderField, OrderTerm, Predicate, Sql, Tx, Value, constraint::translate,
    masked::refuse_hidden, order::Rendering, predicate::Alias,
};
use crate::error::{Error, Result};

/// The largest page.
pub const MAX_PAGE: i64 = 100;
/// The page when the client does not say.
pub const DEFAULT_PAGE: i64 = 25;
/// Up to here totals are counted; beyond they are the planner's estimate.
pub const EXACT_COUNT_UP_TO: i64 = 10_000;

/// What the planner takes the row scope's policy to let through, `strpos(..) > 0 OR strpos(..) > 0`, knowing nothing:
/// a third for each. Who sees all rows is let through everywhere.
const SCOPE_SELECTIVITY: f64 = 1.0 - (1.0 - 1.0 / 3.0) * (1.0 - 1.0 / 3.0);

/// A row of a tenant table as the domains know it.
pub trait Record: for<'r> FromRow<'r, PgRow> + Send + Sync + Unpin + Sized + 'static {
    /// What it is called in messages, for example `opportunity`.
    const KIND: &'static str;
    /// The table.
    const TABLE: &'static str;
    /// The second column of its primary key; the first is the tenant.
    const ID_COLUMN: &'static str;
    /// Its columns, each with the alias `t`.
    const COLUMNS: &'static str;
    /// Whether it can be archived; archived rows are left out of lists unless asked for.
    const ARCHIVES: bool = true;
    /// What its lists can be sorted by.
    type Order: OrderField;

    /// Its id as the database keeps it.
    fn key(&self) -> Uuid;
    /// What it sorts by under a field; `None` for an empty column.
    fn sort_value(&self, field: Self::Order) -> Option<Value>;
}

/// Which part of a list is asked for.
#[derive(Debug, Clone)]
pub struct PageRequest {
    /// How many rows.
    pub size: i64,
    /// From which row on; not included.
    pub from: Option<Cursor>,
    /// Whether the rows before `from` (or the last ones) are meant.
    pub backward: bool,
}

/// What a list is asked for.
#[derive(Debug)]
pub struct ListQuery<R: Record> {
    /// Which rows.
    pub filter: Predicate,
    /// How they are sorted.
    pub order: Vec<OrderTerm<R::Order>>,
    /// Which part of them.
    pub page: PageRequest,
    /// Whether archived ones count.
    pub include_archived: bool,
}

// Not derived: that would ask for `R: Clone`.
impl<R: Record> Clone for ListQuery<R> {
    fn clone(&self) -> Self {
        let Self {
            filter,
            order,
            page,
            include_archived,
        } = self;
        Self {
            filter: filter.clone(),
            order: order.clone(),
            page: page.clone(),
            include_archived: *include_archived,
        }
    }
}

/// Part of a list.
#[derive(Debug)]
pub struct Page<R> {
    /// The rows, always in the list's own order.
    pub items: Vec<Arc<R>>,
    /// Whether there are rows before these.
    pub has_previous: bool,
    /// Whether there are rows after these.
    pub has_next: bool,
}

impl<R> Default for Page<R> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            has_previous: false,
            has_next: false,
        }
    }
}

/// How many rows a list has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// The number.
    pub value: i64,
    /// Whether it was estimated, because it is above [`EXACT_COUNT_UP_TO`].
    pub estimated: bool,
}

/// How rows of a table belong to a parent.
#[derive(Debug)]
pub struct Relation {
    /// Its name, for example `company.contacts`.
    pub name: &'static str,
    /// How a link table joins, or nothing. The link's alias is `l`, and its tenant is bound by us.
    pub link: Option<Link>,
    /// The column that names the parent, with its alias: `t.company_id` or `l.opportunity_id`.
    pub key: &'static str,
}

/// A table between parent and child.
#[derive(Debug)]
pub struct Link {
    /// Its name.
    pub table: &'static str,
    /// The condition that ties it to the child `t`, beside the tenant.
    pub on: &'static str,
    /// Columns of the child that it keeps a copy of: (the child's, the link's with its alias).
    pub copies: &'static [(&'static str, &'static str)],
}

/// Reads one record; `None` when there is none or it is hidden.
///
/// # Errors
/// The database.
pub async fn find<R: Record>(tx: &mut Tx, id: Uuid) -> Result<Option<R>> {
    let sql = by_id::<R>(tx, id);
    tx.optional(sql).await
}

/// The statement that reads one record, to be continued.
pub(crate) fn by_id<R: Record>(tx: &Tx, id: Uuid) -> Sql {
    select::<R>()
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(id)
}

fn select<R: Record>() -> Sql {
    Sql::new("SELECT ")
        .push(R::COLUMNS)
        .push(" FROM ")
        .push(R::TABLE)
        .push(" t")
}

/// Reads records by their ids; those that are hidden or absent are left out.
///
/// # Errors
/// The database.
pub async fn find_many<R: Record>(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<R>> {
    let sql = select::<R>()
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ANY(")
        .bind(ids.to_vec())
        .push(")");
    tx.all(sql).await
}

/// Which of some records the actor sees and meet a condition. The table and the column of its id are names of the
/// program.
///
/// # Errors
/// The database.
pub async fn matching(
    tx: &mut Tx,
    (table, id_column): (&'static str, &'static str),
    ids: Vec<Uuid>,
    filter: &Predicate,
) -> Result<Vec<Uuid>> {
    let mut sql = Sql::new("SELECT t.")
        .push(id_column)
        .push(" FROM ")
        .push(table)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(id_column)
        .push(" = ANY(")
        .bind(ids)
        .push(") AND ");
    filter.render(sql.builder(), Alias::LIST, tx.tenant());
    tx.column(sql).await
}

/// Refuses ids that the actor can't see, before they are written as references: a foreign key would accept
/// another's hidden record and so tell that it exists.
///
/// # Errors
/// `NOT_FOUND` on `field`.
pub async fn require<R: Record>(
    tx: &mut Tx,
    ids: impl IntoIterator<Item = Uuid>,
    field: &'static str,
) -> Result<()> {
    let mut ids: Vec<Uuid> = ids.into_iter().collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(());
    }
    let wanted = ids.len() as i64;
    let sql = Sql::new("SELECT count(*) FROM ")
        .push(R::TABLE)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ANY(")
        .bind(ids)
        .push(")");
    match tx.column::<i64>(sql).await?.first() {
        Some(found) if *found == wanted => Ok(()),
        _ => Err(Error::NotFound {
            kind: R::KIND,
            field,
        }),
    }
}

/// Reads a page of a list.
///
/// # Errors
/// `FORBIDDEN` when it is filtered or sorted by what the actor is not shown; the database.
pub async fn page<R: Record>(tx: &mut Tx, query: &ListQuery<R>) -> Result<Page<R>> {
    refuse_hidden(&tx.actor().rights, query)?;
    let mut sql = select::<R>().push(" WHERE ");
    push_conditions(&mut sql, tx, query, &[]);
    push_end(&mut sql, query, &[]);
    let rows = tx.all::<R>(sql).await?;
    Ok(assemble(rows, query))
}

/// Reads the same page of the list of each parent, in one statement: the limit stands inside, per parent.
///
/// # Errors
/// As [`page`].
pub async fn pages<R: Record>(
    tx: &mut Tx,
    relation: &Relation,
    parents: &[Uuid],
    query: &ListQuery<R>,
) -> Result<HashMap<Uuid, Page<R>>> {
    refuse_hidden(&tx.actor().rights, query)?;
    let copies = relation.link.as_ref().map_or(&[][..], |link| link.copies);
    let mut sql = Sql::new("SELECT k.key AS parent_key, c.* FROM unnest(")
        .bind(parents.to_vec())
        .push(") AS k(key) CROSS JOIN LATERAL (SELECT ")
        .push(R::COLUMNS);
    push_related::<R>(&mut sql, tx, relation);
    sql = sql.push(" AND ");
    push_conditions(&mut sql, tx, query, copies);
    push_end(&mut sql, query, copies);
    let rows = tx.rows(sql.push(") c")).await?;

    let mut by_parent: HashMap<Uuid, Vec<R>> = HashMap::with_capacity(parents.len());
    for row in &rows {
        let parent = row.try_get("parent_key").map_err(translate)?;
        by_parent
            .entry(parent)
            .or_default()
            .push(R::from_row(row).map_err(translate)?);
    }
    Ok(by_parent
        .into_iter()
        .map(|(parent, rows)| (parent, assemble(rows, query)))
        .collect())
}

/// Counts a list.
///
/// # Errors
/// As [`page`].
pub async fn count<R: Record>(tx: &mut Tx, query: &ListQuery<R>) -> Result<Count> {
    refuse_hidden(&tx.actor().rights, query)?;
    let matching = |tx: &Tx, head: &'static str| {
        let mut sql = Sql::new(head).push(R::TABLE).push(" t WHERE ");
        push_filter(&mut sql, tx, query);
        sql
    };
    let capped = matching(tx, "SELECT count(*) FROM (SELECT FROM ")
        .push(" LIMIT ")
        .bind(EXACT_COUNT_UP_TO + 1)
        .push(") c");
    let value = tx
        .column::<i64>(capped)
        .await?
        .first()
        .copied()
        .unwrap_or(0);
    if value <= EXACT_COUNT_UP_TO {
        return Ok(Count {
            value,
            estimated: false,
        });
    }
    let explain = matching(tx, "EXPLAIN (FORMAT JSON) SELECT FROM ");
    let plan = tx.column::<serde_json::Value>(explain).await?;
    let planned = plan
        .first()
        .and_then(|plan| plan.pointer("/0/Plan/Plan Rows")?.as_f64())
        .unwrap_or(0.0);
    let estimate = if tx.actor().sees(R::TABLE) == "|" {
        planned / SCOPE_SELECTIVITY
    } else {
        planned
    };
    Ok(Count {
        value: (estimate as i64).max(value),
        estimated: true,
    })
}

/// Counts the list of each parent, in one statement.
///
/// # Errors
/// As [`page`].
pub async fn counts<R: Record>(
    tx: &mut Tx,
    relation: &Relation,
    parents: &[Uuid],
    query: &ListQuery<R>,
) -> Result<HashMap<Uuid, Count>> {
    refuse_hidden(&tx.actor().rights, query)?;
    let mut sql = Sql::new("SELECT k.key, c.n FROM unnest(")
        .bind(parents.to_vec())
        .push(") AS k(key) CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT");
    push_related::<R>(&mut sql, tx, relation);
    sql = sql.push(" AND ");
    push_filter(&mut sql, tx, query);
    sql = sql
        .push(" LIMIT ")
        .bind(EXACT_COUNT_UP_TO + 1)
        .push(") r) c");
    let rows = tx.all::<(Uuid, i64)>(sql).await?;
    let count = |n: i64| Count {
        value: n.min(EXACT_COUNT_UP_TO),
        estimated: n > EXACT_COUNT_UP_TO,
    };
    Ok(rows
        .into_iter()
        .map(|(parent, n)| (parent, count(n)))
        .collect())
}

/// ` FROM … WHERE <belongs to k.key>`
fn push_related<R: Record>(sql: &mut Sql, tx: &Tx, relation: &Relation) {
    let sql = sql.builder();
    match &relation.link {
        Some(link) => {
            sql.push(" FROM ")
                .push(link.table)
                .push(" l JOIN ")
                .push(R::TABLE)
                .push(" t ON t.tenant_id = ");
            sql.push_bind(tx.tenant());
            sql.push(" AND ")
                .push(link.on)
                .push(" WHERE l.tenant_id = ");
            sql.push_bind(tx.tenant());
            sql.push(" AND ");
        }
        None => {
            sql.push(" FROM ").push(R::TABLE).push(" t WHERE ");
        }
    }
    sql.push(relation.key).push(" = k.key");
}

/// The tenant, the filter and whether archived rows count.
fn push_filter<R: Record>(sql: &mut Sql, tx: &Tx, query: &ListQuery<R>) {
    let sql = sql.builder();
    sql.push("t.tenant_id = ");
    sql.push_bind(tx.tenant());
    if R::ARCHIVES && !query.include_archived {
        sql.push(" AND t.archived_at IS NULL");
    }
    if !matches!(&query.filter, Predicate::All(parts) if parts.is_empty()) {
        sql.push(" AND ");
        query.filter.render(sql, Alias::LIST, tx.tenant());
    }
}

fn push_conditions<R: Record>(
    sql: &mut Sql,
    tx: &Tx,
    query: &ListQuery<R>,
    copies: &'static [(&'static str, &'static str)],
) {
    push_filter(sql, tx, query);
    if let Some(cursor) = &query.page.from {
        sql.builder().push(" AND ");
        rendering::<R>(query, copies).push_after(sql.builder(), cursor);
    }
}

/// The order and the limit: one row more than asked for, to tell whether there are further ones.
fn push_end<R: Record>(
    sql: &mut Sql,
    query: &ListQuery<R>,
    copies: &'static [(&'static str, &'static str)],
) {
    let builder: &mut QueryBuilder<Postgres> = sql.builder();
    rendering::<R>(query, copies).push_order(builder);
    builder.push(" LIMIT ");
    builder.push_bind(query.page.size + 1);
}

fn rendering<'a, R: Record>(
    query: &'a ListQuery<R>,
    replaced: &'static [(&'static str, &'static str)],
) -> Rendering<'a, R::Order> {
    Rendering {
        order: &query.order,
        id_column: R::ID_COLUMN,
        backward: query.page.backward,
        replaced,
    }
}

fn assemble<R: Record>(mut rows: Vec<R>, query: &ListQuery<R>) -> Page<R> {
    let more = rows.len() as i64 > query.page.size;
    rows.truncate(query.page.size as usize);
    if query.page.backward {
        rows.reverse();
    }
    let came_from = query.page.from.is_some();
    let (has_previous, has_next) = if query.page.backward {
        (more, came_from)
    } else {
        (came_from, more)
    };
    Page {
        items: rows.into_iter().map(Arc::new).collect(),
        has_previous,
        has_next,
    }
}
