//! Typed identifiers, so that a deal's id can't be passed where a contact's is meant.
//!
//! In the API an id reads `<type>:<uuid>`, for example `opportunity:01980f2e-…`: greppable in a log, and checked
//! for its type on the way in. In the database it is the bare uuid. New ids are version 7 (RFC 9562), so they sort
//! by creation; they are minted here and nowhere else.

use std::{fmt, str::FromStr};

use async_graphql::{
    ID, InputType, InputValueError, InputValueResult, OutputType, Value, registry,
};
use uuid::Uuid;

use super::entities::entities;

/// What an id in the API names: the part before the colon.
pub trait Typed: Copy + Send + Sync + 'static {
    /// The type prefix, for example `opportunity`.
    const PREFIX: &'static str;
    /// Wraps a bare uuid.
    fn from_uuid(id: Uuid) -> Self;
    /// The bare uuid.
    fn uuid(self) -> Uuid;
}

/// An id that is not of the form `<type>:<uuid>`, or of another type than expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id like {expected}:00000000-0000-0000-0000-000000000000")]
pub struct BadId {
    expected: &'static str,
}

/// Reads an id of the API.
///
/// # Errors
/// [`BadId`] when the prefix is another type's or the rest is no uuid.
pub fn parse<T: Typed>(text: &str) -> Result<T, BadId> {
    let bad = BadId {
        expected: T::PREFIX,
    };
    let (prefix, rest) = text.split_once(':').ok_or(bad.clone())?;
    if prefix != T::PREFIX || rest.len() != 36 {
        return Err(bad);
    }
    Uuid::from_str(rest).map(T::from_uuid).map_err(|_| bad)
}

/// Mints a time-ordered uuid for something that has no id in the API.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that mints ids")]
pub fn mint() -> Uuid {
    Uuid::now_v7()
}

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Mints a new, time-ordered id.
            #[must_use]
            pub fn new() -> Self {
                Self(mint())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl Typed for $name {
            const PREFIX: &'static str = $prefix;
            fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }
            fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, ":{}"), self.0.hyphenated())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                parse(text)
            }
        }

        // In the schema every id is the built-in `ID`; only the Rust side tells them apart.
        impl InputType for $name {
            type RawValueType = Self;
            fn type_name() -> std::borrow::Cow<'static, str> {
                <ID as InputType>::type_name()
            }
            fn create_type_info(registry: &mut registry::Registry) -> String {
                <ID as InputType>::create_type_info(registry)
            }
            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                match value {
                    Some(Value::String(text)) => parse(&text)
                        .map_err(|bad| InputValueError::custom(bad).with_extension("code", "INVALID_ID")),
                    other => Err(InputValueError::expected_type(other.unwrap_or_default())),
                }
            }
            fn to_value(&self) -> Value {
                Value::String(self.to_string())
            }
            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }

        impl OutputType for $name {
            fn type_name() -> std::borrow::Cow<'static, str> {
                <ID as OutputType>::type_name()
            }
            fn create_type_info(registry: &mut registry::Registry) -> String {
                <ID as OutputType>::create_type_info(registry)
            }
            async fn resolve(
                &self,
                _: &async_graphql::ContextSelectionSet<'_>,
                _: &async_graphql::Positioned<async_graphql::parser::types::Field>,
            ) -> async_graphql::ServerResult<Value> {
                Ok(Value::String(self.to_string()))
            }
        }
    )*};
}

macro_rules! entity_ids {
    ($($section:ident { $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )* })*) => {
        typed_ids! { $($( $(#[$doc])* $id = $prefix; )*)* }
    };
}
entities!(entity_ids);

// What is no record of a tenant by itself.
typed_ids! {
    /// A tenant.
    TenantId = "tenant";
    /// A person, the same in every tenant.
    UserId = "user";
    /// A signed-in device.
    SessionId = "session";
    /// An entry of the audit log.
    AuditEntryId = "auditEntry";
    /// A way to reach a contact.
    ContactMethodId = "contactMethod";
    /// A job.
    JobId = "job";
    /// Something that is sent to a server elsewhere.
    WebhookDeliveryId = "webhookDelivery";
    /// One entry of an opportunity's stage history.
    StageChangeId = "stageChange";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_type_is_refused() {
        let id = CompanyId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(ContactId::from_str(&id.to_string()).is_err());
        assert!(CompanyId::from_str("company:{01980f2e-0000-7000-8000-000000000000}").is_err());
        assert!(CompanyId::from_str("company:01980f2e000070008000000000000000").is_err());
    }
}
