//! Conditions on a table as values: the filters of the API compile to them, and they render to SQL.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::contradiction::is_contradiction;
use crate::{base::ids::TenantId, db::list::Table};

/// A value to compare with. All these types compare by leakproof operators, so they may use an index under RLS.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Value {
    /// An id.
    Uuid(Uuid),
    /// Text, compared byte by byte.
    Text(String),
    /// A number or an amount in minor units.
    Int(i64),
    /// An instant.
    Time(DateTime<Utc>),
    /// A day.
    Date(NaiveDate),
    /// Yes or no.
    Bool(bool),
}

/// How to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Eq,
    Neq,
    Lt,
    Lte,
    Gt,
    Gte,
    StartsWith,
}

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Self::Eq => " = ",
            Self::Neq => " <> ",
            Self::Lt => " < ",
            Self::Lte => " <= ",
            Self::Gt => " > ",
            Self::Gte => " >= ",
            Self::StartsWith => " ^@ ",
        }
    }
}

/// Which related rows have to match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Quantifier {
    Some,
    Every,
    None,
}

/// A column as conditions name it.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    absent: Option<&'static str>,
}

impl Column {
    /// The name in the database.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }
}

impl From<&'static str> for Column {
    fn from(name: &'static str) -> Self {
        Self { name, absent: None }
    }
}

/// A nullable column that is indexed with what an empty one sorts as, because lists are sorted by it.
impl From<(&'static str, &'static str)> for Column {
    fn from((name, absent): (&'static str, &'static str)) -> Self {
        Self {
            name,
            absent: Some(absent),
        }
    }
}

/// A condition on rows of one table. Columns are names of the program, never of a client.
#[derive(Debug, Clone)]
pub enum Predicate {
    /// All hold; an empty list always does.
    All(Vec<Predicate>),
    /// At least one holds; an empty list never does.
    Any(Vec<Predicate>),
    /// Does not hold.
    Not(Box<Predicate>),
    /// A column compares with a value.
    Compare(Column, Comparison, Value),
    /// A column is one of the values.
    In(Column, Vec<Value>),
    /// A column is empty.
    Empty(Column),
    /// Rows of another table that belong to this row match.
    Related {
        /// Which of them.
        quantifier: Quantifier,
        /// The other table.
        table: Table,
        /// Its column that names this row.
        column: &'static str,
        /// This table's column that is named.
        own: &'static str,
        /// The condition on the other table.
        matching: Box<Predicate>,
    },
}

/// The name of a table in a statement: `t` for the list's own, then one per level of related rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias(u8);

impl Alias {
    pub(super) const LIST: Self = Self(0);
}

impl std::fmt::Display for Alias {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => f.write_str("t"),
            depth => write!(f, "r{depth}"),
        }
    }
}

impl Predicate {
    /// Renders as a condition on `alias`; `tenant` is bound again in every sub-query.
    pub(super) fn render(&self, sql: &mut QueryBuilder<Postgres>, alias: Alias, tenant: TenantId) {
        match self {
            Self::All(parts) if is_contradiction(parts) => {
                sql.push("false");
            }
            Self::All(parts) => join(sql, parts, " AND ", "true", |sql, part| {
                part.render(sql, alias, tenant)
            }),
            Self::Any(parts) => join(sql, parts, " OR ", "false", |sql, part| {
                part.render(sql, alias, tenant)
            }),
            Self::Not(inner) => {
                sql.push("NOT coalesce(");
                inner.render(sql, alias, tenant);
                sql.push(", false)");
            }
            Self::Compare(column, Comparison::Neq, value) => {
                push_column(sql, alias, column.name);
                sql.push(" IS DISTINCT FROM ");
                bind(sql, value);
            }
            Self::Compare(column, comparison, value) => {
                push_indexed(sql, alias, *column, |sql| {
                    sql.push(comparison.operator());
                    bind(sql, value);
                });
            }
            // An empty list has no type, and nothing is in it.
            Self::In(_, values) if values.is_empty() => {
                sql.push("false");
            }
            Self::In(column, values) => {
                push_indexed(sql, alias, *column, |sql| {
                    sql.push(" = ANY(");
                    bind_all(sql, values);
                    sql.push(")");
                });
            }
            Self::Empty(column) => {
                push_column(sql, alias, column.name);
                sql.push(" IS NULL");
            }
            Self::Related {
                quantifier,
                table,
                column,
                own,
                matching,
            } => {
                // `every` is: there is none that does not match.
                let inner = Alias(alias.0 + 1);
                sql.push(if *quantifier == Quantifier::Some {
                    "EXISTS (SELECT FROM "
                } else {
                    "NOT EXISTS (SELECT FROM "
                });
                sql.push(table.name)
                    .push(" ")
                    .push(inner)
                    .push(" WHERE ")
                    .push(inner)
                    .push(".tenant_id = ");
                sql.push_bind(tenant);
                sql.push(" AND ");
                push_column(sql, inner, column);
                sql.push(" = ");
                push_column(sql, alias, own);
                sql.push(if *quantifier == Quantifier::Every {
                    " AND NOT coalesce("
                } else {
                    " AND ("
                });
                matching.render(sql, inner, tenant);
                sql.push(if *quantifier == Quantifier::Every {
                    ", false))"
                } else {
                    "))"
                });
            }
        }
    }
}

