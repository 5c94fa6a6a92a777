//! The background task that completes reassignments left unfinished by a request, or by a server that died.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{ReassignmentStatus, SETTLED_AFTER, reassign_records};
use crate::{
    base::{
        error::Result,
        ids::{TenantId, UserId},
    },
    db::{Db, Sql, SystemReason},
    entity::OwnedKinds,
};

/// The interval between two polls.
const PAUSE: Duration = Duration::from_secs(2);
/// How long it works for one member before it continues with the next.
const TIME_SLICE: Duration = Duration::from_secs(5);
/// The members of one poll at the most.
const PEOPLE: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Moving {
    tenant_id: TenantId,
    user_id: UserId,
    updated_at: Option<DateTime<Utc>>,
}

type Reassigned = HashMap<(TenantId, UserId), Option<DateTime<Utc>>>;

/// Reassigns records until stopped.
pub async fn run(db: Db, kinds: OwnedKinds, stop: CancellationToken) {
    let mut reassigned = Reassigned::new();
    loop {
        let round = async {
            tokio::time::sleep(PAUSE).await;
            round(&db, kinds, &mut reassigned).await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            done = round => {
                if let Err(error) = done {
                    tracing::warn!(%error, "records could not be reassigned, trying again");
                }
            }
        }
    }
}

/// One poll. Members whose records were completed are skipped until the change has settled.
async fn round(db: &Db, kinds: OwnedKinds, reassigned: &mut Reassigned) -> Result<()> {
    let moving = moving(db).await?;
    let now = db.clock().now();
    reassigned.retain(|key, _| {
        moving
            .iter()
            .any(|person| (person.tenant_id, person.user_id) == *key)
    });
    for person in moving {
        let key = (person.tenant_id, person.user_id);
        let settles = person.updated_at.is_some_and(|at| now - at < SETTLED_AFTER);
        if settles && reassigned.get(&key) == Some(&person.updated_at) {
            continue;
        }
        let until = Instant::now() + TIME_SLICE;
        match reassign_records(db, kinds, person.tenant_id, person.user_id, until).await {
            Ok(ReassignmentStatus::Done) => _ = reassigned.insert(key, person.updated_at),
            Ok(ReassignmentStatus::Unfinished | ReassignmentStatus::Busy) => {}
            Err(error) => {
                tracing::warn!(%error, "the records of a member could not be reassigned, trying again")
            }
        }
    }
    Ok(())
}

/// Nothing is written in a suspended tenant, so its members wait until it is active again.
async fn moving(db: &Db) -> Result<Vec<Moving>> {
    let mut tx = db.system(SystemReason::Placement).await?;
    tx.all(
        Sql::new(
            "SELECT m.tenant_id, m.user_id, m.updated_at FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id \
             WHERE m.moving AND t.status = 'ACTIVE' LIMIT ",
        )
        .bind(PEOPLE),
    )
    .await
}
