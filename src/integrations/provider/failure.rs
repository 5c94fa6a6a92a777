//! Why a service did not do what was asked.

use std::time::Duration;

use crate::{base::error::Error, platform::outbound::SendError};

/// Why a service did not do what was asked. Messages are shown to who manages the account, and name nothing of what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderFailure {
    /// It does not take the credentials.
    Unauthorized,
    /// It wants to be left alone for so long, or the budget does.
    Limited(Duration),
    /// It does not know how far it was read any more: all has to be read again.
    CursorLost,
    /// It can't be reached, or is out of order: the same may work later.
    Unavailable {
        /// Why, for programs.
        code: &'static str,
        /// Why, for people.
        message: String,
    },
    /// It does not do that, however often it is asked.
    Refused {
        /// Why, for programs.
        code: &'static str,
        /// Why, for people.
        message: String,
    },
}

impl ProviderFailure {
    /// What it answered is not what it is known to answer.
    #[must_use]
    pub fn unreadable(what: impl std::fmt::Display) -> Self {
        Self::Unavailable {
            code: "ANSWER_UNREADABLE",
            message: format!("the answer of the service can't be read: {what}"),
        }
    }

    /// The code, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "UNAUTHORIZED",
            Self::Limited(_) => "RATE_LIMITED",
            Self::CursorLost => "CURSOR_LOST",
            Self::Unavailable { code, .. } | Self::Refused { code, .. } => code,
        }
    }

    /// What is wrong, for people.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::Unauthorized => "the service does not take the credentials".to_owned(),
            Self::Limited(pause) => {
                format!("the service may be asked again in {} s", pause.as_secs())
            }
            Self::CursorLost => "the service does not know any more how far it was read".to_owned(),
            Self::Unavailable { message, .. } | Self::Refused { message, .. } => message.clone(),
        }
    }

    /// The same to a caller who waits for the answer, about what they typed into a field.
    #[must_use]
    pub fn about(self, field: &'static str) -> Error {
        match self {
            Self::Unauthorized => Error::invalid(
                "CREDENTIALS_REFUSED",
                field,
                "the service does not take it: it is wrong, used up, or lacks permissions there",
            ),
            Self::Limited(pause) => Error::TooManyAttempts {
                retry_after_s: pause.as_secs().max(1),
            },
            Self::CursorLost | Self::Unavailable { .. } => Error::Unavailable("the service"),
            Self::Refused { code, message } => Error::invalid(code, field, message),
        }
    }
}

impl From<SendError> for ProviderFailure {
    fn from(error: SendError) -> Self {
        Self::Unavailable {
            code: error.code(),
            message: "the service can't be reached".to_owned(),
        }
    }
}
