//! How kinds of jobs are done, and how an attempt ends.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use super::{Job, Policy, Run};
use crate::base::error::Error;

/// Does the jobs of a kind. It has what it needs for that; what the job is about comes with each.
pub trait Handler: Send + Sync + 'static {
    /// The kind.
    type Job: Job;

    /// Does one.
    fn run(&self, job: Self::Job, run: &Run) -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// What an attempt that went well leaves.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The job is to end with this result, which whoever caused it is shown.
    With(Json),
    /// [`Run::finish`] has ended it already, in the transaction of its last unit of work.
    Finished,
    /// There is more to do, after so long: not a failure, and not counted as an attempt.
    Again(Duration),
}

impl Done {
    /// Without a result.
    #[must_use]
    pub fn quietly() -> Self {
        Self::With(Json::Null)
    }
}

/// Why an attempt did not go well. Whoever caused the job is shown code and message.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What is wrong, for programs.
    pub code: &'static str,
    /// What is wrong, for people; without secrets, and without what the server alone should know.
    pub message: String,
    /// Whether the same again may go well.
    pub is_lasting: bool,
    /// When the other side wants to be asked again, if it said so (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// One that another attempt may not have.
    pub fn passing(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            is_lasting: false,
            retry_after: None,
        }
    }

    /// One that every attempt would have.
    pub fn lasting(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            is_lasting: true,
            ..Self::passing(code, message)
        }
    }

    /// The same, tried again no sooner than after so long.
    #[must_use]
    pub fn after(self, pause: Duration) -> Self {
        Self {
            retry_after: Some(pause),
            ..self
        }
    }
}

impl From<Error> for Failure {
    /// What the caller could mend by other input is lasting; what went wrong around it passes.
    fn from(error: Error) -> Self {
        let is_lasting = match &error {
            Error::TakenOver => {
                return Self::passing("LEASE_LOST", "another worker has the job by now");
            }
            // A job of a suspended tenant waits until that is resumed.
            Error::Conflict { .. } | Error::TooManyAttempts { .. } | Error::TenantSuspended => {
                false
            }
            other => other.is_users() || matches!(other, Error::Unauthenticated(_)),
        };
        Self {
            code: error.code(),
            message: error.to_string(),
            is_lasting,
            retry_after: None,
        }
    }
}

/// A handler of whatever kind.
pub(super) trait AnyHandler: Send + Sync {
    fn policy(&self) -> Policy;
    fn run<'a>(&'a self, arguments: Json, run: &'a Run) -> BoxFuture<'a, Result<Done, Failure>>;
}

impl<H: Handler> AnyHandler for H {
    fn policy(&self) -> Policy {
        H::Job::POLICY
    }

    fn run<'a>(&'a self, arguments: Json, run: &'a Run) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(async move {
            let job = serde_json::from_value(arguments).map_err(|error| {
                tracing::error!(%error, "what a job is about can't be read");
                Failure::lasting(
                    "UNREADABLE",
                    "what the job is about can't be read by this version",
                )
            })?;
            Handler::run(self, job, run).await
        })
    }
}

/// The kinds that a server does.
#[derive(Clone, Default)]
pub struct Handlers(BTreeMap<&'static str, Arc<dyn AnyHandler>>);

impl Handlers {
    /// With another kind.
    ///
    /// # Panics
    /// Two handlers of one kind.
    #[must_use]
    pub fn with<H: Handler>(mut self, handler: H) -> Self {
        let kind = H::Job::KIND;
        let former = self.0.insert(kind, Arc::new(handler));
        assert!(former.is_none(), "two handlers of {kind}");
        self
    }

    pub(super) fn get(&self, kind: &str) -> Option<(&'static str, Arc<dyn AnyHandler>)> {
        let (kind, handler) = self.0.get_key_value(kind)?;
        Some((kind, Arc::clone(handler)))
    }

    /// Their names.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        self.0.keys().copied().collect()
    }

    /// How many of a tenant may run at a time, of those of which not any number may.
    pub(super) fn limits(&self) -> Vec<(&'static str, u32)> {
        let limits = self.0.iter().map(|(kind, handler)| {
            let limit = handler.policy().per_tenant?;
            Some((*kind, limit))
        });
        limits.flatten().collect()
    }
}

impl std::fmt::Debug for Handlers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
