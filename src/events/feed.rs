//! A tenant's event log as this server follows it: read once, for all who watch.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{Epoch, EventCursor, Logged, logged};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Db, journal::Hints},
};

/// Events that are kept in memory: whoever is no further behind than this costs no statement.
const KEPT: usize = 256;

/// For so long the log counts as looked at. The hub does so every two seconds.
const LOOKED_AT_FOR: Duration = Duration::from_secs(8);

/// Why a place in the log can't be read on from.
#[derive(Debug, Clone)]
pub enum FeedError {
    /// What came after it is gone, or belongs to another history: the reader has to begin anew.
    Lost,
    /// The database.
    Failed(Error),
}

impl From<Error> for FeedError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// The log of one tenant, followed.
pub struct Feed {
    tenant: TenantId,
    db: Db,
    hints: Hints,
    epoch: Epoch,
    heard: watch::Receiver<i64>,
    recent: Mutex<Recent>,
    /// One reader at a time; the others find what it read.
    reading: tokio::sync::Mutex<()>,
    looked: Mutex<Looked>,
    is_over: AtomicBool,
}

/// How far the log was when the database was last asked, and when that was.
#[derive(Debug, Clone, Copy)]
struct Looked {
    at: Instant,
    last_seq: i64,
}

impl Looked {
    /// Whether whoever was told all up to a number knew all that there was a moment ago.
    fn is_current(self, told: i64, now: Instant) -> bool {
        told >= self.last_seq && now.duration_since(self.at) <= LOOKED_AT_FOR
    }
}

/// The latest events: all from after a number on.
struct Recent {
    after: i64,
    events: VecDeque<Arc<Logged>>,
}

impl Recent {
    fn end(&self) -> i64 {
        self.after + self.events.len() as i64
    }

    /// The events after a number, if they are kept.
    fn after(&self, seq: i64) -> Option<Vec<Arc<Logged>>> {
        let skipped = usize::try_from(seq - self.after).ok()?;
        Some(self.events.iter().skip(skipped).cloned().collect())
    }

    fn extend(&mut self, events: &[Arc<Logged>]) {
        self.events.extend(events.iter().cloned());
        while self.events.len() > KEPT {
            self.events.pop_front();
            self.after += 1;
        }
    }
}

impl Feed {
    /// Begins to follow at the end of the log: listens first, so that nothing falls between.
    pub(super) async fn open(db: &Db, hints: &Hints, tenant: TenantId) -> Result<Self> {
        let heard = hints.listen(tenant);
        let at = Instant::now();
        let head = logged::heads(db, vec![tenant]).await?.pop();
        let head = head.ok_or(Error::NotFound {
            kind: "tenant",
            field: "id",
        })?;
        // Whoever comes back with an older place need not wait for the next hint to be told what is there.
        hints.hear(tenant, head.last_seq);
        Ok(Self {
            tenant,
            db: db.clone(),
            hints: hints.clone(),
            epoch: head.epoch,
            heard,
            recent: Mutex::new(Recent {
                after: head.last_seq,
                events: VecDeque::new(),
            }),
            reading: tokio::sync::Mutex::default(),
            looked: Mutex::new(Looked {
                at,
                last_seq: head.last_seq,
            }),
            is_over: AtomicBool::new(false),
        })
    }

    /// Whose log it is.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The number of the last event that this server has read.
    #[must_use]
    pub fn position(&self) -> i64 {
        self.recent().end()
    }

    /// A place in the log as clients hold it.
    #[must_use]
    pub fn cursor(&self, seq: i64) -> EventCursor {
        EventCursor {
            epoch: self.epoch.clone(),
            seq,
        }
    }

