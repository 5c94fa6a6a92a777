//! Why the server ended a subscription, in codes that say what the client is to do next.

use async_graphql::ServerError;
use serde_json::{Value as Json, json};

use crate::{base::error::Error, events::FeedError, platform::redis::Overdrawn};

/// Why a subscription ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The error code, for programs.
    pub(crate) code: String,
    /// The message, for people.
    pub(crate) message: String,
    /// Where to resume.
    pub(crate) cursor: Option<String>,
    /// In how many seconds to try again.
    pub(crate) retry_after: Option<u64>,
    /// The argument that it is about, or the part of one.
    pub(crate) field: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            cursor: None,
            retry_after: None,
            field: None,
        }
    }

    /// An error of the executor.
    pub(crate) fn of(error: &ServerError) -> Self {
        let code = error.extensions.as_ref().and_then(|more| more.get("code"));
        let code = match code {
            Some(async_graphql::Value::String(code)) => code.as_str(),
            _ => "INTERNAL",
        };
        Self::new(code, error.message.clone())
    }

    /// The client reads more slowly than events arrive.
    pub(crate) fn lagged(cursor: Option<String>) -> Self {
        let how = match cursor {
            Some(_) => "subscribe again after the cursor",
            None => "subscribe again",
        };
        let message = format!("messages come faster than they are taken: {how}");
        Self {
            cursor,
            ..Self::new("LAGGED", message)
        }
    }

    /// There are not enough points left to replay what came after a cursor.
    pub(crate) fn rate_limited(overdrawn: &Overdrawn, cursor: String) -> Self {
        let seconds = overdrawn.seconds();
        let available = overdrawn.balance.available;
        Self {
            cursor: Some(cursor),
            retry_after: Some(seconds),
            ..Self::new(
                "RATE_LIMITED",
                format!(
                    "what came after the cursor costs points, and {available} are left: go on after it in {seconds} s"
                ),
            )
        }
    }

    /// Rendering one event takes longer than it may.
    pub(crate) fn too_slow(cursor: String) -> Self {
        Self {
            cursor: Some(cursor),
            ..Self::new(
                "SUBSCRIPTION_TOO_SLOW",
                "its filter, or what it says of an event, takes too long: narrow it, and subscribe again after the cursor",
            )
        }
    }

    /// The client can't resume from where it was.
    pub(crate) fn resync(why: &str, cursor: Option<String>) -> Self {
        Self {
            cursor,
            ..Self::new(
                "RESYNC",
                format!(
                    "{why}: read what you show anew, and subscribe after the `eventCursor` of that"
                ),
            )
        }
    }

    /// The error that is sent.
    pub(crate) fn to_json(&self) -> Json {
        let mut extensions = json!({ "code": self.code });
        if let Some(cursor) = &self.cursor {
            extensions["cursor"] = json!(cursor);
        }
        if let Some(seconds) = self.retry_after {
            extensions["retryAfter"] = json!(seconds);
        }
        if let Some(field) = &self.field {
            extensions["field"] = json!(field);
        }
        json!({ "message": self.message, "extensions": extensions })
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<FeedError> for Failure {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Lost => {
                Self::resync("what came after the cursor is not kept any more", None)
            }
            FeedError::Failed(error) => error.into(),
        }
    }
}

/// Why a subscription was not opened: errors of the executor or the limits, or a failure.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The executor's errors.
    Errors(Vec<ServerError>),
    /// A failure.
    Failure(Failure),
}

impl Refused {
    /// The errors that are sent.
    pub(crate) fn to_json(&self) -> Json {
        match self {
            Self::Errors(errors) => json!(errors),
            Self::Failure(failure) => json!([failure.to_json()]),
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failure(error.into())
    }
}
