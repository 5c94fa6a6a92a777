//! A tenant's event log as this server follows it: read once, for all subscribers.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{Epoch, EventCursor, LoggedEvent, logged};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Db, journal::Hints},
};

/// Events that are buffered: a reader that is no further behind than this costs no statement.
const BUFFERED: usize = 256;

/// How long a poll of the log counts as current. The hub polls every two seconds.
const POLL_VALID_FOR: Duration = Duration::from_secs(8);

/// Why the log can't be read from a position.
#[derive(Debug, Clone)]
pub enum FeedError {
    /// What came after it is gone, or belongs to another history: the reader has to start over.
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
    hinted: watch::Receiver<i64>,
    recent: Mutex<Recent>,
    /// One reader at a time; the others find what it read.
    reading: tokio::sync::Mutex<()>,
    last_poll: Mutex<LastPoll>,
    is_over: AtomicBool,
}

/// The end of the log at the last poll, and when that was.
#[derive(Debug, Clone, Copy)]
struct LastPoll {
    at: Instant,
    last_seq: i64,
}

impl LastPoll {
    /// Whether a reader at a position has all that there was a moment ago.
    fn is_current(self, position: i64, now: Instant) -> bool {
        position >= self.last_seq && now.duration_since(self.at) <= POLL_VALID_FOR
    }
}

/// The latest events: all from after a number on.
struct Recent {
    after: i64,
    events: VecDeque<Arc<LoggedEvent>>,
}

impl Recent {
    fn end(&self) -> i64 {
        self.after + self.events.len() as i64
    }

    /// The events after a number, if they are buffered.
    fn after(&self, seq: i64) -> Option<Vec<Arc<LoggedEvent>>> {
        let skipped = usize::try_from(seq - self.after).ok()?;
        Some(self.events.iter().skip(skipped).cloned().collect())
    }

    fn extend(&mut self, events: &[Arc<LoggedEvent>]) {
        self.events.extend(events.iter().cloned());
        while self.events.len() > BUFFERED {
            self.events.pop_front();
            self.after += 1;
        }
    }
}

impl Feed {
    /// Begins to follow at the end of the log: listens first, so that nothing falls between.
    pub(super) async fn open(db: &Db, hints: &Hints, tenant: TenantId) -> Result<Self> {
        let hinted = hints.listen(tenant);
        let at = Instant::now();
        let head = logged::heads(db, vec![tenant]).await?.pop();
        let head = head.ok_or(Error::NotFound {
            kind: "tenant",
            field: "id",
        })?;
        // A client that resumes from an older position need not wait for the next hint.
        hints.hear(tenant, head.last_seq);
        Ok(Self {
            tenant,
            db: db.clone(),
            hints: hints.clone(),
            epoch: head.epoch,
            hinted,
            recent: Mutex::new(Recent {
                after: head.last_seq,
                events: VecDeque::new(),
            }),
            reading: tokio::sync::Mutex::default(),
            last_poll: Mutex::new(LastPoll {
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

    /// The cursor of a position.
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
        // Another server may have delivered more to the client than this one knows of.
        if cursor.seq > self.position() && cursor.seq > *self.hinted.borrow() {
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
    pub async fn read(&self, after: i64) -> Result<Vec<Arc<LoggedEvent>>, FeedError> {
        let found = self.buffered(after)?;
        if !found.is_empty() || !self.has_grown(after) {
            return Ok(found);
        }
        let reading = self.reading.lock().await;
        let end = self.position();
        if after > end {
            // A faster server has brought this reader ahead of our feed.
            drop(reading);
            return self.contiguous(after).await;
        }
        let found = self.buffered(after)?;
        if !found.is_empty() {
            return Ok(found);
        }
        if after < end {
            drop(reading);
            return self.contiguous(after).await;
        }
        let claimed = *self.hinted.borrow();
        let events = self.contiguous(end).await?;
        if events.is_empty() {
            // Hints are not proof. This one named an event that does not exist, and must not be followed again.
            self.hints.correct(self.tenant, claimed, end);
        }
        self.recent().extend(&events);
        Ok(events)
    }

    /// Takes in how far the log is, from whoever has read it.
    pub fn hear(&self, seq: i64) {
        self.hints.hear(self.tenant, seq);
    }

    /// Waits until there is an event after a number, or the feed is over.
    pub async fn wait_past(&self, after: i64) {
        let mut hinted = self.hinted.clone();
        let is_past = |known: &i64| *known > after;
        // An error means that the hints for this feed are over, and so is the feed.
        _ = hinted.wait_for(is_past).await;
    }

    /// Whether a reader at a position has all that there was a moment ago, according to the database.
    #[must_use]
    pub fn is_current(&self, position: i64) -> bool {
        !self.is_over() && self.last_poll().is_current(position, Instant::now())
    }

    /// Notes the end of the log at a poll.
    pub(super) fn note_poll(&self, at: Instant, last_seq: i64) {
        *self.last_poll() = LastPoll { at, last_seq };
    }

    /// Whether the log's history ended: a restore took some of it back.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// Ends the feed, for all that read from it or wait for more.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.hints.forget(self.tenant);
    }

    fn has_grown(&self, after: i64) -> bool {
        after < self.position() || *self.hinted.borrow() > after
    }

    fn buffered(&self, after: i64) -> Result<Vec<Arc<LoggedEvent>>, FeedError> {
        if self.is_over() {
            return Err(FeedError::Lost);
        }
        Ok(self.recent().after(after).unwrap_or_default())
    }

    /// Reads a page; the first event after a number has the next one, or it was dropped.
    async fn contiguous(&self, after: i64) -> Result<Vec<Arc<LoggedEvent>>, FeedError> {
        // Noted before the database is read: others may read on meanwhile.
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

    fn last_poll(&self) -> MutexGuard<'_, LastPoll> {
        self.last_poll
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_at_the_end_is_current_until_polls_stop() {
        let at = Instant::now();
        let last_poll = LastPoll { at, last_seq: 7 };
        for (position, now, is_current) in [
            (7, at, true),
            (8, at, true),
            (6, at, false),
            (7, at + POLL_VALID_FOR, true),
            (7, at + POLL_VALID_FOR + Duration::from_millis(1), false),
        ] {
            assert_eq!(
                last_poll.is_current(position, now),
                is_current,
                "{position}"
            );
        }
    }
}
