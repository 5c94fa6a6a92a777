//! Orders and keyset cursors: a page continues after a row's sort values, so inserts never shift it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use serde_json::{Value as Json, json};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::predicate::{self, Value};
use crate::base::{
    error::{Error, Result},
    ids::{TenantId, Typed as _},
    text::MAX_SORTED_BYTES,
};

/// No honest cursor is longer, in bytes: three sort values at their longest, each byte of them escaped, and what else is in
/// it, in base64.
const MAX_CURSOR_BYTES: usize = (3 * 2 * MAX_SORTED_BYTES + 512) * 4 / 3;

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, async_graphql::Enum)]
pub enum Direction {
    /// Smallest, earliest or A first.
    Asc,
    /// Largest, latest or Z first.
    Desc,
}

/// What kind of value a field sorts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ValueKind {
    Text,
    Int,
    Time,
    Date,
}

/// A field that a list can be sorted by.
pub trait OrderField: Copy + Send + Sync + 'static {
    /// What the list is of.
    type Record;

    /// The column.
    fn column(self) -> &'static str;
    /// The kind of its values.
    fn kind(self) -> ValueKind;
    /// For a nullable column: the SQL literal that an empty one sorts as. The index is on the same expression.
    fn absent(self) -> Option<&'static str>;
    /// What a record has in the column; `None` for an empty one.
    fn value(self, record: &Self::Record) -> Option<Value>;
}

/// One criterion of an order.
#[derive(Debug, Clone, Copy)]
pub struct OrderTerm<F> {
    /// The field.
    pub field: F,
    /// The direction.
    pub direction: Direction,
}

/// Where a page continues: the sort values of the row before it, and its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// One per criterion; `None` for an empty column.
    pub values: Vec<Option<Value>>,
    /// The row's id, which breaks ties.
    pub id: Uuid,
}

impl Cursor {
    /// Writes the cursor for a client. It names its tenant and order, so that it can't be used with another.
    #[must_use]
    pub fn encode<F: OrderField>(&self, tenant: TenantId, order: &[OrderTerm<F>]) -> String {
        let values: Vec<Json> = self.values.iter().map(to_json).collect();
        let json = json!([
            fingerprint(tenant),
            signature(order),
            values,
            self.id.simple().to_string()
        ]);
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    /// Reads a cursor of a client.
    ///
    /// # Errors
    /// `INVALID_CURSOR` when it is damaged, of another tenant, or of a list in another order.
    pub fn decode<F: OrderField>(
        text: &str,
        tenant: TenantId,
        order: &[OrderTerm<F>],
        field: &str,
    ) -> Result<Self> {
        let bad = || {
            Error::invalid(
                "INVALID_CURSOR",
                field,
                "this cursor is not one of this list in this order, start again without it",
            )
        };
        if text.len() > MAX_CURSOR_BYTES {
            return Err(bad());
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| bad())?;
        let (owner, signed, values, id): (u64, String, Vec<Json>, String) =
            serde_json::from_slice(&bytes).map_err(|_| bad())?;
        if owner != fingerprint(tenant) || signed != signature(order) || values.len() != order.len()
        {
            return Err(bad());
        }
        let values = values
            .iter()
            .zip(order)
            .map(|(json, term)| from_json(json, term.field).ok_or_else(bad))
            .collect::<Result<_>>()?;
        Ok(Self {
            values,
            id: id.parse().map_err(|_| bad())?,
        })
    }
}

/// Tells tenants apart; ids that were minted together share their beginning, so all of the id counts.
fn fingerprint(tenant: TenantId) -> u64 {
    let (high, low) = tenant.uuid().as_u64_pair();
    high.rotate_left(32) ^ low
}

fn signature<F: OrderField>(order: &[OrderTerm<F>]) -> String {
    order
        .iter()
        .map(|term| {
            format!(
                "{}{}",
                if term.direction == Direction::Asc {
                    '+'
                } else {
                    '-'
                },
                term.field.column()
            )
        })
        .collect()
}

fn to_json(value: &Option<Value>) -> Json {
    match value {
        None => Json::Null,
        Some(Value::Uuid(v)) => json!(v.simple().to_string()),
        Some(Value::Text(v)) => json!(v),
        Some(Value::Int(v)) => json!(v),
        Some(Value::Time(v)) => json!(v.timestamp_micros()),
        Some(Value::Date(v)) => json!(v.to_string()),
        Some(Value::Bool(v)) => json!(v),
    }
}

fn from_json<F: OrderField>(json: &Json, field: F) -> Option<Option<Value>> {
    if json.is_null() {
        return field.absent().map(|_| None);
    }
    Some(Some(match field.kind() {
        ValueKind::Text => Value::Text(
            json.as_str()
                .filter(|text| !text.contains('\0'))?
                .to_owned(),
        ),
        ValueKind::Int => Value::Int(json.as_i64()?),
        ValueKind::Time => {
            let time = DateTime::<Utc>::from_timestamp_micros(json.as_i64()?)?;
            Value::Time(storable(time)?)
        }
        ValueKind::Date => Value::Date(storable(json.as_str()?.parse::<NaiveDate>().ok()?)?),
    }))
}

/// Postgres begins in 4714 BC, and goes on for longer than chrono does.
fn storable<T: Datelike>(when: T) -> Option<T> {
    (when.year() > -4713).then_some(when)
}

/// How an order renders for one statement: its expressions, and whether it is gone backward.
pub(super) struct Rendering<'a, F> {
    pub(super) order: &'a [OrderTerm<F>],
    pub(super) id_column: &'static str,
    pub(super) backward: bool,
    /// Columns that a link table keeps a copy of, so that its index gives the order.
    pub(super) replaced: &'static [(&'static str, &'static str)],
}

