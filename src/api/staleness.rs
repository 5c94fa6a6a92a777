//! Queries that may be somewhat old: their callers say so by `max-age`, and how far they have seen by a position.
//!
//! Such a query is answered from the response cache if that has an answer which was right so long ago, or else by the
//! replica. Only what follows from records alone goes there: what a person is, has and may comes from the primary, and
//! so does a cursor of the event log, from which a subscription goes on.

use std::{sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{
    Api,
    execute::Answered,
    response_cache::{CacheDirective, CacheRequest, Looked},
};
use crate::{
    access::Actor,
    db::{Fallback, Freshness, journal::Origin},
    events::Versions,
};

/// How far a client has seen of its tenant, as it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Seen {
    /// It does not say.
    Untold,
    /// It has seen nothing yet, and wants to be told how far an answer is.
    Nothing,
    /// Up to this event.
    UpTo(i64),
    /// It says what can't be understood: only the primary shows all that it may have seen.
    Anything,
}

impl Seen {
    /// Whether it is to be told how far an answer is.
    pub(super) fn is_told(self) -> bool {
        self != Self::Untold
    }

    /// The event whose effect an answer has to show; none if only the primary will do.
    fn required(self) -> Option<Option<i64>> {
        match self {
            Self::Untold | Self::Nothing => Some(None),
            Self::UpTo(seq) => Some(Some(seq)),
            Self::Anything => None,
        }
    }
}

/// Where an answer was read that may be somewhat old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadFrom {
    /// On the replica, as it was so many whole seconds ago.
    Replica { age: u64 },
    /// On the primary, although the replica might have been asked.
    Primary(Fallback),
}

/// How long ago an answer may have been right, if that may be at all.
pub(super) fn allowed(directive: CacheDirective) -> Option<Duration> {
    match directive {
        CacheDirective::MaxAge(age) => Some(age).filter(|age| !age.is_zero()),
        CacheDirective::NoCache | CacheDirective::NoStore => None,
    }
}

impl Api {
    /// Answers a query from the replica, with what the cache has of the state that it shows.
    ///
    /// # Errors
    /// Why the primary has to, if the replica might have been asked.
    pub(super) async fn answer_from_replica(
        &self,
        actor: &Arc<Actor>,
        (request, looked): (CacheRequest<'_>, &Looked<'_>),
        origin: &Origin,
    ) -> Result<Answered, Option<Fallback>> {
        let prepared = request.prepared;
        let (Some(age), Some(seen)) = (allowed(request.directive), request.seen.required()) else {
            return Err(None);
        };
        if self.db.replica_state().is_none() || !looked.follows_from_records {
            return Err(None);
        }
        let freshness = Freshness::Within { age, seen };
        let session = self.db.read_session_with(Arc::clone(actor), freshness);
        let Some(point) = session.replica().await else {
            return Err(session.fallback());
        };
        let versions = Arc::new(Versions::at(&point));
        let age = point.as_of.elapsed().as_secs();
        self.response_cache
            .note_versions(actor.tenant, point.as_of, &versions);
        // Of an answer that concerns another person there is a second try, for which the primary will do.
        let session = Mutex::new(Some(session));
        let execute = || async {
            let session = session.lock().await.take();
            self.execute_once(actor, prepared, origin, session).await
        };
        let is_exact = request.seen.is_told();
        let of = (&*versions, age, is_exact);
        match self.response_cache.respond_at(looked, of, execute).await {
            Ok(answered) => Ok(Answered {
                read: Some(ReadFrom::Replica { age }),
                seq: Some(point.last_seq).filter(|_| is_exact),
                ..answered
            }),
            Err(why) => Err(Some(why)),
        }
    }
}
