//! Ownership propagation: the records of a member who leaves go to the successor, and those of a member who changes
//! teams follow into the new team's path.
//!
//! A membership whose `moving` is set has records to reassign. The request that set it begins, and a job
//! continues, in small transactions through the domains' own verbs, so that dependent rows follow and
//! every change emits its event. No progress is stored: the records with a wrong owner or team path are those that
//! remain. So it may be interrupted anywhere, and two servers that work on the same member do no harm.

mod adopt;
mod job;

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::Instant;
use uuid::Uuid;

pub use adopt::{adopt, run};
pub(super) use job::enqueue;
pub use job::{ReassignRecords, ReassignmentHandler};

use super::{Member, MembershipStatus, store};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, UserId},
    },
    db::{
        Db,
        journal::{Event, EventKind, EventSubject, Origin},
    },
    entity::{IdPage, OwnedKind, OwnedKinds},
};

/// How long a request reassigns records before it leaves the rest to the job.
pub const REQUEST_TIME: Duration = Duration::from_secs(3);
/// Records per transaction.
const BATCH: i64 = 25;
/// A record created while its owner changed teams may have read the old team path. Such requests have ended by then.
const SETTLED_AFTER: TimeDelta = TimeDelta::seconds(30);

/// How far the reassignment of a member's records came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReassignmentStatus {
    /// All records have the right owner and team path.
    Done,
    /// The time was up, or some records could not be reassigned: they are tried again later.
    Unfinished,
    /// Another request or server is reassigning them.
    Busy,
}

/// Reassigns the records of a member until none remains or the time is up.
///
/// # Errors
/// The database.
pub async fn reassign_records(
    db: &Db,
    kinds: OwnedKinds,
    tenant: TenantId,
    user: UserId,
    until: Instant,
) -> Result<ReassignmentStatus> {
    let reassigner = Reassigner {
        db,
        worker: std::sync::Arc::new(Actor::worker(tenant, "placement")),
        origin: Origin::process(format!("placement-{}", user.uuid())),
        user,
    };
    let mut all = true;
    for kind in kinds {
        match reassigner.reassign_kind(*kind, until).await? {
            ReassignmentStatus::Done => {}
            ReassignmentStatus::Unfinished if Instant::now() < until => all = false,
            other => return Ok(other),
        }
    }
    if all {
        reassigner.finish().await
    } else {
        Ok(ReassignmentStatus::Unfinished)
    }
}

struct Reassigner<'a> {
    db: &'a Db,
    worker: std::sync::Arc<Actor>,
    origin: Origin,
    user: UserId,
}

impl Reassigner<'_> {
    async fn reassign_kind(
        &self,
        kind: &dyn OwnedKind,
        until: Instant,
    ) -> Result<ReassignmentStatus> {
        let (mut after, mut size, mut all) = (Uuid::nil(), BATCH, true);
        loop {
            if Instant::now() >= until {
                return Ok(ReassignmentStatus::Unfinished);
            }
            let mut trying = after;
            let page = IdPage { after, limit: size };
            match self.reassign_batch(kind, page, &mut trying).await {
                Ok(None) => return Ok(ReassignmentStatus::Busy),
                Ok(Some(reassigned)) => match reassigned.last() {
                    Some(last) => (after, size) = (*last, BATCH),
                    None => break,
                },
                // One record of the batch can't be reassigned now: find out which, and continue after it.
                Err(_) if size > 1 => size = 1,
                Err(error) if trying != after => {
                    tracing::warn!(%error, kind = kind.name(), id = %trying, "a record could not be reassigned, trying again");
                    (after, all) = (trying, false);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(if all {
            ReassignmentStatus::Done
        } else {
            ReassignmentStatus::Unfinished
        })
    }

    /// Reassigns the next records of a kind; `None` when another server holds the member's lock, or none remains.
    async fn reassign_batch(
        &self,
        kind: &dyn OwnedKind,
        page: IdPage,
        trying: &mut Uuid,
    ) -> Result<Option<Vec<Uuid>>> {
        let reassigned = self.db.write(&self.worker, &self.origin, async |tx| {
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
        reassigned.await
    }

    /// Completes it: a leaving member's membership is deleted, a moved member's `moving` is cleared.
    async fn finish(&self) -> Result<ReassignmentStatus> {
        let ended = self.db.write(&self.worker, &self.origin, async |tx| {
            let Some(member) = store::lock_moving(tx, self.user).await? else {
                return Ok(ReassignmentStatus::Busy);
            };
            if member.status == MembershipStatus::Leaving {
                store::delete(tx, &member).await?;
                tx.emit(Event::of_all(
                    EventKind::Deleted,
                    EventSubject::of::<Member>(member.user_id.uuid(), member.version + 1),
                    (Some(member.event_fields()), None),
                ));
                return Ok(ReassignmentStatus::Done);
            }
            let changed_at = store::changed_at(tx, self.user).await?;
            if changed_at.is_none_or(|at| tx.now() - at >= SETTLED_AFTER) {
                store::settle(tx, self.user).await?;
            }
            Ok(ReassignmentStatus::Done)
        });
        match ended.await {
            // A record was assigned to them in the meantime.
            Err(Error::Invalid { code: "IN_USE", .. }) => Ok(ReassignmentStatus::Unfinished),
            ended => ended,
        }
    }
}

/// Who takes the records over; `None` for a member who stays.
fn successor(member: &Member) -> Option<UserId> {
    match member.status {
        MembershipStatus::Leaving => member.successor_id,
        MembershipStatus::Active | MembershipStatus::Suspended => None,
    }
}
