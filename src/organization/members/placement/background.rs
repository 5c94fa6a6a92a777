//! The server's own task that goes on with what requests left, or what a server that died left.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Outcome, SETTLED_AFTER, place};
use crate::{
    base::{
        error::Result,
        ids::{TenantId, UserId},
    },
    db::{Db, Sql, SystemReason},
    entity::OwnedKinds,
};

/// How often it looks whether there is something to do.
const PAUSE: Duration = Duration::from_secs(2);
/// How long it works for one person before it is the next one's turn.
const TURN: Duration = Duration::from_secs(5);
/// People at once that it looks at.
const PEOPLE: i64 = 1_000;

#[derive(sqlx::FromRow)]
struct Waiting {
    tenant_id: TenantId,
    user_id: UserId,
    updated_at: Option<DateTime<Utc>>,
}

type Placed = HashMap<(TenantId, UserId), Option<DateTime<Utc>>>;

/// Places records until told to stop.
pub async fn run(db: Db, kinds: OwnedKinds, stop: CancellationToken) {
    let mut placed = Placed::new();
    loop {
        let round = async {
            tokio::time::sleep(PAUSE).await;
            round(&db, kinds, &mut placed).await
        };
        tokio::select! {
            () = stop.cancelled() => return,
            done = round => {
                if let Err(error) = done {
                    tracing::warn!(%error, "records are not being placed, it is tried again");
                }
            }
        }
    }
}

/// One look at all who wait. Those whose records stand right already come again when the change has settled.
async fn round(db: &Db, kinds: OwnedKinds, placed: &mut Placed) -> Result<()> {
    let waiting = waiting(db).await?;
    let now = db.clock().now();
    placed.retain(|key, _| {
        waiting
            .iter()
            .any(|person| (person.tenant_id, person.user_id) == *key)
    });
    for person in waiting {
        let key = (person.tenant_id, person.user_id);
        let settles = person.updated_at.is_some_and(|at| now - at < SETTLED_AFTER);
        if settles && placed.get(&key) == Some(&person.updated_at) {
            continue;
        }
        match place(db, kinds, key, Instant::now() + TURN).await {
            Ok(Outcome::Done) => _ = placed.insert(key, person.updated_at),
            Ok(Outcome::Unfinished | Outcome::Busy) => {}
            Err(error) => tracing::warn!(%error, "records were not placed, it is tried again"),
        }
    }
    Ok(())
}

/// In a suspended tenant nothing is written, so its people wait until it is at work again.
async fn waiting(db: &Db) -> Result<Vec<Waiting>> {
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
