//! Idempotency keys: a mutation that is sent again under the same key is done once
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
//!
//! A request claims its key for as long as it may run. Each of its units of work notes in its own transaction that it has
//! written, and only while the claim is its own: so what was written and what the key says of it are committed together,
//! and a request that was thought dead can't write after another one has taken over. The answer is kept afterwards; where
//! a server dies before it has, the next request takes the claim over and rebuilds the answer without writing.
//!
//! Claims end by the clock of the database, since those of the servers differ.

use std::time::Duration;

use chrono::TimeDelta;
use sqlx::postgres::types::PgInterval;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, mint},
    },
    db::{Db, Sql, SystemReason, Tx},
};

/// How long a key is remembered.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// What a client does whose answer can't be rebuilt.
pub(in crate::db) const READ: &str = "read what came of it";
/// How often old keys are forgotten.
const FORGOTTEN_EVERY: Duration = Duration::from_secs(15 * 60);

/// What a client sends again with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// SHA-256 of the client's key.
    pub key: [u8; 32],
    /// SHA-256 of what it asks for; another request under the same key is refused.
    pub request: [u8; 32],
}

/// A request's claim on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    key: [u8; 32],
    claim: Uuid,
    author: String,
}

impl IdempotencyClaim {
    /// SHA-256 of the client's key.
    #[must_use]
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// Whether a unit of work is done in the name of who has claimed the key.
    pub(in crate::db) fn is_of(&self, tx: &Tx) -> bool {
        self.author == tx.author()
    }
}

/// What a key stands for when a request comes with it.
#[derive(Debug)]
pub enum Claimed {
    /// Nothing yet: the request is to be run.
    New(IdempotencyClaim),
    /// An answer, sealed as it was kept.
    Answered(Vec<u8>),
    /// A request that may still be running.
    Running,
    /// Something that was committed and whose answer was not kept: it is to be rebuilt under the claim.
    Committed(IdempotencyClaim, Committed),
    /// Another request.
    Another,
}

/// What a request has committed whose answer was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The kind and the id of the record that the answer is made of, as far as there is one.
    pub subject: Option<(String, Uuid)>,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    request_hash: Vec<u8>,
    is_claimed: bool,
    written: bool,
    entity: Option<String>,
    entity_id: Option<Uuid>,
    answer: Option<Vec<u8>>,
}

/// Claims a key for a request that runs no longer than `lease`.
///
/// # Errors
/// The database.
pub async fn claim(tx: &mut Tx, key: IdempotencyKey, lease: TimeDelta) -> Result<Claimed> {
    let (now, tenant, author) = (tx.now(), tx.tenant(), tx.author());
    let lease = PgInterval {
        months: 0,
        days: 0,
        microseconds: lease.num_microseconds().unwrap_or(i64::MAX),
    };
    let claim = IdempotencyClaim {
        key: key.key,
        claim: mint(),
        author: author.clone(),
    };
    let sql = Sql::new(
        "INSERT INTO idempotency_keys AS k (tenant_id, author, key_hash, request_hash, claim, claimed_at, \
         claimed_until) VALUES (",
    );
    let sql = sql.bind(tenant).push(", ").bind(author.clone()).push(", ");
    let sql = sql.bind(key.key.to_vec()).push(", ");
    let sql = sql.bind(key.request.to_vec()).push(", ");
    let sql = sql.bind(claim.claim).push(", ").bind(now);
    let sql = sql
        .push(", now() + ")
        .bind(lease)
        .push(
            ") ON CONFLICT (tenant_id, author, key_hash) DO UPDATE SET request_hash = excluded.request_hash, \
             claim = excluded.claim, claimed_until = excluded.claimed_until, claimed_at = excluded.claimed_at, \
             written = false, entity = NULL, entity_id = NULL, answer = NULL WHERE k.claimed_at < ",
        )
        .bind(now - KEPT)
        .push(
            " OR (k.request_hash = excluded.request_hash AND NOT k.written AND k.claimed_until < now())",
        );
    if tx.execute(sql).await? == 1 {
        return Ok(Claimed::New(claim));
    }
    let sql = Sql::new(
        "SELECT k.request_hash, k.claimed_until >= now() AS is_claimed, k.written, k.entity, k.entity_id, k.answer \
         FROM idempotency_keys k WHERE k.tenant_id = ",
    );
    let sql = sql.bind(tenant).push(" AND k.author = ").bind(author);
    let sql = sql.push(" AND k.key_hash = ").bind(key.key.to_vec());
    let Some(known) = tx.optional::<KeyRow>(sql).await? else {
        // It was let go in between.
        return Ok(Claimed::Running);
    };
    if known.request_hash != key.request {
        return Ok(Claimed::Another);
    }
    if let Some(answer) = known.answer {
        return Ok(Claimed::Answered(answer));
    }
    // One that has not written and whose time is over was let go of, or taken over, in between.
    if known.is_claimed || !known.written || !take_over(tx, &claim, lease).await? {
        return Ok(Claimed::Running);
    }
    let subject = known.entity.zip(known.entity_id);
    Ok(Claimed::Committed(claim, Committed { subject }))
}

