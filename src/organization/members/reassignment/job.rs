//! The job that completes a reassignment, if the request that caused it did not, or its server died.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{ReassignmentStatus, SETTLED_AFTER, reassign_records};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
    },
    db::{Db, Tx},
    entity::OwnedKinds,
    jobs::{self, Done, Failure, Handler, Job, Policy, Run, When},
    organization::members::store,
};

/// When it begins: the request goes first, while its client waits.
const BEGINS_AFTER: Duration = Duration::from_secs(2);
/// How long it works for one member before others have their turn.
const TIME_SLICE: Duration = Duration::from_secs(5);
/// The pause when another server reassigns the same records, or some could not be reassigned.
const PAUSE: Duration = Duration::from_secs(2);

/// Reassigns the records of a member who leaves or changed teams.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReassignRecords {
    user: Uuid,
}

impl Job for ReassignRecords {
    const KIND: &'static str = "members.reassign_records";
    // There is no giving up: records would keep an owner who is gone, or be seen by a team that is none of theirs.
    const POLICY: Policy = Policy {
        attempts: u32::MAX,
        first_pause: PAUSE,
        longest_pause: Duration::from_secs(60),
        ..Policy::USUAL
    };

    fn unique_key(&self) -> Option<String> {
        Some(self.user.simple().to_string())
    }
}

/// Has the records of a member reassigned whose `moving` this unit of work has set. In the server's own name: whoever may
/// remove or move a member need not be able to change each of their records.
///
/// # Errors
/// The database.
pub(in crate::organization::members) async fn enqueue(tx: &mut Tx, user: UserId) -> Result<()> {
    let job = ReassignRecords { user: user.uuid() };
    jobs::enqueue_as_system(tx, &job, When::After(BEGINS_AFTER)).await?;
    Ok(())
}

/// Does [`ReassignRecords`].
pub struct ReassignmentHandler {
    db: Db,
    kinds: OwnedKinds,
}

impl ReassignmentHandler {
    /// For all kinds of records that have owners.
    #[must_use]
    pub fn new(db: Db, kinds: OwnedKinds) -> Self {
        Self { db, kinds }
    }
}

impl Handler for ReassignmentHandler {
    type Job = ReassignRecords;

    async fn run(&self, job: ReassignRecords, run: &Run) -> Result<Done, Failure> {
        let user = UserId::from_uuid(job.user);
        let until = Instant::now() + TIME_SLICE;
        let reassigned = reassign_records(&self.db, self.kinds, run.tenant(), user, until);
        match reassigned.await? {
            ReassignmentStatus::Done => {}
            ReassignmentStatus::Unfinished | ReassignmentStatus::Busy => {
                return Ok(Done::Again(PAUSE));
            }
        }
        let mut is_moving = false;
        let finished = run.finish(async |tx| {
            // Locked, so that who moves the member meanwhile finds the job gone, or this finds them moving.
            is_moving = store::lock_if_moving(tx, user).await?;
            match is_moving {
                true => Err(Error::Collided),
                false => Ok(Json::Null),
            }
        });
        match finished.await {
            // All records follow, and the change has to settle first.
            Err(_) if is_moving => Ok(Done::Again(SETTLED_AFTER.to_std().unwrap_or(PAUSE))),
            finished => finished,
        }
    }
}