impl<F: OrderField> Rendering<'_, F> {
    fn ascending(&self, direction: Direction) -> bool {
        (direction == Direction::Asc) != self.backward
    }

    /// The id goes the way of the last criterion, so that one index serves both.
    fn id_ascending(&self) -> bool {
        self.ascending(
            self.order
                .last()
                .map_or(Direction::Asc, |term| term.direction),
        )
    }

    fn push_expression(
        &self,
        sql: &mut QueryBuilder<Postgres>,
        column: &'static str,
        absent: Option<&'static str>,
    ) {
        let replaced = self.replaced.iter().find(|(own, _)| *own == column);
        let (alias, column) = replaced.map_or(("t.", column), |(_, link)| ("", *link));
        match absent {
            None => sql.push(alias).push(column),
            Some(absent) => predicate::push_or_absent(sql, alias, column, absent),
        };
    }

    /// ` ORDER BY …`
    pub(super) fn push_order(&self, sql: &mut QueryBuilder<Postgres>) {
        sql.push(" ORDER BY ");
        for term in self.order {
            self.push_expression(sql, term.field.column(), term.field.absent());
            sql.push(if self.ascending(term.direction) {
                ", "
            } else {
                " DESC, "
            });
        }
        self.push_expression(sql, self.id_column, None);
        if !self.id_ascending() {
            sql.push(" DESC");
        }
    }

    /// The condition that a row comes after the cursor, or before it backward. When all criteria go one way it is one row comparison,
    /// which an index answers; otherwise it is spelled out, criterion by criterion.
    pub(super) fn push_beyond(&self, sql: &mut QueryBuilder<Postgres>, cursor: &Cursor) {
        let uniform = self
            .order
            .iter()
            .all(|term| self.ascending(term.direction) == self.id_ascending());
        if uniform {
            sql.push("(");
            self.push_columns(sql);
            sql.push(if self.id_ascending() {
                ") > ("
            } else {
                ") < ("
            });
            for (term, value) in self.order.iter().zip(&cursor.values) {
                push_value(sql, term.field, value);
                sql.push(", ");
            }
            sql.push_bind(cursor.id);
            sql.push(")");
            return;
        }
        sql.push("(");
        for leading in 0..=self.order.len() {
            if leading > 0 {
                sql.push(" OR ");
            }
            sql.push("(");
            for (term, value) in self.order.iter().zip(&cursor.values).take(leading) {
                self.push_expression(sql, term.field.column(), term.field.absent());
                sql.push(" = ");
                push_value(sql, term.field, value);
                sql.push(" AND ");
            }
            match self.order.get(leading) {
                Some(term) => {
                    self.push_expression(sql, term.field.column(), term.field.absent());
                    sql.push(if self.ascending(term.direction) {
                        " > "
                    } else {
                        " < "
                    });
                    push_value(sql, term.field, &cursor.values[leading]);
                }
                None => {
                    self.push_expression(sql, self.id_column, None);
                    sql.push(if self.id_ascending() { " > " } else { " < " });
                    sql.push_bind(cursor.id);
                }
            }
            sql.push(")");
        }
        sql.push(")");
    }

    fn push_columns(&self, sql: &mut QueryBuilder<Postgres>) {
        for term in self.order {
            self.push_expression(sql, term.field.column(), term.field.absent());
            sql.push(", ");
        }
        self.push_expression(sql, self.id_column, None);
    }
}

fn push_value<F: OrderField>(sql: &mut QueryBuilder<Postgres>, field: F, value: &Option<Value>) {
    match (value, field.absent()) {
        (Some(value), _) => predicate::bind(sql, value),
        (None, Some(absent)) => {
            sql.push(absent);
        }
        (None, None) => {
            sql.push("NULL");
        }
    }
}
