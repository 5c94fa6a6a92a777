//! The filter grammar: comparator objects per field, joined by `and`, `or`, `not`.
//!
//! Every comparator here compiles to a leakproof operator, so a filter may use an index under row-level security.
//! Contained words are search's business, not a filter's.
//!
//! Every value is checked here, before it is bound: Postgres refuses a value by failing the statement, and says it of no
//! argument. An error names the place in the filter, as in `or.1.company.name.eq`. How much a filter may ask for was checked
//! before, where documents are measured (`shape`).

use async_graphql::{ID, InputObject, InputType, MaybeUndefined};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::scalars::{BigInt, Date};
use crate::{
    base::{
        error::{Error, Result},
        ids::{self, Typed},
        text::Form,
        times,
    },
    db::{Column, Comparison, Predicate, Quantifier, Value, list::Record},
};

/// A filter of a list.
pub trait Filter: Sized {
    /// The condition it stands for.
    ///
    /// # Errors
    /// `INVALID_ID`, `INVALID_FILTER` and the like, with the place in the filter.
    fn predicate(self) -> Result<Predicate>;
}

/// What a comparator asks for, whatever its values are.
pub struct ComparatorParts<T> {
    eq: MaybeUndefined<T>,
    neq: MaybeUndefined<T>,
    one_of: MaybeUndefined<Vec<T>>,
    none_of: MaybeUndefined<Vec<T>>,
    null: MaybeUndefined<bool>,
    others: Vec<(&'static str, Comparison, MaybeUndefined<T>)>,
}

/// Declares comparator objects: their scalar and, beside what all have, the comparisons of their own with their names in
/// the schema. What is left out is no condition; null is one for `eq` and `neq` only.
macro_rules! comparators {
    ($($(#[$doc:meta])* $name:ident($scalar:ty) $({ $($(#[$extra_doc:meta])* $extra:ident = $comparison:ident $part:literal),* })?;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, InputObject)]
        pub struct $name {
            /// Equals; null: is empty.
            eq: MaybeUndefined<$scalar>,
            /// Differs, and empty counts as different; null: is not empty.
            neq: MaybeUndefined<$scalar>,
            /// Is one of these, at most 100.
            r#in: MaybeUndefined<Vec<$scalar>>,
            /// Is none of these, at most 100.
            nin: MaybeUndefined<Vec<$scalar>>,
            /// Is empty (true) or not (false).
            null: MaybeUndefined<bool>,
            $($($(#[$extra_doc])* $extra: MaybeUndefined<$scalar>,)*)?
        }

        impl From<$name> for ComparatorParts<$scalar> {
            fn from(filter: $name) -> Self {
                Self {
                    eq: filter.eq,
                    neq: filter.neq,
                    one_of: filter.r#in,
                    none_of: filter.nin,
                    null: filter.null,
                    others: vec![$($(($part, Comparison::$comparison, filter.$extra)),*)?],
                }
            }
        }
    )*};
}

comparators! {
    /// Compares an id.
    IdFilter(ID);
    /// Compares text without regard to case.
    TextFilter(String) {
        /// Begins with.
        starts_with = StartsWith "startsWith"
    };
    /// Compares a number.
    IntFilter(i32) {
        /// Less than.
        lt = Lt "lt",
        /// At most.
        lte = Lte "lte",
        /// Greater than.
        gt = Gt "gt",
        /// At least.
        gte = Gte "gte"
    };
    /// Compares a number beyond 32 bits, such as an amount in minor units.
    BigIntFilter(BigInt) {
        /// Less than.
        lt = Lt "lt",
        /// At most.
        lte = Lte "lte",
        /// Greater than.
        gt = Gt "gt",
        /// At least.
        gte = Gte "gte"
    };
    /// Compares an instant.
    DateTimeFilter(DateTime<Utc>) {
        /// Before.
        lt = Lt "lt",
        /// At or before.
        lte = Lte "lte",
        /// After.
        gt = Gt "gt",
        /// At or after.
        gte = Gte "gte"
    };
    /// Compares a day.
    DateFilter(Date) {
        /// Before.
        lt = Lt "lt",
        /// On or before.
        lte = Lte "lte",
        /// After.
        gt = Gt "gt",
        /// On or after.
        gte = Gte "gte"
    };
}

impl IdFilter {
    /// The filter that one id meets.
    pub(crate) fn equal_to(id: impl ToString) -> Self {
        Self {
            eq: MaybeUndefined::Value(ID(id.to_string())),
            ..Self::default()
        }
    }
}

/// Declares the comparator of an enum that is stored as text by its `as_str`.
macro_rules! enum_filter {
    ($(#[$doc:meta])* $visible:vis $name:ident($kind:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, async_graphql::InputObject)]
        $visible struct $name {
            /// Equals; null: is empty.
            eq: async_graphql::MaybeUndefined<$kind>,
            /// Differs; null: is not empty.
            neq: async_graphql::MaybeUndefined<$kind>,
            /// Is one of these, at most 100.
            r#in: async_graphql::MaybeUndefined<Vec<$kind>>,
            /// Is none of these, at most 100.
            nin: async_graphql::MaybeUndefined<Vec<$kind>>,
        }

        impl From<$name> for $crate::graphql::filters::ComparatorParts<$kind> {
            fn from(filter: $name) -> Self {
                Self::of_enum(filter.eq, filter.neq, filter.r#in, filter.nin)
            }
        }
    };
}

/// Declares one criterion of an order by these fields: ascending unless the client says otherwise, or `descending`.
macro_rules! order_input {
    ($(#[$doc:meta])* $visible:vis $name:ident($field:ty)) => {
        $crate::graphql::filters::order_input! {
            @ "crate::db::Direction::Asc" $(#[$doc])* $visible $name($field)
        }
    };
    ($(#[$doc:meta])* $visible:vis $name:ident($field:ty), descending) => {
        $crate::graphql::filters::order_input! {
            @ "crate::db::Direction::Desc" $(#[$doc])* $visible $name($field)
        }
    };
    (@ $usual:tt $(#[$doc:meta])* $visible:vis $name:ident($field:ty)) => {
        $(#[$doc])*
        #[derive(Debug, async_graphql::InputObject)]
        $visible struct $name {
            /// What to sort by.
            field: $field,
            /// Which way.
            #[graphql(default_with = $usual)]
            direction: $crate::db::Direction,
        }

        impl<F: From<$field>> From<$name> for $crate::db::OrderTerm<F> {
            fn from(order: $name) -> Self {
                Self {
                    field: F::from(order.field),
                    direction: order.direction,
                }
            }
        }
    };
}

pub(crate) use {enum_filter, order_input};

impl<T> ComparatorParts<T> {
    /// Equal to a value or not, and one or none of several.
    pub fn of_enum(
        eq: MaybeUndefined<T>,
        neq: MaybeUndefined<T>,
        one_of: MaybeUndefined<Vec<T>>,
        none_of: MaybeUndefined<Vec<T>>,
    ) -> Self {
        Self {
            eq,
            neq,
            one_of,
            none_of,
            null: MaybeUndefined::Undefined,
            others: Vec::new(),
        }
    }
}

/// Collects the conditions of one filter object, all of which must hold.
#[derive(Default)]
pub struct Conditions(Vec<Predicate>);

impl Conditions {
    /// A comparator of ids of type `T`.
    ///
    /// # Errors
    /// `INVALID_ID`, `INVALID_FILTER`.
    pub fn id<T: Typed>(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<IdFilter>,
    ) -> Result<()> {
        self.comparator(field, column.into(), filter, |_, id: ID| {
            match ids::parse::<T>(&id) {
                Ok(id) => Ok(Value::Uuid(id.uuid())),
                Err(bad) => Err(Error::invalid("INVALID_ID", "", bad.to_string())),
            }
        })
    }

    /// A comparator of ids of any type; the type itself is not compared.
    ///
    /// # Errors
    /// `INVALID_ID`, `INVALID_FILTER`.
    pub fn any_id(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<IdFilter>,
    ) -> Result<()> {
        self.comparator(field, column.into(), filter, |_, id: ID| {
            let uuid = id
                .split_once(':')
                .and_then(|(_, uuid)| Uuid::parse_str(uuid).ok());
            let message = "expected an id like opportunity:<uuid>";
            uuid.map(Value::Uuid)
                .ok_or_else(|| Error::invalid("INVALID_ID", "", message))
        })
    }

    /// A comparator of text, which is put into the form that the column has.
    ///
    /// # Errors
    /// `INVALID_FILTER`, `INVALID_TEXT`; `INVALID_DOMAIN` as [`Form::beginning`].
    pub fn text(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<TextFilter>,
        form: Form,
    ) -> Result<()> {
        self.comparator(field, column.into(), filter, |comparison, text: String| {
            let text = match comparison {
                Comparison::StartsWith => form.beginning(&text)?,
                _ => form.whole(&text)?,
            };
            Ok(Value::Text(text))
        })
    }

    /// A comparator of an enum, which is stored by its name in the schema.
    ///
    /// # Errors
    /// `INVALID_FILTER`.
    pub fn enumeration<T: InputType>(
        &mut self,
        field: &'static str,
        column: &'static str,
        filter: Option<impl Into<ComparatorParts<T>>>,
    ) -> Result<()> {
        self.comparator(field, column.into(), filter, |_, kind: T| {
            match kind.to_value() {
                async_graphql::Value::Enum(name) => Ok(Value::Text(name.to_string())),
                _ => unreachable!("an enum's value is an enum value"),
            }
        })
    }

    /// The conditions of a comparator; `read` makes what is stored of its values.
    fn comparator<T>(
        &mut self,
        field: &'static str,
        column: Column,
        filter: Option<impl Into<ComparatorParts<T>>>,
        read: impl Fn(Comparison, T) -> Result<Value>,
    ) -> Result<()> {
        let Some(filter) = filter else { return Ok(()) };
        let parts: ComparatorParts<T> = filter.into();
        let at = |part: &str, error: Error| error.within(part).within(field);
        for (part, comparison, value) in [
            ("eq", Comparison::Eq, parts.eq),
            ("neq", Comparison::Neq, parts.neq),
        ] {
            match value {
                MaybeUndefined::Undefined => {}
                MaybeUndefined::Null => self.empty(column, comparison == Comparison::Eq),
                MaybeUndefined::Value(value) => {
                    let value = read(comparison, value).map_err(|error| at(part, error))?;
                    self.0.push(Predicate::Compare(column, comparison, value));
                }
            }
        }
        for (part, is_among, values) in [("in", true, parts.one_of), ("nin", false, parts.none_of)]
        {
            let Some(values) = given(values).map_err(|error| at(part, error))? else {
                continue;
            };
            let read = |(i, value)| {
                let value = read(Comparison::Eq, value);
                value.map_err(|error| at(part, error.within(&format!("{i}"))))
            };
            let values = values.into_iter().enumerate().map(read);
            let among = Predicate::In(column, values.collect::<Result<_>>()?);
            self.0.push(match is_among {
                true => among,
                false => Predicate::Not(Box::new(among)),
            });
        }
        if let Some(wanted) = given(parts.null).map_err(|error| at("null", error))? {
            self.empty(column, wanted);
        }
        for (part, comparison, value) in parts.others {
            let value = given(value)
                .and_then(|value| value.map(|value| read(comparison, value)).transpose());
            if let Some(value) = value.map_err(|error| at(part, error))? {
                self.0.push(Predicate::Compare(column, comparison, value));
            }
        }
        Ok(())
    }

    /// The column is empty, or is not.
    fn empty(&mut self, column: Column, wanted: bool) {
        let empty = Predicate::Empty(column);
        self.0.push(match wanted {
            true => empty,
            false => Predicate::Not(Box::new(empty)),
        });
    }

    /// A yes-or-no column.
    pub fn flag(&mut self, column: &'static str, wanted: Option<bool>) {
        let is = |wanted| Predicate::Compare(column.into(), Comparison::Eq, Value::Bool(wanted));
        self.0.extend(wanted.map(is));
    }

    /// Related records have to match: (their column, this table's column).
    ///
    /// # Errors
    /// What the related filter fails with.
    pub fn related<R: Record, F: Filter>(
        &mut self,
        field: &'static str,
        (column, own): (&'static str, &'static str),
        quantifier: Quantifier,
        filter: Option<Box<F>>,
    ) -> Result<()> {
        if let Some(filter) = filter {
            let matching = filter.predicate().map_err(|error| error.within(field))?;
            let matching = Box::new(matching);
            self.0.push(Predicate::Related {
                quantifier,
                table: R::SOURCE,
                column,
                own,
                matching,
            });
        }
        Ok(())
    }

    /// Joins with the filter's `and`, `or` and `not`.
    ///
    /// # Errors
    /// What the joined filters fail with.
    pub fn finish<F: Filter>(
        mut self,
        and: Option<Vec<F>>,
        or: Option<Vec<F>>,
        not: Option<Box<F>>,
    ) -> Result<Predicate> {
        let read = |part: &'static str, (i, filter): (usize, F)| {
            let predicate = filter.predicate();
            predicate.map_err(|error| error.within(&format!("{part}.{i}")))
        };
        for arm in and.unwrap_or_default().into_iter().enumerate() {
            self.0.push(read("and", arm)?);
        }
        if let Some(filters) = or {
            let filters = filters.into_iter().enumerate();
            let any = filters.map(|arm| read("or", arm)).collect::<Result<_>>()?;
            self.0.push(Predicate::Any(any));
        }
        if let Some(filter) = not {
            let predicate = filter.predicate().map_err(|error| error.within("not"))?;
            self.0.push(Predicate::Not(Box::new(predicate)));
        }
        Ok(Predicate::All(self.0))
    }
}

macro_rules! ranges {
    ($($method:ident($filter:ty, $read:expr);)*) => {
        impl Conditions {$(
            /// A comparator of values that have an order.
            ///
            /// # Errors
            /// `INVALID_FILTER`, `OUT_OF_RANGE`.
            pub fn $method(
                &mut self,
                field: &'static str,
                column: impl Into<Column>,
                filter: Option<$filter>,
            ) -> Result<()> {
                self.comparator(field, column.into(), filter, |_, value| ($read)(value))
            }
        )*}
    };
}

ranges! {
    int(IntFilter, |n: i32| Ok(Value::Int(n.into())));
    big_int(BigIntFilter, |n: BigInt| Ok(Value::Int(n.0)));
    time(DateTimeFilter, |time| {
        times::check_compared_time(time)?;
        Ok(Value::Time(time))
    });
    date(DateFilter, |day: Date| {
        times::check_compared_date(day.0)?;
        Ok(Value::Date(day.0))
    });
}

/// What was not left out.
///
/// # Errors
/// `INVALID_FILTER` for null, which would have to mean nothing or everything.
pub(crate) fn given<T>(value: MaybeUndefined<T>) -> Result<Option<T>> {
    match value {
        MaybeUndefined::Undefined => Ok(None),
        MaybeUndefined::Value(value) => Ok(Some(value)),
        MaybeUndefined::Null => Err(Error::invalid(
            "INVALID_FILTER",
            "",
            "null compares with nothing here: leave this out, or ask for what is empty by `eq: null`",
        )),
    }
}
