//! Why an address is not asked, or does not answer.

/// An address that is not asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What is wrong, for programs.
    pub code: &'static str,
    /// What is wrong, for people.
    pub message: String,
}

impl Refused {
    /// What is not a web address that requests can be sent to.
    pub(super) fn invalid(message: &str) -> Self {
        let message = message.to_owned();
        Self {
            code: "INVALID_URL",
            message,
        }
    }

    /// A web address of a place that is not for tenants to name.
    pub(super) fn forbidden(message: &str) -> Self {
        let message = message.to_owned();
        Self {
            code: "ADDRESS_REFUSED",
            message,
        }
    }

    /// A name of which no address may be asked. Which ones it has is not told: they may be those of our network.
    pub(super) fn leads_inside() -> Self {
        Self::forbidden("this name has no address on the public internet")
    }
}

/// Why there is no answer, in words for the administrators of the tenant who named the address: nothing of our network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The address is not asked.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody knows the name.
    #[error("the name of the server is not known")]
    Unresolved,
    /// There is no connection.
    #[error("the server takes no connection")]
    Unreachable,
    /// There is no encrypted connection that can be trusted.
    #[error("the server has no certificate that is valid for this name, or does not speak TLS")]
    Tls,
    /// The whole of it took too long.
    #[error("the server did not answer in time")]
    TimedOut,
    /// What came is no answer of HTTP, or ended too soon.
    #[error("the server did not answer as HTTP asks for")]
    Broken,
}

impl SendError {
    /// What is wrong, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refused) => refused.code,
            Self::Unresolved => "UNRESOLVED",
            Self::Unreachable => "UNREACHABLE",
            Self::Tls => "TLS",
            Self::TimedOut => "TIMED_OUT",
            Self::Broken => "BROKEN",
        }
    }
}

/// Settings that no client can be made of.
#[derive(Debug, thiserror::Error)]
pub enum BadOutbound {
    /// The proxy's address is none, or the machine has no certificates to trust.
    #[error("requests to addresses of tenants can't be sent like this")]
    Client(#[from] reqwest::Error),
    /// Names can't be resolved.
    #[error("names of servers can't be resolved")]
    Resolver(#[from] hickory_resolver::net::NetError),
}
