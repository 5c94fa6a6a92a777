//! Writing whole records: the columns that they declare, and no others.

use super::Entity;
use crate::{
    base::error::{Error, Result},
    db::{Sql, Tx, Writing, rows_per_statement, written},
};

/// Inserts records, and reads them back as they are stored.
///
/// # Errors
/// `FORBIDDEN`, what constraints refuse, or the database.
pub async fn insert<R: Entity>(tx: &mut Tx, records: &[R]) -> Result<Vec<R>> {
    let (tenant, columns) = (tx.tenant(), written(R::PARTS, Writing::Insert));
    let mut created = Vec::with_capacity(records.len());
    for chunk in records.chunks(rows_per_statement(columns.len() + 1)) {
        let head = Sql::new("INSERT INTO ")
            .push(R::TABLE)
            .push(" AS t (tenant_id");
        let names = |sql: Sql, name: &&'static str| sql.push(", ").push(name);
        let sql = columns.iter().fold(head, names).push(")");
        let sql = sql.rows(chunk, |mut row, record| {
            record.bind(Writing::Insert, row.bind(tenant));
        });
        created.extend(
            tx.all::<R>(sql.push(" RETURNING ").push(R::select()))
                .await?,
        );
    }
    Ok(created)
}

/// Writes what may have changed of a record, and reads it back as it is stored.
///
/// # Errors
/// `FORBIDDEN`, what constraints refuse, or the database.
pub async fn update<R: Entity>(tx: &mut Tx, record: &R) -> Result<R> {
    let columns = written(R::PARTS, Writing::Update);
    let mut sql = Sql::new("UPDATE ").push(R::TABLE).push(" t SET (");
    for (i, column) in columns.into_iter().enumerate() {
        sql = sql.push(if i == 0 { "" } else { ", " }).push(column);
    }
    let sql = sql
        .push(") = ROW")
        .row(|mut row| record.bind(Writing::Update, &mut row))
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ")
        .bind(record.key())
        .push(" RETURNING ")
        .push(R::select());
    let written = tx.optional(sql).await?;
    written.ok_or(Error::Forbidden("change this record"))
}
