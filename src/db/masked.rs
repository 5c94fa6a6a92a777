//! Nobody finds out by a filter or an order what they are not shown. Which columns are sensitive their records declare.

use super::{
    OrderField as _, Predicate, columns::sensitivity, list::ListQuery, list::Record, list::Table,
};
use crate::{
    access::Rights,
    base::error::{Error, Result},
};

/// Refuses a list that is filtered or sorted by what the actor is not shown: the answer would tell it.
///
/// # Errors
/// `FORBIDDEN`.
pub(super) fn refuse_hidden<R: Record>(rights: &Rights, query: &ListQuery<R>) -> Result<()> {
    let mut columns = query.order.iter().map(|term| term.field.column());
    if columns.any(|column| hides(rights, R::SOURCE, column)) {
        return Err(REFUSED);
    }
    refuse_hidden_filter(rights, R::SOURCE, &query.filter)
}

/// The same for a condition by itself.
///
/// # Errors
/// `FORBIDDEN`.
pub(crate) fn refuse_hidden_filter(
    rights: &Rights,
    table: Table,
    filter: &Predicate,
) -> Result<()> {
    match names(filter, table, &|table, column| hides(rights, table, column)) {
        true => Err(REFUSED),
        false => Ok(()),
    }
}

const REFUSED: Error = Error::Forbidden("filter or sort by fields that you are not shown");

/// A column that is not declared is shown to nobody.
fn hides(rights: &Rights, table: Table, column: &str) -> bool {
    let declared = sensitivity(table.parts, column);
    !declared.is_some_and(|declared| declared.is_shown(rights))
}

/// Whether a condition names a column that is hidden, in the table or in related ones.
fn names(predicate: &Predicate, table: Table, hides: &dyn Fn(Table, &str) -> bool) -> bool {
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
        } => hides(*other, column) || hides(table, own) || names(matching, *other, hides),
    }
}
