//! Bringing records to where their owner stands: to the successor of somebody who leaves, and into the new place in the
//! tree of teams of somebody who moved.
//!
//! A membership says by `moving` that this is not done. Whoever finds it so goes on with it, in small transactions
//! through the domains' own verbs, so that what hangs on a record follows and every change is told like any other.
//! Nothing is kept of how far it is: what still stands in the wrong place is what is left. So it may stop anywhere,
//! and two servers that are at it by accident do each other no harm.

mod background;

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use uuid::Uuid;

pub use background::run;

use super::{Member, MembershipStatus, store};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, UserId},
    },
    db::{
        Columns as _, Db, Registered as _,
        journal::{Event, EventKind, Origin},
    },
    entity::{OwnedKind, OwnedKinds},
};

/// How long a request works at it before it leaves the rest to the server.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Records of one transaction.
const BATCH: i64 = 25;
/// A record that was being made while its owner moved may have read the old place. Requests have ended by then.
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(30);

/// How far the placing of a person's records came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All stand where they belong.
    Done,
    /// The time was up, or some could not be moved: they are tried again later.
    Unfinished,
    /// Somebody else is at it.
    Busy,
}

/// Places the records of a person until all stand right or the time is up.
///
/// # Errors
/// The database.
pub async fn place(
    db: &Db,
    kinds: OwnedKinds,
    (tenant, user): (TenantId, UserId),
    until: Instant,
) -> Result<Outcome> {
    let mover = Mover {
        db,
        worker: std::sync::Arc::new(Actor::worker(tenant, "placement")),
        origin: Origin::process(format!("placement-{}", user.uuid())),
        user,
    };
    let mut all = true;
    for kind in kinds {
        match mover.place_kind(*kind, until).await? {
            Outcome::Done => {}
            Outcome::Unfinished if Instant::now() < until => all = false,
            other => return Ok(other),
        }
    }
    if all {
        mover.finish().await
    } else {
        Ok(Outcome::Unfinished)
    }
}

struct Mover<'a> {
    db: &'a Db,
    worker: std::sync::Arc<Actor>,
    origin: Origin,
    user: UserId,
}

impl Mover<'_> {
    async fn place_kind(&self, kind: &dyn OwnedKind, until: Instant) -> Result<Outcome> {
        let (mut after, mut size, mut all) = (Uuid::nil(), BATCH, true);
        loop {
            if Instant::now() >= until {
                return Ok(Outcome::Unfinished);
            }
            let mut trying = after;
            match self.place_some(kind, (after, size), &mut trying).await {
                Ok(None) => return Ok(Outcome::Busy),
                Ok(Some(placed)) => match placed.last() {
                    Some(last) => (after, size) = (*last, BATCH),
                    None => break,
                },
                // One of them can't be moved now: find out which, and go on behind it.
                Err(_) if size > 1 => size = 1,
                Err(error) if trying != after => {
                    tracing::warn!(%error, kind = kind.name(), id = %trying, "a record was not placed, it is tried again");
                    (after, all) = (trying, false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(if all {
            Outcome::Done
        } else {
            Outcome::Unfinished
        })
    }

    /// Places the next records of a kind; `None` when somebody else is at it, or nothing is to be done any more.
    async fn place_some(
        &self,
        kind: &dyn OwnedKind,
        page: (Uuid, i64),
        trying: &mut Uuid,
    ) -> Result<Option<Vec<Uuid>>> {
        let placed = self.db.write(&self.worker, &self.origin, async |tx| {
            let Some(member) = store::lock_moving(tx, self.user).await? else {
                return Ok(None);
            };
            let successor = successor(&member);
            let stays_at = successor.is_none().then_some(member.team_path.as_deref());
            let ids = kind.next(tx, self.user, stays_at, page).await?;
            let people = (self.user, successor.unwrap_or(self.user));
            for id in &ids {
                *trying = *id;
                kind.reassign(tx, *id, people).await?;
            }
            Ok(Some(ids))
        });
        placed.await
    }

    /// Ends it: who leaves is no member any more, who moved stands in the new place.
    async fn finish(&self) -> Result<Outcome> {
        let ended = self.db.write(&self.worker, &self.origin, async |tx| {
            let Some(member) = store::lock_moving(tx, self.user).await? else {
                return Ok(Outcome::Busy);
            };
            if member.status == MembershipStatus::Leaving {
                store::delete(tx, &member).await?;
                tx.emit(Event::of_all(
                    EventKind::Deleted,
                    (Member::KIND, Member::PARTS),
                    (member.user_id.uuid(), member.version + 1),
                    (Some(member.told()), None),
                ));
                return Ok(Outcome::Done);
            }
            let changed_at = store::changed_at(tx, self.user).await?;
            if changed_at.is_none_or(|at| tx.now() - at >= SETTLED_AFTER) {
                store::settle(tx, self.user).await?;
            }
            Ok(Outcome::Done)
        });
        match ended.await {
            // Something was given to them in the last moment.
            Err(Error::Invalid { code: "IN_USE", .. }) => Ok(Outcome::Unfinished),
            ended => ended,
        }
    }
}

/// Who takes over; nobody for somebody who stays.
fn successor(member: &Member) -> Option<UserId> {
    match member.status {
        MembershipStatus::Leaving => member.successor_id,
        MembershipStatus::Active | MembershipStatus::Suspended => None,
    }
}
