//! When members, keys and sessions were last used: collected in memory and written once a minute, so that a busy person
//! is one small update a minute and not one per request. What a killed server had not written yet is lost.

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::TenantSubject;
use crate::{
    access::Subject,
    base::{
        error::Result,
        ids::{ApiKeyId, SessionId, TenantId, UserId},
    },
    db::{Db, Sql, SystemReason, rows_per_statement},
};

/// How often uses are written.
const EVERY: Duration = Duration::from_secs(60);
/// More than this many are not collected; the rest follows at their next use.
const MOST: usize = 200_000;
/// Subjects in one statement.
const AT_ONCE: usize = rows_per_statement(4);

/// When, and from where.
type Use = (DateTime<Utc>, Option<IpAddr>);

/// Uses that are not written yet.
#[derive(Default)]
pub(super) struct LastUse(Mutex<HashMap<TenantSubject, Use>>);

/// The same, by the tables that they go to. Sorted, so that servers take row locks in one order.
#[derive(Default)]
struct Sorted {
    members: BTreeMap<TenantId, BTreeMap<UserId, DateTime<Utc>>>,
    keys: BTreeMap<TenantId, BTreeMap<ApiKeyId, Use>>,
    sessions: BTreeMap<SessionId, DateTime<Utc>>,
}

impl LastUse {
    /// Notes a use; never waits.
    pub(super) fn note(&self, who: TenantSubject, last: Use) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MOST || uses.contains_key(&who) {
            uses.insert(who, last);
        }
    }

    /// Writes uses once a minute, and the rest when it is stopped.
    pub(super) async fn keep(&self, db: &Db, stop: &CancellationToken) {
        loop {
            let goes_on = stop
                .run_until_cancelled(tokio::time::sleep(EVERY))
                .await
                .is_some();
            self.write(db).await;
            if !goes_on {
                return;
            }
        }
    }

    /// Writes all that was collected.
    pub(super) async fn write(&self, db: &Db) {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let sorted = Sorted::new(uses);
        for (tenant, members) in &sorted.members {
            warn(write_members(db, *tenant, members).await);
        }
        for (tenant, keys) in &sorted.keys {
            warn(write_keys(db, *tenant, keys).await);
        }
        warn(write_sessions(db, &sorted.sessions).await);
    }
}

impl Sorted {
    fn new(uses: HashMap<TenantSubject, Use>) -> Self {
        let mut sorted = Self::default();
        for (TenantSubject { tenant, subject }, last) in uses {
            match subject {
                Subject::Person(user, session) => {
                    later(sorted.members.entry(tenant).or_default(), user, last.0);
                    if let Some(session) = session {
                        later(&mut sorted.sessions, session, last.0);
                    }
                }
                Subject::Key(key) => {
                    sorted.keys.entry(tenant).or_default().insert(key, last);
                }
                Subject::Worker => {}
            }
        }
        sorted
    }
}

/// Keeps the later of two uses.
fn later<K: Ord>(uses: &mut BTreeMap<K, DateTime<Utc>>, who: K, at: DateTime<Utc>) {
    let last = uses.entry(who).or_insert(at);
    *last = at.max(*last);
}

/// Another server may have written a moment ago: then this adds nothing, and the row is not touched.
async fn write_members(
    db: &Db,
    tenant: TenantId,
    members: &BTreeMap<UserId, DateTime<Utc>>,
) -> Result<()> {
    for members in chunks(members) {
        let mut tx = db.system(SystemReason::LastUse).await?;
        let sql = Sql::new("UPDATE memberships m SET last_seen_at = v.used_at FROM (")
            .rows(members, |mut row, (user, at)| {
                row.bind(user).bind(at);
            })
            .push(") AS v (user_id, used_at) WHERE m.tenant_id = ")
            .bind(tenant)
            .push(
                " AND m.user_id = v.user_id \
                 AND (m.last_seen_at IS NULL OR m.last_seen_at < v.used_at - interval '30 seconds')",
            );
        tx.execute(sql).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn write_keys(db: &Db, tenant: TenantId, keys: &BTreeMap<ApiKeyId, Use>) -> Result<()> {
    for keys in chunks(keys) {
        let mut tx = db.system(SystemReason::LastUse).await?;
        let sql = Sql::new(
            "UPDATE api_keys k SET last_used_at = v.used_at, last_used_from = v.used_from FROM (",
        )
        .rows(keys, |mut row, (key, (at, from))| {
            row.bind(key)
                .bind(at)
                .bind(from.map(|from| from.to_string()));
        })
        .push(") AS v (api_key_id, used_at, used_from) WHERE k.tenant_id = ")
        .bind(tenant)
        .push(
            " AND k.api_key_id = v.api_key_id \
             AND (k.last_used_at IS NULL OR k.last_used_at < v.used_at - interval '30 seconds')",
        );
        tx.execute(sql).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn write_sessions(db: &Db, sessions: &BTreeMap<SessionId, DateTime<Utc>>) -> Result<()> {
    for sessions in chunks(sessions) {
        let mut tx = db.system(SystemReason::LastUse).await?;
        let sql = Sql::new("UPDATE sessions s SET last_used_at = v.used_at FROM (")
            .rows(sessions, |mut row, (session, at)| {
                row.bind(session).bind(at);
            })
            .push(
                ") AS v (session_id, used_at) WHERE s.session_id = v.session_id AND s.ended_at IS NULL \
                 AND s.last_used_at < v.used_at - interval '30 seconds'",
            );
        tx.execute(sql).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// The entries in batches of one statement.
fn chunks<K: Copy, V: Copy>(uses: &BTreeMap<K, V>) -> Vec<Vec<(K, V)>> {
    let all: Vec<(K, V)> = uses.iter().map(|(key, value)| (*key, *value)).collect();
    all.chunks(AT_ONCE).map(<[_]>::to_vec).collect()
}

fn warn(written: Result<()>) {
    if let Err(error) = written {
        tracing::warn!(%error, "times of last use could not be written");
    }
}
