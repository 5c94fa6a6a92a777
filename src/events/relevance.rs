//! Whether an event is relevant to a subscriber: the rule of the policies, and the subscriber's filter, before and
//! after.

use async_graphql::Enum;
use serde::{Deserialize, Serialize};

use super::LoggedEvent;
use crate::{
    access::Actor,
    db::{Predicate, journal::EventKind, list::Table},
};

/// What happened to a record that is watched, as far as the watcher is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[graphql(name = "ChangeKind")]
pub enum Change {
    /// Nothing. All that happened until now has been told: sent once when the subscription is live, and from then on every
    /// 30 seconds at least, for as long as that is so. Where it is missing for longer, what you show may be stale.
    Synced,
    /// It came about.
    Created,
    /// It changed.
    Updated,
    /// It moved to another stage or another place on the board.
    Moved,
    /// It was won.
    Won,
    /// It was lost.
    Lost,
    /// It is under way again.
    Reopened,
    /// Its next action was done.
    NextActionCompleted,
    /// It was archived.
    Archived,
    /// It was restored from the archive.
    Restored,
    /// It is gone for good.
    Deleted,
    /// It was there before, and from now on it is yours to see and meets the filter.
    EnteredView,
    /// It is there still, and no longer yours to see or no longer meets the filter.
    LeftView,
}

impl From<EventKind> for Change {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Created => Self::Created,
            EventKind::Moved => Self::Moved,
            EventKind::Won => Self::Won,
            EventKind::Lost => Self::Lost,
            EventKind::Reopened => Self::Reopened,
            EventKind::NextActionCompleted => Self::NextActionCompleted,
            EventKind::Archived => Self::Archived,
            EventKind::Restored => Self::Restored,
            EventKind::Deleted => Self::Deleted,
            EventKind::Updated
            | EventKind::Suspended
            | EventKind::Resumed
            | EventKind::Resent
            | EventKind::Revoked
            | EventKind::Accepted
            | EventKind::Rotated => Self::Updated,
        }
    }
}

/// Which records are watched.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The kind as events name it, for example `opportunity`.
    pub entity: &'static str,
    /// Their table.
    pub table: Table,
    /// Which of them.
    pub filter: Predicate,
}

/// What a subscriber is notified of for an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relevance {
    /// This, or nothing.
    Known(Option<Change>),
    /// It depends on whether the record meets the filter now, which only the database knows.
    Depends {
        /// When it does.
        met: Change,
        /// When it does not.
        unmet: Option<Change>,
    },
}

impl Watched {
    /// What an actor is notified of for an event. The record itself is read from Postgres; this decides whether the
    /// actor is notified at all, so it follows the row scope of the policies: the substring rule on `visible_to`,
    /// before and after.
    #[must_use]
    pub fn relevance(&self, actor: &Actor, event: &LoggedEvent) -> Relevance {
        if event.entity != self.entity {
            return Relevance::Known(None);
        }
        let sees = |visible_to: &Option<String>| {
            let visible_to = visible_to.as_deref();
            visible_to.is_some_and(|visible_to| actor.sees_row(self.table.access, visible_to))
        };
        let was = match sees(&event.visible_before) {
            true => self.filter.judge(&event.record_before()),
            false => Some(false),
        };
        let is = match sees(&event.visible_after) {
            true => self.filter.judge(&event.record),
            false => Some(false),
        };
        let came = match event.visible_before {
            Some(_) => Change::EnteredView,
            None => Change::from(event.kind),
        };
        let went = match event.visible_after {
            Some(_) => Change::LeftView,
            None => Change::Deleted,
        };
        // Whether it was in view is not always known. Then it counts as if it was: notifying twice of a change or a
        // loss does no harm, and missing one would.
        let met = match was {
            Some(false) => came,
            Some(true) | None => event.kind.into(),
        };
        let unmet = (was != Some(false)).then_some(went);
        match is {
            Some(true) => Relevance::Known(Some(met)),
            Some(false) => Relevance::Known(unmet),
            None => Relevance::Depends { met, unmet },
        }
    }

    /// Whether the actor could see the record before, by their rights alone.
    #[must_use]
    pub fn was_seen(&self, actor: &Actor, event: &LoggedEvent) -> bool {
        let before = event.visible_before.as_deref();
        before.is_some_and(|visible_to| actor.sees_row(self.table.access, visible_to))
    }
}