fn push_column(sql: &mut QueryBuilder<Postgres>, alias: Alias, column: &'static str) {
    sql.push(alias).push(".").push(column);
}

/// A condition on a column in the form that its index has; an empty column never meets it.
fn push_indexed(
    sql: &mut QueryBuilder<Postgres>,
    alias: Alias,
    column: Column,
    condition: impl FnOnce(&mut QueryBuilder<Postgres>),
) {
    let Some(absent) = column.absent else {
        push_column(sql, alias, column.name);
        condition(sql);
        return;
    };
    sql.push("(");
    push_or_absent(sql, &format!("{alias}."), column.name, absent);
    condition(sql);
    sql.push(" AND ");
    push_column(sql, alias, column.name);
    sql.push(" IS NOT NULL)");
}

/// What an empty column sorts as. Not `coalesce`, which Postgres takes for leaky: then no index would serve it under
/// row-level security. The indexes are on the same expression.
pub(super) fn push_or_absent<'a>(
    sql: &'a mut QueryBuilder<Postgres>,
    alias: &str,
    column: &'static str,
    absent: &'static str,
) -> &'a mut QueryBuilder<Postgres> {
    sql.push("CASE WHEN ")
        .push(alias)
        .push(column)
        .push(" IS NULL THEN ")
        .push(absent);
    sql.push(" ELSE ").push(alias).push(column).push(" END")
}

fn join<T>(
    sql: &mut QueryBuilder<Postgres>,
    parts: &[T],
    separator: &'static str,
    empty: &'static str,
    mut render: impl FnMut(&mut QueryBuilder<Postgres>, &T),
) {
    if parts.is_empty() {
        sql.push(empty);
        return;
    }
    sql.push("(");
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            sql.push(separator);
        }
        render(sql, part);
    }
    sql.push(")");
}

pub(super) fn bind(sql: &mut QueryBuilder<Postgres>, value: &Value) {
    match value {
        Value::Uuid(v) => sql.push_bind(*v),
        Value::Text(v) => sql.push_bind(v.clone()),
        Value::Int(v) => sql.push_bind(*v),
        Value::Time(v) => sql.push_bind(*v),
        Value::Date(v) => sql.push_bind(*v),
        Value::Bool(v) => sql.push_bind(*v),
    };
}

/// Binds a list as one array, so that its length does not change the statement. All values are of one type.
fn bind_all(sql: &mut QueryBuilder<Postgres>, values: &[Value]) {
    macro_rules! array {
        ($variant:ident) => {{
            let array: Vec<_> = values
                .iter()
                .filter_map(|v| {
                    if let Value::$variant(v) = v {
                        Some(v.clone())
                    } else {
                        None
                    }
                })
                .collect();
            sql.push_bind(array);
        }};
    }
    match values.first() {
        None | Some(Value::Text(_)) => array!(Text),
        Some(Value::Uuid(_)) => array!(Uuid),
        Some(Value::Int(_)) => array!(Int),
        Some(Value::Time(_)) => array!(Time),
        Some(Value::Date(_)) => array!(Date),
        Some(Value::Bool(_)) => array!(Bool),
    }
}
