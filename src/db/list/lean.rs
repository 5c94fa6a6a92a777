//! Reading some columns of rows, by their places: a tenth of the time that a whole record takes.

use std::collections::HashMap;

use sqlx::{Decode, Postgres, Row as _, Type, TypeInfo as _, ValueRef as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    ListQuery, Page, Record, Relation, Table,
    read::by_parent,
    statement::{self, Selected},
};
use crate::{
    base::error::Result,
    db::{ReadTx, constraint::translate},
};

/// Some columns of a row, in the order they were asked for.
pub struct LeanRow {
    row: PgRow,
    /// Columns before the first one.
    offset: usize,
}

impl LeanRow {
    /// The column at a place. The type has to be that of the column; it is not looked at again for every row.
    ///
    /// # Errors
    /// `INTERNAL` when the value is no such type's.
    pub fn get<'r, T: Decode<'r, Postgres> + Type<Postgres>>(&'r self, at: usize) -> Result<T> {
        let value = self.row.try_get_unchecked(self.offset + at);
        value.map_err(translate)
    }

    /// Whether the column at a place is empty.
    ///
    /// # Errors
    /// `INTERNAL` when there is no such place.
    pub fn is_null(&self, at: usize) -> Result<bool> {
        let value = self.row.try_get_raw(self.offset + at);
        value.map(|value| value.is_null()).map_err(translate)
    }

    /// The whole number at a place, however wide its column is.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn integer(&self, at: usize) -> Result<Option<i64>> {
        let value = self.row.try_get_raw(self.offset + at).map_err(translate)?;
        let width = value.type_info().name().to_owned();
        match width.as_str() {
            "INT2" => Ok(self.get::<Option<i16>>(at)?.map(i64::from)),
            "INT4" => Ok(self.get::<Option<i32>>(at)?.map(i64::from)),
            _ => self.get(at),
        }
    }
}

/// Reads columns of rows by their ids; rows that are hidden or absent are left out.
///
/// # Errors
/// The database.
pub async fn lean_many(
    tx: &mut ReadTx,
    table: Table,
    ids: &[Uuid],
    columns: &[&'static str],
) -> Result<Vec<LeanRow>> {
    let sql = statement::many(tx, table, ids, Selected::Some(columns));
    let rows = tx.rows(sql).await?;
    Ok(rows
        .into_iter()
        .map(|row| LeanRow { row, offset: 0 })
        .collect())
}

/// Reads columns of a page of a list.
///
/// # Errors
/// `FORBIDDEN` when it is filtered or sorted by what the actor is not shown; the database.
pub async fn lean_page<R: Record>(
    tx: &mut ReadTx,
    query: &ListQuery<R>,
    columns: &[&'static str],
) -> Result<Page<LeanRow>> {
    let sql = statement::page(tx, query, Selected::Some(columns))?;
    let rows = tx.rows(sql).await?;
    let rows = rows.into_iter().map(|row| LeanRow { row, offset: 0 });
    Ok(query.assemble(rows.collect()))
}

/// Reads columns of the same page of the list of each parent.
///
/// # Errors
/// As [`lean_page`].
pub async fn lean_pages<R: Record>(
    tx: &mut ReadTx,
    relation: &Relation,
    parents: &[Uuid],
    query: &ListQuery<R>,
    columns: &[&'static str],
) -> Result<HashMap<Uuid, Page<LeanRow>>> {
    let sql = statement::pages(tx, relation, parents, query, Selected::Some(columns))?;
    let rows = tx.rows(sql).await?;
    by_parent(rows, query, |row| Ok(LeanRow { row, offset: 1 }))
}
