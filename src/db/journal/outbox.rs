//! Appending to the event log, with numbers that have no holes.

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    base::{error::Result, ids::TenantId},
    db::{
        Columns, Part, Registered, Sql, Statements, Tx,
        journal::{Entry, Origin, append_entries, due::move_queue},
    },
    platform::telemetry,
};

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names say it")]
pub enum EventKind {
    Created,
    Updated,
    Moved,
    Won,
    Lost,
    Reopened,
    NextActionCompleted,
    Archived,
    Restored,
    Deleted,
    Suspended,
    Resumed,
    Resent,
    Revoked,
    Accepted,
    Rotated,
}

impl EventKind {
    /// Reads a row's word. A newer server may write words that this one does not know: something changed.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "CREATED" => Self::Created,
            "MOVED" => Self::Moved,
            "WON" => Self::Won,
            "LOST" => Self::Lost,
            "REOPENED" => Self::Reopened,
            "NEXT_ACTION_COMPLETED" => Self::NextActionCompleted,
            "ARCHIVED" => Self::Archived,
            "RESTORED" => Self::Restored,
            "DELETED" => Self::Deleted,
            "SUSPENDED" => Self::Suspended,
            "RESUMED" => Self::Resumed,
            "RESENT" => Self::Resent,
            "REVOKED" => Self::Revoked,
            "ACCEPTED" => Self::Accepted,
            "ROTATED" => Self::Rotated,
            _ => Self::Updated,
        }
    }

    /// The word in an audit entry's action.
    #[must_use]
    pub const fn verb(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Moved => "moved",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Reopened => "reopened",
            Self::NextActionCompleted => "next_action_completed",
            Self::Archived => "archived",
            Self::Restored => "restored",
            Self::Deleted => "deleted",
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Resent => "resent",
            Self::Revoked => "revoked",
            Self::Accepted => "accepted",
            Self::Rotated => "rotated",
        }
    }
}

/// One thing that happened to one record.
#[derive(Debug, Clone)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// To what kind of record, for example `opportunity`.
    pub entity: &'static str,
    /// To which one.
    pub id: Uuid,
    /// The record's version after it.
    pub version: i32,
    /// The names of the columns that changed.
    pub changed: Vec<String>,
    /// Those columns before, as a JSON object.
    pub before: Option<Json>,
    /// Those columns after.
    pub after: Option<Json>,
    /// The whole record after it, by its columns; of a deleted one, as it was last.
    pub record: Option<Json>,
    /// The columns of the record that had other values before, those among them that follow from others. One that is
    /// in `changed` and not here had a value that is not known.
    pub was: Option<Json>,
    /// Who could see the record before; `None` when it did not exist.
    pub visible_before: Option<String>,
    /// Who can see it now; `None` when it is gone.
    pub visible_after: Option<String>,
    /// What records of the kind declare of their columns.
    pub parts: &'static [Part],
}

impl Event {
    /// Whether it only follows from another one: nobody did anything to the record itself.
    pub(crate) fn only_follows(&self) -> bool {
        let is_there = self.visible_before.is_some() && self.visible_after.is_some();
        is_there && self.before.is_none() && self.after.is_none()
    }

    /// Whether it is about the same record.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        (self.entity, self.id) == (other.entity, other.id)
    }

    /// Something that happened to what has no row scope, such as a member or a team: all of the tenant may know. With
    /// both sides given, what did not change is left out.
    #[must_use]
    pub fn of_all(
        kind: EventKind,
        about: EventSubject,
        (before, after): (Option<Json>, Option<Json>),
    ) -> Self {
        let EventSubject {
            entity,
            parts,
            id,
            version,
        } = about;
        let visible = |side: &Option<Json>| side.as_ref().map(|_| "|".to_owned());
        let (visible_before, visible_after) = (visible(&before), visible(&after));
        let (mut old, mut new, mut changed) = (before, after, Vec::new());
        if let (Some(Json::Object(old)), Some(Json::Object(new))) = (&mut old, &mut new) {
            let same: Vec<String> = new
                .iter()
                .filter(|(name, value)| old.get(*name) == Some(*value))
                .map(|(name, _)| name.clone())
                .collect();
            for name in same {
                old.remove(&name);
                new.remove(&name);
            }
            changed = new.keys().cloned().collect();
        }
        Self {
            kind,
            entity,
            id,
            version,
            changed,
            record: new.clone().or_else(|| old.clone()),
            was: old.clone(),
            before: old,
            after: new,
            visible_before,
            visible_after,
            parts,
        }
    }
}

