//! What follows from events after they are committed: consumers of the event log.
//!
//! A consumer is a kind of job that a tenant has for each thing that follows the log (its instance). How far it has come is
//! its mark, which it moves ([`advance`]) in the transaction that writes what follows: a crash anywhere means the same events
//! once more, and nothing twice. Its job is there when the log is past its mark, and only then; one instance has one at a
//! time. So events that nobody follows cost nothing, and a consumer can begin again anywhere in the log ([`rewind`]).
//!
//! To add one: a [`Consumer`], registered like other handlers by [`Following`], and [`follow`] where an instance comes
//! about.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Done, Failure, Handler, Job, Policy, Run, queue::SOONER};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Sql, Tx},
};

/// What follows the log.
pub trait Consumer: Send + Sync + 'static {
    /// The kind of its jobs.
    const KIND: &'static str;
    /// How its jobs are tried. They never give up: what can't be done now is done later.
    const POLICY: Policy;

    /// Does what follows from the events after the mark of an instance, and moves the mark.
    fn catch_up(
        &self,
        instance: Uuid,
        run: &Run,
    ) -> impl Future<Output = Result<Done, Failure>> + Send;
}

/// The job of a consumer.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Follow<C> {
    instance: Uuid,
    #[serde(skip)]
    of: PhantomData<fn() -> C>,
}

impl<C: Consumer> Follow<C> {
    /// The job of an instance, to have it done now whatever the log says.
    #[must_use]
    pub fn now(instance: Uuid) -> Self {
        let of = PhantomData;
        Self { instance, of }
    }
}

impl<C: Consumer> Job for Follow<C> {
    const KIND: &'static str = C::KIND;
    const POLICY: Policy = Policy {
        attempts: i32::MAX.unsigned_abs(),
        is_kept: false,
        ..C::POLICY
    };

    fn unique_key(&self) -> Option<String> {
        Some(self.instance.to_string())
    }
}

/// Does the jobs of a consumer.
pub struct Following<C>(pub C);

impl<C: Consumer> Handler for Following<C> {
    type Job = Follow<C>;

    async fn run(&self, job: Follow<C>, run: &Run) -> Result<Done, Failure> {
        let caught_up = self.0.catch_up(job.instance, run).await;
        caught_up.map_err(|failure| Failure {
            is_lasting: false,
            ..failure
        })
    }
}

/// Has an instance follow the log from here on.
///
/// # Errors
/// The database.
pub async fn follow<C: Consumer>(tx: &mut Tx, instance: Uuid) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO event_consumers (tenant_id, kind, instance, seq) SELECT s.tenant_id, ",
    )
    .bind(C::KIND.to_owned())
    .push(", ")
    .bind(instance)
    .push("::uuid, s.last_seq FROM tenant_seq s WHERE s.tenant_id = ")
    .bind(tx.tenant())
    .push(" ON CONFLICT DO NOTHING");
    tx.execute(sql).await?;
    // The tenant's queue is there from now on.
    tx.has_enqueued(None, std::time::Duration::ZERO);
    Ok(())
}

/// Has an instance follow the log no longer.
///
/// # Errors
/// The database.
pub async fn leave<C: Consumer>(tx: &mut Tx, instance: Uuid) -> Result<()> {
    let sql = of::<C>(
        Sql::new("DELETE FROM event_consumers"),
        tx.tenant(),
        instance,
    );
    tx.execute(sql).await?;
    Ok(())
}

/// How far an instance has come, and how far the log is; nothing when it does not follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Mark {
    /// The last event whatever follows from which is written.
    pub seq: i64,
    /// The last event.
    pub last_seq: i64,
}

/// Where an instance is.
///
/// # Errors
/// The database.
pub async fn mark<C: Consumer>(tx: &mut Tx, instance: Uuid) -> Result<Option<Mark>> {
    let sql = Sql::new(
        "SELECT c.seq, s.last_seq FROM event_consumers c JOIN tenant_seq s ON s.tenant_id = c.tenant_id \
         WHERE c.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND s.tenant_id = ")
    .bind(tx.tenant())
    .push(" AND c.kind = ")
    .bind(C::KIND.to_owned())
    .push(" AND c.instance = ")
    .bind(instance);
    tx.optional(sql).await
}

