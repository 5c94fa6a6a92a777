//! The one error of the domains: what went wrong in words a client can act on, and nothing internal.
//!
//! `Display` never prints a source; the whole chain of an internal fault is logged once, where it enters.

use std::sync::Arc;

/// A result of the domains.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. Cheap to clone, because a batch answers all who asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// No token, or one that is not valid (any more).
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The actor may see the record but not do this.
    #[error("you are not allowed to {0}")]
    Forbidden(&'static str),
    /// There is no such record, or it is hidden from the actor; which of both is not disclosed.
    #[error("there is no such {kind}")]
    NotFound {
        /// What was looked for, for example `opportunity`.
        kind: &'static str,
        /// The input field that named it.
        field: &'static str,
    },
    /// An input is not acceptable.
    #[error("{message}")]
    Invalid {
        /// What is wrong, for programs.
        code: &'static str,
        /// The input field, dotted when nested.
        field: String,
        /// What is wrong, for people.
        message: String,
    },
    /// The record was changed by another actor since it was read.
    #[error("this {kind} was changed in the meantime: it is at version {version} now")]
    Conflict {
        /// What was to be changed.
        kind: &'static str,
        /// The version the record has now.
        version: i32,
    },
    /// The tenant may be read and not changed.
    #[error("this tenant is suspended: it can be read, but nothing can be changed")]
    TenantSuspended,
    /// The tenant may be read until it is deleted.
    #[error("this tenant is about to be deleted: it can be read, but nothing can be changed")]
    TenantDeleting,
    /// More of something than the tenant may have.
    #[error("this tenant may have {limit} {what}, ask for a higher quota or remove some")]
    Quota {
        /// Of what, in the plural.
        what: &'static str,
        /// How many.
        limit: i64,
    },
    /// Tried too often.
    #[error("too many attempts, try again in {retry_after_s} s")]
    TooManyAttempts {
        /// When to try again, in seconds.
        retry_after_s: u64,
    },
    /// The tenant has so many requests running that this one was not admitted.
    #[error("your tenant has too much under way at once, try again in a moment")]
    Busy,
    /// What is to be answered takes more memory than an answer may.
    #[error("the answer is larger than allowed: ask for less")]
    TooLarge,
    /// The database gave up on a statement that ran for too long.
    #[error(
        "this took longer than the database allows and was given up: ask for less, or for what a filter finds sooner"
    )]
    TimedOut,
    /// Something that this server depends on does not answer.
    #[error("{0} does not answer, try again later")]
    Unavailable(&'static str),
    /// Postgres could not fit the transaction between others (a deadlock, a serialization failure): the same again may do.
    #[error("another change was in the way, try again")]
    Collided,
    /// Another request with the same idempotency key has taken over.
    #[error("another request with this idempotency key has taken over, ask again for its answer")]
    TakenOver,
    /// It was done before under the same idempotency key, and what it was answered can't be had again.
    #[error("this was done before and will not be done again, but its answer is lost: {0}")]
    AnswerLost(&'static str),
    /// A fault of ours. The source goes to the log only.
    #[error("an internal error occurred")]
    Internal(Arc<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An input that is not acceptable.
    pub fn invalid(
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            code,
            field: field.into(),
            message: message.into(),
        }
    }

    /// The same problem of a record that was named by another input field.
    #[must_use]
    pub fn about(self, field: &'static str) -> Self {
        match self {
            Self::NotFound { kind, .. } => Self::NotFound { kind, field },
            other => other,
        }
    }

    /// The same problem in a part of the input, `stages.1` for example.
    #[must_use]
    pub fn within(self, part: &str) -> Self {
        match self {
            Self::Invalid {
                code,
                field,
                message,
            } => Self::Invalid {
                code,
                field: match field.is_empty() {
                    true => part.to_owned(),
                    false => format!("{part}.{field}"),
                },
                message,
            },
            other => other,
        }
    }

    /// A fault of ours, logged here and once.
    pub fn internal(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let source: Box<dyn std::error::Error + Send + Sync> = source.into();
        tracing::error!(
            error = &*source as &(dyn std::error::Error + 'static),
            "internal error"
        );
        Self::Internal(Arc::from(source))
    }

    /// The stable code for programs, the same in `userErrors` and in `extensions.code`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated(_) => "UNAUTHENTICATED",
            Self::Forbidden(_) => "FORBIDDEN",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Invalid { code, .. } => code,
            Self::Conflict { .. } => "CONFLICT",
            Self::TenantSuspended => "TENANT_SUSPENDED",
            Self::TenantDeleting => "TENANT_DELETING",
            Self::Quota { .. } => "QUOTA_EXCEEDED",
            Self::TooManyAttempts { .. } => "TOO_MANY_ATTEMPTS",
            Self::Busy => "TENANT_BUSY",
            Self::TooLarge => "RESPONSE_TOO_LARGE",
            Self::TimedOut => "TIMEOUT",
            Self::Unavailable(_) | Self::Collided => "UNAVAILABLE",
            Self::TakenOver => "IDEMPOTENCY_IN_PROGRESS",
            Self::AnswerLost(_) => "IDEMPOTENCY_ANSWER_LOST",
            Self::Internal(_) => "INTERNAL",
        }
    }

    /// The input field the error is about, if it is about one.
    #[must_use]
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::NotFound { field, .. } => Some(field),
            Self::Conflict { .. } => Some("expectedVersion"),
            _ => None,
        }
    }

    /// Whether the client can mend it by other input: such errors are answered as data, the others as faults.
    #[must_use]
    pub fn is_users(&self) -> bool {
        matches!(
            self,
            Self::Forbidden(_)
                | Self::NotFound { .. }
                | Self::Invalid { .. }
                | Self::Conflict { .. }
                | Self::TenantSuspended
                | Self::TenantDeleting
                | Self::Quota { .. }
                | Self::TooManyAttempts { .. }
        )
    }
}
