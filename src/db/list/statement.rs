//! The statements that read lists, whatever columns they read of them.

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{ListQuery, Page, Record, Relation, Table};
use crate::{
    access::Sensitivity,
    base::error::Result,
    db::{
        Predicate, ReadTx, Sql, columns, columns::sensitivity, masked::refuse_hidden,
        order::Rendering, predicate::Alias,
    },
};

/// What is read of each row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Selected<'a> {
    /// All of a record: its columns as the program's text has them.
    All(&'static str),
    /// Some columns by their names, without what the actor is not shown.
    Some(&'a [&'static str]),
}

impl Selected<'_> {
    fn push(self, sql: &mut Sql, table: Table) {
        let sql = sql.builder();
        let columns = match self {
            Self::All(columns) => {
                sql.push(columns);
                return;
            }
            Self::Some(columns) => columns,
        };
        for (i, column) in columns.iter().enumerate() {
            if i > 0 {
                sql.push(", ");
            }
            match sensitivity(table.parts, column).map(Sensitivity::kinds) {
                Some(kinds @ [_, ..]) => {
                    sql.push(columns::masked(column, kinds));
                }
                _ => {
                    sql.push("t.").push(column);
                }
            }
        }
    }
}

/// Rows by their ids.
pub(super) fn many(tx: &ReadTx, table: Table, ids: &[Uuid], selected: Selected<'_>) -> Sql {
    let mut sql = Sql::new("SELECT ");
    selected.push(&mut sql, table);
    sql.push(" FROM ")
        .push(table.name)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(table.id_column)
        .one_of(ids)
}

/// A page of a list.
pub(super) fn page<R: Record>(
    tx: &ReadTx,
    query: &ListQuery<R>,
    selected: Selected<'_>,
) -> Result<Sql> {
    refuse_hidden(&tx.actor().rights, query)?;
    let mut sql = Sql::new("SELECT ");
    selected.push(&mut sql, R::SOURCE);
    sql = sql.push(" FROM ").push(R::TABLE).push(" t WHERE ");
    push_conditions(&mut sql, tx, query, &[]);
    push_end(&mut sql, query, &[]);
    Ok(sql)
}

/// The same page of the list of each parent; the parent's key is the first column.
pub(super) fn pages<R: Record>(
    tx: &ReadTx,
    relation: &Relation,
    parents: &[Uuid],
    query: &ListQuery<R>,
    selected: Selected<'_>,
) -> Result<Sql> {
    refuse_hidden(&tx.actor().rights, query)?;
    let copies = relation.link.as_ref().map_or(&[][..], |link| link.copies);
    let mut sql = Sql::new("SELECT k.key AS parent_key, c.* FROM ")
        .keys(parents)
        .push(" CROSS JOIN LATERAL (SELECT ");
    selected.push(&mut sql, R::SOURCE);
    push_related::<R>(&mut sql, tx, relation);
    sql = sql.push(" AND ");
    push_conditions(&mut sql, tx, query, copies);
    push_end(&mut sql, query, copies);
    Ok(sql.push(") c"))
}

impl<R: Record> ListQuery<R> {
    /// Makes a page of the rows that a statement gave: with peeking there is one more than asked for when there are
    /// further ones.
    pub(super) fn assemble<T>(&self, mut rows: Vec<T>) -> Page<T> {
        let more = rows.len() as i64 > self.page.size;
        rows.truncate(self.page.size as usize);
        if self.page.backward {
            rows.reverse();
        }
        // The row that a cursor was made of lies beyond the page.
        let (after, before) = (self.page.after.is_some(), self.page.before.is_some());
        Page {
            items: rows,
            has_previous: after || (self.page.backward && more),
            has_next: before || (!self.page.backward && more),
        }
    }
}

/// ` FROM … WHERE <belongs to k.key>`
pub(super) fn push_related<R: Record>(sql: &mut Sql, tx: &ReadTx, relation: &Relation) {
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
pub(super) fn push_filter<R: Record>(sql: &mut Sql, tx: &ReadTx, query: &ListQuery<R>) {
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
    tx: &ReadTx,
    query: &ListQuery<R>,
    copies: &'static [(&'static str, &'static str)],
) {
    push_filter(sql, tx, query);
    for (cursor, backward) in [(&query.page.after, false), (&query.page.before, true)] {
        if let Some(cursor) = cursor {
            sql.builder().push(" AND ");
            rendering::<R>(query, backward, copies).push_beyond(sql.builder(), cursor);
        }
    }
}

/// The order and the limit.
fn push_end<R: Record>(
    sql: &mut Sql,
    query: &ListQuery<R>,
    copies: &'static [(&'static str, &'static str)],
) {
    let builder: &mut QueryBuilder<Postgres> = sql.builder();
    rendering::<R>(query, query.page.backward, copies).push_order(builder);
    builder.push(" LIMIT ");
    let limit = query.page.size + i64::from(query.page.peeks);
    match USUAL_LIMITS.iter().find(|(usual, _)| *usual == limit) {
        Some((_, limit)) => builder.push(*limit),
        None => builder.push_bind(limit),
    };
}

/// Limits of pages of the usual sizes, with and without peeking, written out. Of a limit that is bound Postgres takes for
/// granted that it is a tenth of all rows; a plan made for the very limit then always looks better than the one for all,
/// and it plans anew at each execution. Any limit written out would fill the cache of statements instead.
const USUAL_LIMITS: [(i64, &str); 16] = [
    (1, "1"),
    (2, "2"),
    (3, "3"),
    (4, "4"),
    (5, "5"),
    (6, "6"),
    (10, "10"),
    (11, "11"),
    (20, "20"),
    (21, "21"),
    (25, "25"),
    (26, "26"),
    (50, "50"),
    (51, "51"),
    (100, "100"),
    (101, "101"),
];

fn rendering<'a, R: Record>(
    query: &'a ListQuery<R>,
    backward: bool,
    replaced: &'static [(&'static str, &'static str)],
) -> Rendering<'a, R::Order> {
    Rendering {
        order: &query.order,
        id_column: R::ID_COLUMN,
        backward,
        replaced,
    }
}