    /// The position that a cursor names.
    ///
    /// # Errors
    /// [`FeedError::Lost`] for a cursor of another tenant, of before a restore, or of what never happened.
    pub async fn position_of(&self, cursor: &EventCursor) -> Result<i64, FeedError> {
        if cursor.epoch != self.epoch {
            return Err(FeedError::Lost);
        }
        // Another server may have told the client more than this one has heard of.
        if cursor.seq > self.position() && cursor.seq > *self.heard.borrow() {
            let head = logged::heads(&self.db, vec![self.tenant]).await?.pop();
            if head.is_none_or(|head| head.last_seq < cursor.seq) {
                return Err(FeedError::Lost);
            }
        }
        Ok(cursor.seq)
    }

    /// The events after a number, without holes; none when there are none yet.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn read(&self, after: i64) -> Result<Vec<Arc<Logged>>, FeedError> {
        let found = self.kept(after)?;
        if !found.is_empty() || !self.has_grown(after) {
            return Ok(found);
        }
        let reading = self.reading.lock().await;
        let end = self.position();
        if after > end {
            // Another server was quicker with this reader than we are with the log.
            drop(reading);
            return self.contiguous(after).await;
        }
        let found = self.kept(after)?;
        if !found.is_empty() {
            return Ok(found);
        }
        if after < end {
            drop(reading);
            return self.contiguous(after).await;
        }
        let claimed = *self.heard.borrow();
        let events = self.contiguous(end).await?;
        if events.is_empty() {
            // Hints are not proof. This one told of what is not there, and must not be believed again.
            self.hints.correct(self.tenant, claimed, end);
        }
        self.recent().extend(&events);
        Ok(events)
    }

    /// Waits until there is something after a number, or the feed is over.
    pub async fn wait_past(&self, after: i64) {
        let mut heard = self.heard.clone();
        let is_past = |known: &i64| *known > after;
        // An error means that the hints for this feed are over, and so is the feed.
        _ = heard.wait_for(is_past).await;
    }

    /// Whether whoever was told all up to a number knows all that there was a moment ago, by the word of the database.
    #[must_use]
    pub fn is_current(&self, told: i64) -> bool {
        !self.is_over() && self.looked().is_current(told, Instant::now())
    }

    /// Notes how far the log was when the database was asked.
    pub(super) fn looked_at(&self, at: Instant, last_seq: i64) {
        *self.looked() = Looked { at, last_seq };
    }

    /// Whether the log's history ended: a restore took some of it back.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Ends the feed: all who read from it or wait for more are told.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.hints.forget(self.tenant);
    }

    fn has_grown(&self, after: i64) -> bool {
        after < self.position() || *self.heard.borrow() > after
    }

    fn kept(&self, after: i64) -> Result<Vec<Arc<Logged>>, FeedError> {
        if self.is_over() {
            return Err(FeedError::Lost);
        }
        Ok(self.recent().after(after).unwrap_or_default())
    }

    /// Reads a page; the first event after a number has the next one, or it was dropped.
    async fn contiguous(&self, after: i64) -> Result<Vec<Arc<Logged>>, FeedError> {
        // Noted before the database is asked: others may read on meanwhile.
        let known = self.position();
        let events = logged::read(&self.db, self.tenant, after).await?;
        let is_whole = events
            .iter()
            .zip(after + 1..)
            .all(|(event, number)| event.seq == number);
        // What is known to have been there, and is not, was dropped too.
        if !is_whole || (events.is_empty() && after < known) {
            return Err(FeedError::Lost);
        }
        Ok(events)
    }

    fn looked(&self) -> MutexGuard<'_, Looked> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_all_that_there_was_is_current_until_nobody_looks_any_more() {
        let at = Instant::now();
        let looked = Looked { at, last_seq: 7 };
        for (told, now, is_current) in [
            (7, at, true),
            (8, at, true),
            (6, at, false),
            (7, at + LOOKED_AT_FOR, true),
            (7, at + LOOKED_AT_FOR + Duration::from_millis(1), false),
        ] {
            assert_eq!(looked.is_current(told, now), is_current, "{told}");
        }
    }
}
