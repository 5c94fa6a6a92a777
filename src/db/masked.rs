//! Which columns are sensitive, and that nobody finds out by a filter or an order what they are not shown.
//!
//! The values themselves are kept back twice: the lists of columns ask `app.shows`, and resolvers ask the actor's
//! rights, because what a write hands back was read without masks.

use super::{OrderField as _, Predicate, list::ListQuery, list::Record};
use crate::{
    access::{Rights, Sensitive},
    base::error::{Error, Result},
};

/// Tables with the columns of theirs that a role may keep back.
const COLUMNS: [(&str, &str, Sensitive); 16] = [
    ("companies", "annual_revenue_minor", Sensitive::Amounts),
    ("companies", "annual_revenue_currency", Sensitive::Amounts),
    ("companies", "phone", Sensitive::Phones),
    ("contacts", "email_normalized", Sensitive::Emails),
    ("leads", "email", Sensitive::Emails),
    ("leads", "email_normalized", Sensitive::Emails),
    ("leads", "phone", Sensitive::Phones),
    ("leads", "estimated_amount_minor", Sensitive::Amounts),
    ("leads", "estimated_amount_currency", Sensitive::Amounts),
    ("opportunities", "amount_minor", Sensitive::Amounts),
    ("opportunities", "amount_currency", Sensitive::Amounts),
    ("opportunities", "weighted_minor", Sensitive::Amounts),
    (
        "opportunity_stage_history",
        "amount_minor",
        Sensitive::Amounts,
    ),
    (
        "opportunity_stage_history",
        "amount_currency",
        Sensitive::Amounts,
    ),
    ("products", "unit_price_minor", Sensitive::Amounts),
    ("products", "unit_price_currency", Sensitive::Amounts),
];

/// Refuses a list that is filtered or sorted by what the actor is not shown: the answer would tell it.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) fn refuse_hidden<R: Record>(rights: &Rights, query: &ListQuery<R>) -> Result<()> {
    let mut columns = query.order.iter().map(|term| term.field.column());
    if columns.any(|column| hides(rights, R::TABLE, column)) {
        return Err(REFUSED);
    }
    refuse_hidden_filter(rights, R::TABLE, &query.filter)
}

/// The same for a condition by itself.
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) fn refuse_hidden_filter(rights: &Rights, table: &str, filter: &Predicate) -> Result<()> {
    match names(filter, table, &|table, column| hides(rights, table, column)) {
        true => Err(REFUSED),
        false => Ok(()),
    }
}

const REFUSED: Error = Error::Forbidden("filter or sort by fields that you are not shown");

/// What a column tells that a role may keep back.
pub(super) fn sensitivity(table: &str, column: &str) -> Option<Sensitive> {
    let mut known = COLUMNS.iter();
    let known = known.find(|known| (known.0, known.1) == (table, column));
    known.map(|(_, _, what)| *what)
}

fn hides(rights: &Rights, table: &str, column: &str) -> bool {
    sensitivity(table, column).is_some_and(|what| !rights.shows(what))
}

/// Whether a condition names a column that is hidden, in the table or in related ones.
fn names(predicate: &Predicate, table: &str, hides: &dyn Fn(&str, &str) -> bool) -> bool {
    match predicate {
        Predicate::All(parts) | Predicate::Any(parts) => {
            parts.iter().any(|part| names(part, table, hides))
        }
        Predicate::Not(inner) => names(inner, table, hides),
        Predicate::Compare(column, ..) | Predicate::In(column, _) | Predicate::Empty(column) => {
            hides(table, column.name())
        }
        Predicate::Related {
            table: other,
            column,
            own,
            matching,
            ..
        } => hides(other, column) || hides(table, own) || names(matching, other, hides),
    }
}
