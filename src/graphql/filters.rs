//! The filter grammar: comparator objects per field, joined by `and`, `or`, `not`.
//!
//! Every comparator here compiles to a leakproof operator, so a filter may use an index under row-level security.
//! Contained words are search's business, not a filter's.

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::scalars::{BigInt, Date};
use crate::{
    db::{Column, Comparison, Predicate, Quantifier, Value},
    error::{Error, Result},
    ids::{self, Typed},
};

/// Most values of an `in` or `nin`.
const MAX_VALUES: usize = 100;
/// Most arms of an `and` or `or`.
const MAX_ARMS: usize = 50;

/// A filter of a list.
pub trait Filter: Sized {
    /// The condition it stands for.
    ///
    /// # Errors
    /// `INVALID_ID`, `TOO_MANY_VALUES` and the like, with the field.
    fn predicate(self) -> Result<Predicate>;
}

macro_rules! comparators {
    ($($(#[$doc:meta])* $name:ident($scalar:ty) $({ $($(#[$extra_doc:meta])* $extra:ident),* })?;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, InputObject)]
        pub struct $name {
            /// Equals.
            eq: Option<$scalar>,
            /// Differs; empty counts as different.
            neq: Option<$scalar>,
            /// Is one of these, at most 100.
            r#in: Option<Vec<$scalar>>,
            /// Is none of these, at most 100.
            nin: Option<Vec<$scalar>>,
            /// Is empty (true) or not (false).
            null: Option<bool>,
            $($($(#[$extra_doc])* $extra: Option<$scalar>,)*)?
        }
    )*};
}

comparators! {
    /// Compares an id.
    IdFilter(ID);
    /// Compares text without regard to case.
    TextFilter(String) {
        /// Begins with.
        starts_with
    };
    /// Compares a number.
    IntFilter(i32) {
        /// Less than.
        lt,
        /// At most.
        lte,
        /// Greater than.
        gt,
        /// At least.
        gte
    };
    /// Compares a number beyond 32 bits, such as an amount in minor units.
    BigIntFilter(BigInt) {
        /// Less than.
        lt,
        /// At most.
        lte,
        /// Greater than.
        gt,
        /// At least.
        gte
    };
    /// Compares an instant.
    DateTimeFilter(DateTime<Utc>) {
        /// Before.
        lt,
        /// At or before.
        lte,
        /// After.
        gt,
        /// At or after.
        gte
    };
    /// Compares a day.
    DateFilter(Date) {
        /// Before.
        lt,
        /// On or before.
        lte,
        /// After.
        gt,
        /// On or after.
        gte
    };
}

impl IdFilter {
    /// The filter that one id meets.
    pub(crate) fn equal_to(id: impl ToString) -> Self {
        Self {
            eq: Some(ID(id.to_string())),
            ..Self::default()
        }
    }
}

/// Declares the comparator of an enum that is stored as text by its `as_str`.
#[macro_export]
macro_rules! enum_filter {
    ($(#[$doc:meta])* $visible:vis $name:ident($kind:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, async_graphql::InputObject)]
        $visible struct $name {
            /// Equals.
            eq: Option<$kind>,
            /// Differs.
            neq: Option<$kind>,
            /// Is one of these.
            r#in: Option<Vec<$kind>>,
            /// Is none of these.
            nin: Option<Vec<$kind>>,
        }

        impl $name {
            fn into_conditions(self, all: &mut $crate::graphql::filters::Conditions, column: &'static str) {
                let text = |kind: $kind| {
                    let async_graphql::Value::Enum(name) = async_graphql::InputType::to_value(&kind) else {
                        unreachable!("an enum's value is an enum value")
                    };
                    $crate::db::Value::Text(name.to_string())
                };
                let texts = |kinds: Vec<$kind>| kinds.into_iter().map(text).collect::<Vec<_>>();
                all.compare_values(column, self.eq.map(text), self.neq.map(text));
                all.one_of(column, self.r#in.map(texts), self.nin.map(texts));
            }
        }
    };
}

/// Collects the conditions of one filter object, all of which must hold.
#[derive(Default)]
pub struct Conditions(Vec<Predicate>);

impl Conditions {
    /// A comparator of ids of type `T`.
    ///
    /// # Errors
    /// `INVALID_ID`, `TOO_MANY_VALUES`.
    pub fn id<T: Typed>(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<IdFilter>,
    ) -> Result<()> {
        let read = |id: &ID| match ids::parse::<T>(id) {
            Ok(id) => Ok(Value::Uuid(id.uuid())),
            Err(bad) => Err(Error::invalid(
                "INVALID_ID",
                format!("filter.{field}"),
                bad.to_string(),
            )),
        };
        self.ids(field, column, filter, read)
    }

    fn ids(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<IdFilter>,
        read: impl Fn(&ID) -> Result<Value>,
    ) -> Result<()> {
        let Some(filter) = filter else { return Ok(()) };
        let (eq, neq) = (
            filter.eq.as_ref().map(&read).transpose()?,
            filter.neq.as_ref().map(&read).transpose()?,
        );
        self.compare_values(column, eq, neq);
        let (some, none) = (bounded(field, filter.r#in)?, bounded(field, filter.nin)?);
        let all = |ids: Vec<ID>| ids.iter().map(&read).collect::<Result<Vec<_>>>();
        self.one_of(
            column,
            some.map(all).transpose()?,
            none.map(all).transpose()?,
        );
        self.null(column.into(), filter.null);
        Ok(())
    }

    /// A comparator of ids of any type; the type itself is not compared.
    ///
    /// # Errors
    /// `INVALID_ID`, `TOO_MANY_VALUES`.
    pub fn any_id(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<IdFilter>,
    ) -> Result<()> {
        let read = |id: &ID| {
            let uuid = id
                .split_once(':')
                .and_then(|(_, uuid)| Uuid::parse_str(uuid).ok());
            let message = "expected an id like opportunity:<uuid>";
            uuid.map(Value::Uuid)
                .ok_or_else(|| Error::invalid("INVALID_ID", format!("filter.{field}"), message))
        };
        self.ids(field, column, filter, read)
    }

    /// A comparator of text; `normalize` makes the client's text comparable with the stored, normalised column.
    ///
    /// # Errors
    /// `TOO_MANY_VALUES`.
    pub fn text(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<TextFilter>,
        normalize: fn(&str) -> String,
    ) -> Result<()> {
        let Some(filter) = filter else { return Ok(()) };
        let (column, value) = (Column::from(column), |text: String| {
            Value::Text(normalize(&text))
        });
        self.compare_values(column, filter.eq.map(value), filter.neq.map(value));
        let (some, none) = (bounded(field, filter.r#in)?, bounded(field, filter.nin)?);
        let all = |texts: Vec<String>| texts.into_iter().map(value).collect::<Vec<_>>();
        self.one_of(column, some.map(all), none.map(all));
        self.null(column, filter.null);
        self.compare(
            column,
            Comparison::StartsWith,
            filter.starts_with.map(value),
        );
        Ok(())
    }

    /// A yes-or-no column.
    pub fn flag(&mut self, column: &'static str, wanted: Option<bool>) {
        self.compare(column.into(), Comparison::Eq, wanted.map(Value::Bool));
    }

    /// Related rows of another table have to match: (its name, its column, this table's column).
    ///
    /// # Errors
    /// What the related filter fails with.
    pub fn related<F: Filter>(
        &mut self,
        (table, column, own): (&'static str, &'static str, &'static str),
        quantifier: Quantifier,
        filter: Option<Box<F>>,
    ) -> Result<()> {
        if let Some(filter) = filter {
            let matching = Box::new(filter.predicate()?);
            self.0.push(Predicate::Related {
                quantifier,
                table,
                column,
                own,
                matching,
            });
        }
        Ok(())
    }

    /// Adds a condition.
    pub fn push(&mut self, predicate: Predicate) {
        self.0.push(predicate);
    }

    /// Equality and difference with values.
    pub fn compare_values(
        &mut self,
        column: impl Into<Column>,
        eq: Option<Value>,
        neq: Option<Value>,
    ) {
        let column = column.into();
        self.compare(column, Comparison::Eq, eq);
        self.compare(column, Comparison::Neq, neq);
    }

    /// One of, none of.
    pub fn one_of(
        &mut self,
        column: impl Into<Column>,
        some: Option<Vec<Value>>,
        none: Option<Vec<Value>>,
    ) {
        let column = column.into();
        self.0
            .extend(some.map(|values| Predicate::In(column, values)));
        self.0
            .extend(none.map(|values| Predicate::Not(Box::new(Predicate::In(column, values)))));
    }

    fn null(&mut self, column: Column, wanted: Option<bool>) {
        self.0.extend(wanted.map(|empty| match empty {
            true => Predicate::Empty(column),
            false => Predicate::Not(Box::new(Predicate::Empty(column))),
        }));
    }

    fn compare(&mut self, column: Column, comparison: Comparison, value: Option<Value>) {
        self.0
            .extend(value.map(|value| Predicate::Compare(column, comparison, value)));
    }

    /// Joins with the filter's `and`, `or` and `not`.
    ///
    /// # Errors
    /// `TOO_MANY_VALUES` and what the joined filters fail with.
    pub fn finish<F: Filter>(
        mut self,
        and: Option<Vec<F>>,
        or: Option<Vec<F>>,
        not: Option<Box<F>>,
    ) -> Result<Predicate> {
        for filter in arms("and", and)?.unwrap_or_default() {
            self.0.push(filter.predicate()?);
        }
        if let Some(filters) = arms("or", or)? {
            self.0.push(Predicate::Any(
                filters
                    .into_iter()
                    .map(Filter::predicate)
                    .collect::<Result<_>>()?,
            ));
        }
        if let Some(filter) = not {
            self.0.push(Predicate::Not(Box::new(filter.predicate()?)));
        }
        Ok(Predicate::All(self.0))
    }
}

macro_rules! ranges {
    ($($method:ident($filter:ty, $value:expr);)*) => {
        impl Conditions {$(
            /// A comparator of values that have an order.
            ///
            /// # Errors
            /// `TOO_MANY_VALUES`.
            pub fn $method(
                &mut self,
                field: &'static str,
                column: impl Into<Column>,
                filter: Option<$filter>,
            ) -> Result<()> {
                let Some(filter) = filter else { return Ok(()) };
                let (column, value) = (column.into(), $value);
                self.compare_values(column, filter.eq.map(value), filter.neq.map(value));
                let (some, none) = (bounded(field, filter.r#in)?, bounded(field, filter.nin)?);
                let some = some.map(|values| values.into_iter().map(value).collect());
                let none = none.map(|values| values.into_iter().map(value).collect());
                self.one_of(column, some, none);
                self.null(column, filter.null);
                self.compare(column, Comparison::Lt, filter.lt.map(value));
                self.compare(column, Comparison::Lte, filter.lte.map(value));
                self.compare(column, Comparison::Gt, filter.gt.map(value));
                self.compare(column, Comparison::Gte, filter.gte.map(value));
                Ok(())
            }
        )*}
    };
}

ranges! {
    int(IntFilter, |n: i32| Value::Int(n.into()));
    big_int(BigIntFilter, |n: BigInt| Value::Int(n.0));
    time(DateTimeFilter, Value::Time);
    date(DateFilter, |d: Date| Value::Date(d.0));
}

fn bounded<T>(field: &'static str, values: Option<Vec<T>>) -> Result<Option<Vec<T>>> {
    match values {
        Some(values) if values.len() > MAX_VALUES => Err(Error::invalid(
            "TOO_MANY_VALUES",
            format!("filter.{field}"),
            format!(
                "expected at most {MAX_VALUES} values, found {}",
                values.len()
            ),
        )),
        values => Ok(values),
    }
}

fn arms<F>(field: &'static str, filters: Option<Vec<F>>) -> Result<Option<Vec<F>>> {
    match filters {
        Some(filters) if filters.len() > MAX_ARMS => Err(Error::invalid(
            "TOO_MANY_VALUES",
            format!("filter.{field}"),
            format!(
                "expected at most {MAX_ARMS} filters, found {}",
                filters.len()
            ),
        )),
        filters => Ok(filters),
    }
}
