//! How fields of the schema follow from columns.

use async_graphql::Context;
use uuid::Uuid;

use super::page::Source;
use crate::{
    base::{error::Result, ids::Typed},
    db::list::{Record, Table},
};

/// The fields of a type that follow from a table's columns.
pub(crate) struct Shape {
    /// The type in the schema.
    pub(super) type_name: &'static str,
    pub(super) table: Table,
    /// A field by its name; none for those that don't follow from columns.
    pub(super) field: fn(&str) -> Option<Projected>,
}

impl Shape {
    /// The fields of a type whose records are rows of `R`'s table.
    #[must_use]
    pub(crate) const fn of<R: Record>(
        type_name: &'static str,
        field: fn(&str) -> Option<Projected>,
    ) -> Self {
        Self {
            type_name,
            table: R::SOURCE,
            field,
        }
    }
}

/// How one field follows.
#[derive(Clone, Copy)]
pub(crate) enum Projected {
    /// It is a column.
    Value(Kind, &'static str),
    /// It is an object of columns of the same row, or null when one of those named is.
    Object(
        &'static str,
        &'static [&'static str],
        fn(&str) -> Option<Projected>,
    ),
    /// It is the record that a column names.
    One(&'static Shape, &'static str),
    /// It is the record whose id can be read from a text, or null.
    Named(&'static Shape, &'static str, fn(&str) -> Option<Uuid>),
    /// It is a page of records that belong to this one, by the arguments of the field.
    Page(fn(&Context<'_>) -> Result<Source>),
    /// It says what the actor may do with the row.
    Rights,
}

/// How a column is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// The id of a type, with its prefix.
    Id(&'static str),
    /// Text as it is; also states.
    Text,
    /// Two texts with a space between: this column and another one.
    Joined(&'static str),
    /// What follows from a text, or null.
    Derived(fn(&str) -> Option<&str>),
    /// A list of texts.
    Texts,
    /// `smallint`
    Small,
    /// `integer`
    Int,
    /// `bigint`
    Big,
    /// `boolean`
    Bool,
    /// `timestamptz`
    Time,
    /// `date`
    Date,
}

/// An id.
pub(crate) const fn id<T: Typed>(column: &'static str) -> Projected {
    Projected::Value(Kind::Id(T::PREFIX), column)
}

/// Text, or a state.
pub(crate) const fn text(column: &'static str) -> Projected {
    Projected::Value(Kind::Text, column)
}

/// An instant.
pub(crate) const fn time(column: &'static str) -> Projected {
    Projected::Value(Kind::Time, column)
}

/// An `integer`.
pub(crate) const fn int(column: &'static str) -> Projected {
    Projected::Value(Kind::Int, column)
}

/// The fields of an amount of money.
pub(crate) fn money(
    name: &str,
    (amount, currency): (&'static str, &'static str),
) -> Option<Projected> {
    Some(match name {
        "amountMinor" => Projected::Value(Kind::Big, amount),
        "currency" => text(currency),
        _ => return None,
    })
}