/// Moves an instance's mark, with what was written of the events in between.
///
/// # Errors
/// `LEASE_LOST` when it is not where it was, so that somebody else has written that; the database.
pub async fn advance<C: Consumer>(tx: &mut Tx, instance: Uuid, from: i64, to: i64) -> Result<()> {
    let sql = Sql::new("UPDATE event_consumers SET seq = ").bind(to);
    let sql = of::<C>(sql, tx.tenant(), instance).push(" AND seq = ");
    match tx.execute(sql.bind(from)).await? {
        1 => Ok(()),
        _ => Err(Error::TakenOver),
    }
}

/// Has an instance begin again after an event, earlier or later than where it is.
///
/// # Errors
/// `NOT_FOUND` when it does not follow the log.
pub async fn rewind<C: Consumer>(tx: &mut Tx, instance: Uuid, to: i64) -> Result<()> {
    let sql = Sql::new("UPDATE event_consumers SET seq = ").bind(to);
    let sql = of::<C>(sql, tx.tenant(), instance);
    let moved = tx.execute(sql).await?;
    tx.has_enqueued(None, std::time::Duration::ZERO);
    match moved {
        1 => Ok(()),
        _ => Err(Error::NotFound {
            kind: "consumer",
            field: "id",
        }),
    }
}

fn of<C: Consumer>(sql: Sql, tenant: TenantId, instance: Uuid) -> Sql {
    sql.push(" WHERE tenant_id = ")
        .bind(tenant)
        .push(" AND kind = ")
        .bind(C::KIND.to_owned())
        .push(" AND instance = ")
        .bind(instance)
}

/// Of which tenants consumers may be behind.
#[derive(Debug)]
pub(super) enum Growth {
    /// These, whose logs have grown.
    Of(Vec<TenantId>),
    /// Any: what other servers wrote, and what came with no hint.
    Anywhere,
}

impl Growth {
    /// Adds the tenants of which consumers are to those that are selected.
    pub(super) fn or_behind(&self, sql: Sql) -> Sql {
        let behind = " UNION ALL SELECT c.tenant_id, true FROM event_consumers c \
            JOIN tenant_seq n ON n.tenant_id = c.tenant_id WHERE n.last_seq > c.seq";
        match self {
            Self::Of(grown) if grown.is_empty() => sql,
            Self::Of(grown) => sql
                .push(behind)
                .push(" AND c.tenant_id = ANY(")
                .bind(grown.clone())
                .push(")"),
            Self::Anywhere => sql.push(behind),
        }
    }
}

/// Puts the jobs of consumers that are behind into the queue of their tenant.
pub(super) async fn enqueue_those_behind(tx: &mut Tx, kinds: Vec<&'static str>) -> Result<()> {
    let kinds: Vec<_> = kinds.into_iter().map(str::to_owned).collect();
    let sql = Sql::new(
        "INSERT INTO jobs (tenant_id, job_id, kind, arguments, unique_key, author, visible_to, request_id, created_at, \
         due_at) SELECT c.tenant_id, gen_random_uuid(), c.kind, jsonb_build_object('instance', c.instance), \
         c.instance::text, 'system:' || c.kind, ",
    )
    .bind(tx.actor().me())
    .push("::text, 'events', ")
    .bind(tx.now())
    .push(
        "::timestamptz, now() FROM event_consumers c JOIN tenant_seq s ON s.tenant_id = c.tenant_id \
         WHERE s.last_seq > c.seq AND c.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND s.tenant_id = ")
    .bind(tx.tenant())
    .push(" AND c.kind = ANY(")
    .bind(kinds)
    .push(")")
    .push(SOONER);
    tx.execute(sql).await?;
    Ok(())
}
