//! Where a request comes from, and what its units of work have in common.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use super::IdempotencyClaim;

/// Where a request comes from: what log lines and audit entries say of it.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// Ties the answer, the log and the audit trail together: the client's own, if sane, else a new one.
    pub request_id: String,
    /// The client's address, as far as it is known.
    pub address: Option<IpAddr>,
    /// The client's `user-agent`, shortened.
    pub user_agent: Option<String>,
    /// What the units of work of one mutation have in common.
    pub work: Option<Arc<RequestWork>>,
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

/// What the units of work of one mutation have in common.
#[derive(Debug, Default)]
pub struct RequestWork {
    /// The idempotency key that they are done under, if there is one.
    pub claim: Option<IdempotencyClaim>,
    has_written: AtomicBool,
    /// The last event of those that were committed; 0 while there is none.
    last_seq: AtomicI64,
}

impl RequestWork {
    /// Under an idempotency key, or none.
    #[must_use]
    pub fn under(claim: Option<IdempotencyClaim>) -> Self {
        Self {
            claim,
            ..Self::default()
        }
    }

    /// Whether one of them may have been committed.
    #[must_use]
    pub fn has_written(&self) -> bool {
        self.has_written.load(Ordering::Relaxed)
    }

    /// The last event of those that they have committed.
    #[must_use]
    pub fn last_seq(&self) -> Option<i64> {
        Some(self.last_seq.load(Ordering::Relaxed)).filter(|seq| *seq > 0)
    }

    pub(in crate::db) fn note_committed(&self, seq: i64) {
        self.last_seq.fetch_max(seq, Ordering::Relaxed);
    }

    pub(in crate::db) fn note_written(&self) {
        self.has_written.store(true, Ordering::Relaxed);
    }
}