/// Which record an event is about, and at which version the event leaves it.
#[derive(Debug, Clone, Copy)]
pub struct EventSubject {
    /// What kind of record, for example `team`.
    pub entity: &'static str,
    /// What records of the kind declare of their columns.
    pub parts: &'static [Part],
    /// Which one.
    pub id: Uuid,
    /// The record's version afterwards.
    pub version: i32,
}

impl EventSubject {
    /// A record of a kind.
    #[must_use]
    pub fn of<R: Registered + Columns>(id: Uuid, version: i32) -> Self {
        Self {
            entity: R::KIND,
            parts: R::PARTS,
            id,
            version,
        }
    }
}

/// What a transaction leaves in the journal when it commits.
#[derive(Default)]
pub struct Pending {
    /// For those who watch.
    pub events: Vec<Event>,
    /// For the audit log.
    pub entries: Vec<Entry>,
}

/// The commit that the journal is written by: whose, when, and at which request.
#[derive(Clone, Copy)]
pub(crate) struct Commit<'o> {
    pub(crate) tenant: TenantId,
    pub(crate) at: DateTime<Utc>,
    pub(crate) origin: &'o Origin,
}

/// Columns of an event row.
const COLUMNS: usize = 15;

/// Numbers the transaction's events and audit entries and appends them; returns the last event's number. Must be the
/// last thing before COMMIT: the counter's row lock then lasts for one flush, and a rollback gives the numbers back, so
/// a tenant's visible events are always 1..n.
pub(crate) async fn append(tx: &mut Tx, origin: &Origin) -> Result<Option<i64>> {
    let commit = Commit {
        tenant: tx.tenant(),
        at: tx.now(),
        origin,
    };
    if let Some(due) = tx.first_due() {
        move_queue(tx, commit, due).await?;
    }
    let (pending, author) = (tx.take_pending(), tx.author());
    append_pending(tx, commit, &author, pending).await
}

/// The same for a transaction that collects nothing by itself.
pub(crate) async fn append_pending(
    statements: &mut Statements,
    commit: Commit<'_>,
    author: &str,
    pending: Pending,
) -> Result<Option<i64>> {
    let Pending { events, entries } = pending;
    if entries.is_empty() {
        return Ok(None);
    }
    let kinds: Vec<_> = events.iter().map(|event| event.entity).collect();
    let last = append_entries(statements, commit, &kinds, entries).await?;
    if events.is_empty() {
        return Ok(None);
    }
    let first = last - events.len() as i64 + 1;
    let trace = telemetry::current_trace();
    let mut numbered = events.into_iter().zip(first..).peekable();
    while numbered.peek().is_some() {
        let sql = Sql::new(
            "INSERT INTO events (tenant_id, seq, kind, entity, entity_id, version, changed, before, record, \
             visible_before, visible_after, actor, request_id, occurred_at, trace)",
        );
        let chunk = numbered
            .by_ref()
            .take(crate::db::rows_per_statement(COLUMNS));
        let sql = sql.rows(chunk, |mut row, (event, seq)| {
            row.bind(commit.tenant)
                .bind(seq)
                .bind(event.kind)
                .bind(event.entity)
                .bind(event.id)
                .bind(event.version)
                .bind(event.changed)
                .bind(event.was)
                .bind(event.record)
                .bind(event.visible_before)
                .bind(event.visible_after)
                .bind(author.to_owned())
                .bind(commit.origin.request_id.clone())
                .bind(commit.at)
                .bind(trace.clone());
        });
        statements.execute(sql).await?;
    }
    Ok(Some(last))
}
