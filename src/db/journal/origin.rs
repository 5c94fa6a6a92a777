//! Where a request comes from.

use std::net::IpAddr;

/// Where a request comes from: what log lines and audit entries say of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Ties the answer, the log and the audit trail together: the client's own, if sane, else a new one.
    pub request_id: String,
    /// The client's address, as far as it is known.
    pub address: Option<IpAddr>,
    /// The client's `user-agent`, shortened.
    pub user_agent: Option<String>,
}

impl Origin {
    /// Of work that no request asked for, under a name.
    #[must_use]
    pub fn process(name: impl Into<String>) -> Self {
        Self {
            request_id: name.into(),
            ..Self::default()
        }
    }
}
