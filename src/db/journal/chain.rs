//! Appending to the log, and the chain that makes a missing or changed row show.
//!
//! The rows of one transaction are one link: `hash = sha256(hash before || digest of the rows)`. The counter's row holds
//! the head, and the same statement that takes the numbers computes the next one, so a link costs none of its own.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Commit, Entry, Origin, recorder::Note};
use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Sql, Statements, rows_per_statement},
};

/// Columns of a row of the log.
const COLUMNS: usize = 13;

/// A row of the log as it is written and hashed.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) audit_id: Uuid,
    pub(crate) occurred_at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) entity: Option<String>,
    pub(crate) entity_id: Option<Uuid>,
    pub(crate) changes: String,
    pub(crate) address: Option<String>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: String,
}

impl Row {
    fn new(entry: Entry, origin: &Origin, now: DateTime<Utc>) -> Self {
        Self {
            audit_id: crate::base::ids::mint(),
            // Postgres keeps microseconds; the hash must be over what it keeps.
            occurred_at: DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now),
            actor: entry.actor,
            action: entry.action,
            entity: entry.entity,
            entity_id: entry.entity_id,
            changes: Json::Object(entry.changes.0).to_string(),
            address: origin.address.map(|address| address.to_string()),
            user_agent: origin.user_agent.clone(),
            request_id: origin.request_id.clone(),
        }
    }

    /// Feeds every field with its length, so that no two rows read alike.
    pub(crate) fn feed(&self, digest: &mut Sha256) {
        let mut field = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            digest.update(length.to_be_bytes());
            digest.update(bytes.unwrap_or_default());
        };
        field(Some(self.audit_id.as_bytes()));
        field(Some(&self.occurred_at.timestamp_micros().to_be_bytes()));
        field(Some(self.actor.as_bytes()));
        field(Some(self.action.as_bytes()));
        field(self.entity.as_deref().map(str::as_bytes));
        field(self.entity_id.as_ref().map(|id| id.as_bytes().as_slice()));
        field(Some(self.changes.as_bytes()));
        field(self.address.as_deref().map(str::as_bytes));
        field(self.user_agent.as_deref().map(str::as_bytes));
        field(Some(self.request_id.as_bytes()));
    }
}

/// What the rows of one link come to.
pub(crate) fn digest<'r>(rows: impl IntoIterator<Item = &'r Row>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for row in rows {
        row.feed(&mut digest);
    }
    digest.finalize().into()
}

/// Takes the numbers of a transaction's events and audit entries and appends the entries; returns the last number
/// of the events. The kinds of records that events and entries are about count as changed from here on. Must be the last
/// but the events themselves before COMMIT: the counter's row lock lasts from here.
///
/// # Errors
/// The database.
pub(crate) async fn append(
    statements: &mut Statements,
    commit: Commit<'_>,
    events: &[&'static str],
    entries: Vec<Entry>,
) -> Result<i64> {
    let rows: Vec<_> = entries
        .into_iter()
        .map(|entry| Row::new(entry, commit.origin, commit.at))
        .collect();
    let entities = rows.iter().filter_map(|row| row.entity.clone());
    let changes = Changes {
        events: events.len(),
        kinds: entities
            .chain(events.iter().map(|kind| (*kind).to_owned()))
            .collect(),
    };
    append_rows(statements, commit.tenant, changes, rows).await
}

/// What a transaction has changed beside the log.
#[derive(Default)]
struct Changes {
    events: usize,
    kinds: BTreeSet<String>,
}

/// Appends what was noted at different times by different requests, and is no change of what it is about.
///
/// # Errors
/// The database.
pub(super) async fn append_notes(
    statements: &mut Statements,
    tenant: TenantId,
    notes: &[Note],
) -> Result<()> {
    let row = |note: &Note| Row::new(note.entry.clone(), &note.origin, note.at);
    append_rows(
        statements,
        tenant,
        Changes::default(),
        notes.iter().map(row).collect(),
    )
    .await?;
    Ok(())
}

async fn append_rows(
    statements: &mut Statements,
    tenant: TenantId,
    changes: Changes,
    rows: Vec<Row>,
) -> Result<i64> {
    let (last_event, last_entry, hash) = link(statements, tenant, changes, &rows).await?;
    let first = last_entry - rows.len() as i64 + 1;
    let mut numbered = rows.into_iter().zip(first..).peekable();
    while numbered.peek().is_some() {
        let sql = Sql::new(
            "INSERT INTO audit_log (tenant_id, seq, audit_id, occurred_at, actor, action, entity, entity_id, changes, \
             address, user_agent, request_id, hash)",
        );
        let chunk = numbered.by_ref().take(rows_per_statement(COLUMNS));
        let sql = sql.rows(chunk, |mut values, (row, seq)| {
            values
                .bind(tenant)
                .bind(seq)
                .bind(row.audit_id)
                .bind(row.occurred_at)
                .bind(row.actor)
                .bind(row.action)
                .bind(row.entity)
                .bind(row.entity_id)
                .bind(row.changes)
                .bind(row.address)
                .bind(row.user_agent)
                .bind(row.request_id)
                .bind(hash.clone());
        });
        statements.execute(sql).await?;
    }
    Ok(last_event)
}

async fn link(
    statements: &mut Statements,
    tenant: TenantId,
    changes: Changes,
    rows: &[Row],
) -> Result<(i64, i64, Vec<u8>)> {
    let kinds: Vec<String> = changes.kinds.into_iter().collect();
    let sql = Sql::new("SELECT n.last_seq, n.last_audit, n.audit_hash FROM app.take_numbers(")
        .bind(tenant)
        .push(", ")
        .bind(changes.events as i64)
        .push(", ")
        .bind(rows.len() as i64)
        .push(", ")
        .bind(digest(rows).to_vec())
        .push(", ")
        .bind(kinds)
        .push(") n");
    match statements.optional(sql).await? {
        Some(taken) => Ok(taken),
        None => Err(why_not(statements, tenant).await?),
    }
}

/// Why the counter of a tenant does not move for an actor.
async fn why_not(statements: &mut Statements, tenant: TenantId) -> Result<Error> {
    let sql = Sql::new("SELECT t.status FROM tenants t WHERE t.tenant_id = ").bind(tenant);
    let status = statements.column::<String>(sql).await?;
    Ok(match status.first().map(String::as_str) {
        Some("SUSPENDED") => Error::TenantSuspended,
        Some("DELETING") => Error::TenantDeleting,
        _ => Error::internal("the tenant has no counter, or its actor may not write"),
    })
}
