//! Where a request comes from, and what its units of work have in common.

use std::{
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use super::{Committed, IdempotencyClaim};
use crate::base::error::Error;

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
    committed: Option<Committed>,
    has_written: AtomicBool,
    is_in_doubt: AtomicBool,
    lost: OnceLock<&'static str>,
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

    /// Under an idempotency key whose mutation is committed: nothing is done again, only its answer is rebuilt.
    #[must_use]
    pub fn committed(claim: IdempotencyClaim, committed: Committed) -> Self {
        Self {
            committed: Some(committed),
            ..Self::under(Some(claim))
        }
    }

    /// What was committed before this request, which rebuilds its answer and must not write.
    #[must_use]
    pub fn to_rebuild(&self) -> Option<&Committed> {
        self.committed.as_ref()
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

    /// Whether it is not known of one of them if it was committed.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        self.is_in_doubt.load(Ordering::Relaxed)
    }

    /// Why the answer can't be rebuilt, and what the client does instead.
    #[must_use]
    pub fn lost(&self) -> Option<&'static str> {
        self.lost.get().copied()
    }

    /// Notes that the answer can't be rebuilt.
    pub(crate) fn note_lost(&self, why: &'static str) -> Error {
        Error::AnswerLost(self.lost.get_or_init(|| why))
    }

    pub(in crate::db) fn note_committing(&self) {
        self.has_written.store(true, Ordering::Relaxed);
        self.is_in_doubt.store(true, Ordering::Relaxed);
    }

    /// Notes that one of them was committed, and its last event if it has any.
    pub(in crate::db) fn note_committed(&self, seq: Option<i64>) {
        self.is_in_doubt.store(false, Ordering::Relaxed);
        self.last_seq.fetch_max(seq.unwrap_or(0), Ordering::Relaxed);
    }
}
