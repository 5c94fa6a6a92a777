//! Columns that are fields of the schema as they are: what `#[derive(SchemaFields)]` builds on.

use async_graphql::OutputType;
use chrono::{DateTime, NaiveDate, Utc};

use super::{Kind, Projected};
use crate::{access::Role, graphql::scalars::Date};

/// What has columns that are fields of the schema. Derived.
pub(crate) trait SchemaFields {
    /// From which column a field follows, by its name in the schema; nothing for a field that is none of them.
    fn projected(name: &str) -> Option<Projected>;
}

/// A type that such a column may have.
pub(crate) trait ColumnType {
    /// How the projection writes it.
    const KIND: Kind;
    /// What the executor is answered.
    type Shown<'a>: OutputType
    where
        Self: 'a;

    /// The value as the schema has it.
    fn shown(&self) -> Self::Shown<'_>;
}

/// Types whose values are shown as they are.
macro_rules! shown_as_they_are {
    ($($kind:ident: $($of:ty),+;)+) => {$($(
        impl $crate::graphql::projection::ColumnType for $of {
            const KIND: $crate::graphql::projection::Kind = $crate::graphql::projection::Kind::$kind;
            type Shown<'a> = Self;

            fn shown(&self) -> Self {
                *self
            }
        }
    )+)+};
}

/// Enums that are stored as text, by their names in the schema.
macro_rules! enum_columns {
    ($($of:ty),+) => {
        $crate::graphql::projection::shown_as_they_are! { Text: $($of),+; }
    };
}

pub(crate) use {enum_columns, shown_as_they_are};

shown_as_they_are! {
    Small: i16;
    Int: i32;
    Bool: bool;
    Time: DateTime<Utc>;
}

enum_columns!(Role);

impl ColumnType for String {
    const KIND: Kind = Kind::Text;
    type Shown<'a> = &'a str;

    fn shown(&self) -> &str {
        self
    }
}

impl ColumnType for Vec<String> {
    const KIND: Kind = Kind::Texts;
    type Shown<'a> = &'a [String];

    fn shown(&self) -> &[String] {
        self
    }
}

impl ColumnType for NaiveDate {
    const KIND: Kind = Kind::Date;
    type Shown<'a> = Date;

    fn shown(&self) -> Date {
        Date(*self)
    }
}

impl<T: ColumnType> ColumnType for Option<T> {
    const KIND: Kind = T::KIND;
    type Shown<'a>
        = Option<T::Shown<'a>>
    where
        T: 'a;

    fn shown(&self) -> Option<T::Shown<'_>> {
        self.as_ref().map(T::shown)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use async_graphql::registry::{MetaType, Registry};
    use dealgraph_derive::{Columns, SchemaFields};

    use super::*;
    use crate::db::{Columns, sensitivity};

    /// Every field that a record takes over from its columns is projected, from a column that is declared and in the form
    /// that the schema says.
    pub(crate) fn check<T: Columns + SchemaFields + OutputType>() {
        let mut registry = Registry::default();
        T::create_type_info(&mut registry);
        let Some(MetaType::Object { name, fields, .. }) = registry.types.get(&*T::type_name())
        else {
            panic!("{} is no object", T::type_name());
        };
        assert!(!fields.is_empty(), "{name} has fields");
        for field in fields.values() {
            let Some(Projected::Value(kind, column)) = T::projected(&field.name) else {
                panic!("{name}.{} is not projected", field.name);
            };
            assert!(sensitivity(T::PARTS, column).is_some(), "{name}.{column}");
            let of = field.ty.trim_end_matches('!');
            let is_enum = matches!(registry.types.get(of), Some(MetaType::Enum { .. }));
            let fits = match kind {
                Kind::Text => of == "String" || is_enum,
                Kind::Texts => of == "[String!]",
                Kind::Small | Kind::Int => of == "Int",
                Kind::Bool => of == "Boolean",
                Kind::Time => of == "DateTime",
                Kind::Date => of == "Date",
                _ => false,
            };
            assert!(fits, "{name}.{} is a {of}, not {kind:?}", field.name);
        }
    }

    #[derive(Columns, SchemaFields)]
    struct Deal {
        /// When it was won.
        won_at: Option<DateTime<Utc>>,
        #[graphql(name = "probabilityIsManual")]
        probability_manual: bool,
        #[sqlx(rename = "email_normalized")]
        #[column(emails)]
        email: Option<String>,
        #[graphql(skip)]
        company: i32,
        #[column(secret)]
        token_hash: String,
    }

    #[test]
    fn a_field_follows_from_its_column() {
        check::<Deal>();
        let column = |name| match Deal::projected(name) {
            Some(Projected::Value(_, column)) => Some(column),
            _ => None,
        };
        assert_eq!(column("wonAt"), Some("won_at"));
        assert_eq!(column("probabilityIsManual"), Some("probability_manual"));
        assert_eq!(column("email"), Some("email_normalized"));
        assert_eq!(column("company"), None, "skipped");
        assert_eq!(column("tokenHash"), None, "nobody is shown a secret");
        assert_eq!(Deal::EMAIL, crate::access::Sensitivity::Emails);
    }
}