/// Takes the claim of a request over that has written and died before it had kept its answer; whether nobody else has.
async fn take_over(tx: &mut Tx, claim: &IdempotencyClaim, lease: PgInterval) -> Result<bool> {
    let sql = Sql::new("UPDATE idempotency_keys SET claim = ").bind(claim.claim);
    let sql = sql.push(", claimed_until = now() + ").bind(lease);
    let sql = of_key(sql, tx.tenant(), claim)
        .push(" AND written AND answer IS NULL AND claimed_until < now()");
    Ok(tx.execute(sql).await? == 1)
}

/// Notes that a unit of work under a claim writes, with the record that it is about; in its own transaction.
///
/// # Errors
/// [`Error::TakenOver`] when the claim is another request's by now.
pub(in crate::db) async fn note_written(tx: &mut Tx, claim: &IdempotencyClaim) -> Result<()> {
    let (entity, id) = tx.subject().unzip();
    let sql = Sql::new("UPDATE idempotency_keys SET written = true, entity = coalesce(entity, ")
        .bind(entity)
        .push("), entity_id = coalesce(entity_id, ")
        .bind(id)
        .push(")");
    let sql = owned(sql, tx.tenant(), claim);
    match tx.execute(sql).await? {
        1 => Ok(()),
        _ => Err(Error::TakenOver),
    }
}

/// Keeps the answer of a request that has written; lets go of the key of one that has not, so that it can be sent again
/// with what has to be mended.
///
/// # Errors
/// The database.
pub async fn settle(tx: &mut Tx, claim: &IdempotencyClaim, answer: Option<Vec<u8>>) -> Result<()> {
    let sql = match answer {
        Some(answer) => Sql::new("UPDATE idempotency_keys SET answer = ").bind(answer),
        None => Sql::new("DELETE FROM idempotency_keys"),
    };
    let sql = owned(sql, tx.tenant(), claim);
    tx.execute(sql).await?;
    Ok(())
}

/// Ends the claim of a request of which it is not known what has become: the next one finds out by what is committed.
///
/// # Errors
/// The database.
pub async fn lapse(tx: &mut Tx, claim: &IdempotencyClaim) -> Result<()> {
    let sql = Sql::new("UPDATE idempotency_keys SET claimed_until = claimed_at - interval '1 day'");
    let sql = owned(sql, tx.tenant(), claim);
    tx.execute(sql).await?;
    Ok(())
}

/// Forgets old keys now and then, until stopped.
pub async fn run(db: Db, stop: CancellationToken) {
    while stop
        .run_until_cancelled(tokio::time::sleep(FORGOTTEN_EVERY))
        .await
        .is_some()
    {
        if let Err(error) = forget(&db).await {
            tracing::warn!(%error, "old idempotency keys were not forgotten");
        }
    }
}

/// Forgets keys that are old enough, and tells how many.
///
/// # Errors
/// The database.
pub async fn forget(db: &Db) -> Result<u64> {
    let mut tx = db.system(SystemReason::IdempotencyKeys).await?;
    let sql = Sql::new("DELETE FROM idempotency_keys WHERE claimed_at < ").bind(tx.now() - KEPT);
    let forgotten = tx.execute(sql).await?;
    tx.commit().await?;
    Ok(forgotten)
}

/// The row of a claim, if it is still the request's own.
fn owned(sql: Sql, tenant: TenantId, claim: &IdempotencyClaim) -> Sql {
    of_key(sql, tenant, claim)
        .push(" AND claim = ")
        .bind(claim.claim)
}

/// The row of a claim's key, whoever has claimed it.
fn of_key(sql: Sql, tenant: TenantId, claim: &IdempotencyClaim) -> Sql {
    sql.push(" WHERE tenant_id = ")
        .bind(tenant)
        .push(" AND author = ")
        .bind(claim.author.clone())
        .push(" AND key_hash = ")
        .bind(claim.key.to_vec())
}
