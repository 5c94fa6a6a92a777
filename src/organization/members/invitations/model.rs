//! What an invitation is.

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::{
    access::Role,
    base::{
        error::{Error, Result},
        ids::{InvitationId, RoleId, TeamId, Typed as _, UserId},
    },
    db::{Column, Comparison, Predicate, Value, list::Record},
    organization::members::model::word,
};

/// A person who was asked to join.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
#[unread(email_normalized, personal)]
#[unread(secret_hash, secret)]
#[told(custom_role_id)]
pub struct Invitation {
    pub invitation_id: InvitationId,
    #[column(personal)]
    pub email: String,
    pub role: Role,
    pub role_id: Option<RoleId>,
    pub team_id: Option<TeamId>,
    pub sent_at: DateTime<Utc>,
    pub sent_count: i32,
    pub expires_at: DateTime<Utc>,
    pub accepted_at: Option<DateTime<Utc>>,
    pub accepted_by: Option<UserId>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub version: i32,
}

/// How an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum InvitationStatus {
    /// Waiting to be accepted.
    Pending,
    /// Not accepted in time.
    Expired,
    /// Accepted.
    Accepted,
    /// Taken back.
    Revoked,
}

impl Invitation {
    /// Its status at a time.
    #[must_use]
    pub fn standing(&self, now: DateTime<Utc>) -> InvitationStatus {
        match (self.accepted_at, self.revoked_at) {
            (Some(_), _) => InvitationStatus::Accepted,
            (None, Some(_)) => InvitationStatus::Revoked,
            (None, None) if self.is_expired(now) => InvitationStatus::Expired,
            (None, None) => InvitationStatus::Pending,
        }
    }

    pub(super) fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.expires_at <= now
    }

    /// Refuses what can't be done any more.
    pub(super) fn refuse_closed(&self) -> Result<()> {
        let message = match (self.accepted_at, self.revoked_at) {
            (None, None) => return Ok(()),
            (Some(_), _) => "this invitation was accepted already",
            (None, Some(_)) => "this invitation was revoked, invite the person again",
        };
        Err(Error::invalid("CLOSED", "id", message))
    }

    /// Its fields in its events.
    pub(super) fn event_fields(&self) -> Json {
        json!({
            "email": self.email, "role": word(self.role), "custom_role_id": self.role_id, "team_id": self.team_id,
            "expires_at": self.expires_at, "accepted_at": self.accepted_at, "accepted_by": self.accepted_by,
            "revoked_at": self.revoked_at, "sent_count": self.sent_count,
        })
    }
}

impl InvitationStatus {
    /// The condition for a status at a time.
    #[must_use]
    pub fn predicate(self, now: DateTime<Utc>) -> Predicate {
        let (accepted, revoked) = (empty("accepted_at"), empty("revoked_at"));
        let expires = |comparison| {
            Predicate::Compare(Column::from("expires_at"), comparison, Value::Time(now))
        };
        match self {
            Self::Pending => Predicate::All(vec![accepted, revoked, expires(Comparison::Gt)]),
            Self::Expired => Predicate::All(vec![accepted, revoked, expires(Comparison::Lte)]),
            Self::Accepted => Predicate::Not(Box::new(accepted)),
            Self::Revoked => Predicate::All(vec![accepted, Predicate::Not(Box::new(revoked))]),
        }
    }
}

fn empty(column: &'static str) -> Predicate {
    Predicate::Empty(Column::from(column))
}

/// What invitations are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, OrderField)]
#[order(of = Invitation)]
pub enum InvitationOrderField {
    /// When the person was invited.
    #[order(time = self.created_at)]
    CreatedAt,
}

impl Record for Invitation {
    const ARCHIVES: bool = false;
    type Order = InvitationOrderField;

    fn key(&self) -> Uuid {
        self.invitation_id.uuid()
    }
}
