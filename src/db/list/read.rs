//! Reading whole records: by id, as pages, and as pages per parent.

use std::{collections::HashMap, sync::Arc};

use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    ListQuery, Page, Record, Relation, Table,
    statement::{self, Selected},
};
use crate::{
    base::error::{Error, Result},
    db::{Predicate, Sql, Tx, constraint::translate, predicate::Alias},
};

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
    Sql::new("SELECT ")
        .push(R::select())
        .push(" FROM ")
        .push(R::TABLE)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(id)
}

/// Reads records by their ids; those that are hidden or absent are left out.
///
/// # Errors
/// The database.
pub async fn find_many<R: Record>(tx: &mut Tx, ids: &[Uuid]) -> Result<Vec<R>> {
    let sql = statement::many(tx, R::SOURCE, ids, Selected::All(R::select()));
    tx.all(sql).await
}

/// Which of some records the actor sees and meet a condition.
///
/// # Errors
/// The database.
pub async fn matching(
    tx: &mut Tx,
    table: Table,
    ids: Vec<Uuid>,
    filter: &Predicate,
) -> Result<Vec<Uuid>> {
    let mut sql = Sql::new("SELECT t.")
        .push(table.id_column)
        .push(" FROM ")
        .push(table.name)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(table.id_column)
        .one_of(&ids)
        .push(" AND ");
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
        .one_of(&ids);
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
pub async fn page<R: Record>(tx: &mut Tx, query: &ListQuery<R>) -> Result<Page<Arc<R>>> {
    let sql = statement::page(tx, query, Selected::All(R::select()))?;
    let rows = tx.all::<R>(sql).await?;
    Ok(query.assemble(rows.into_iter().map(Arc::new).collect()))
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
) -> Result<HashMap<Uuid, Page<Arc<R>>>> {
    let sql = statement::pages(tx, relation, parents, query, Selected::All(R::select()))?;
    let rows = tx.rows(sql).await?;
    let record = |row: PgRow| R::from_row(&row).map(Arc::new).map_err(translate);
    by_parent(rows, query, record)
}

/// Parts the rows of all parents, and makes a page of those of each.
pub(super) fn by_parent<R: Record, T>(
    rows: Vec<PgRow>,
    query: &ListQuery<R>,
    read: impl Fn(PgRow) -> Result<T>,
) -> Result<HashMap<Uuid, Page<T>>> {
    let mut by_parent: HashMap<Uuid, Vec<T>> = HashMap::new();
    for row in rows {
        let parent = row.try_get_unchecked(0).map_err(translate)?;
        by_parent.entry(parent).or_default().push(read(row)?);
    }
    let pages = by_parent.into_iter();
    Ok(pages
        .map(|(parent, rows)| (parent, query.assemble(rows)))
        .collect())
}
