//! Invitations: how people join a tenant. The mailed secret makes one membership, once, until it expires.

mod accept;
mod graphql;
mod model;
mod mutation;
mod secret;
mod store;

use chrono::{DateTime, TimeDelta, Utc};

pub use accept::{Invitee, accept};
pub use graphql::InvitationQuery;
pub use model::{Invitation, InvitationOrderField, InvitationStatus};
pub use mutation::InvitationMutation;
pub use secret::InvitationSecret;

use super::{grant, store as members};
use crate::{
    access::Role,
    base::{
        error::{Error, Result},
        ids::{InvitationId, RoleId, TeamId, TenantId, Typed as _},
        text::normalize_email,
    },
    db::{
        SystemTx, Tx,
        journal::{Event, EventKind, EventSubject},
        list,
    },
    organization::tenants::quota,
};

/// Days that an invitation is good for, unless it says otherwise.
pub(super) const USUAL_DAYS: i32 = 7;
/// The most days.
const MOST_DAYS: i32 = 30;

/// Whom to invite, and as what.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct NewInvitation {
    pub email: String,
    pub role: Role,
    pub custom_role: Option<RoleId>,
    pub team: Option<TeamId>,
    pub days: i32,
}

/// What inviting came to.
pub enum Invited {
    /// A new invitation, with the secret to mail.
    New(Invitation, InvitationSecret),
    /// There is an open one for the address already.
    Already(Invitation),
}

/// Invites a person.
///
/// # Errors
/// `NOT_FOUND` on `customRoleId` or `teamId`, `INVALID_ROLE`, `INVALID_EMAIL`, `OUT_OF_RANGE`, `ALREADY_MEMBER`,
/// `QUOTA_EXCEEDED`; `FORBIDDEN` without `users:write`, for rights beyond the actor's own and teams beyond their reach.
pub async fn invite(tx: &mut Tx, new: NewInvitation) -> Result<Invited> {
    members::lock_members(tx).await?;
    let role = new.custom_role.map(|id| id.uuid());
    list::require::<crate::organization::roles::CustomRole>(tx, role, "customRoleId").await?;
    let team = grant::require_team(tx, new.team).await?;
    let normalized = normalize_email(new.email.trim(), "email")?;
    let ends = lasting(new.days)?;
    let place = team.as_ref().map(|team| team.path.as_str());
    grant::require_role(tx, new.role, new.custom_role, place).await?;
    if store::is_member(tx, &normalized).await? {
        let message = "this person is a member of the tenant already";
        return Err(Error::invalid("ALREADY_MEMBER", "email", message));
    }
    if let Some(open) = store::open_for(tx, &normalized).await? {
        if !open.is_expired(tx.now()) {
            return Ok(Invited::Already(open));
        }
        // An expired one is replaced by the next.
        revoke_locked(tx, open).await?;
    }
    quota::refuse_one_more_member(tx).await?;
    let tenant = tx.tenant();
    let invitation = Invitation::new(new, tx.now(), ends, tx.author());
    let secret = InvitationSecret::generate(tenant, invitation.invitation_id);
    let invitation = store::insert(tx, tenant, &invitation, &normalized, secret.hash()).await?;
    emit(tx, EventKind::Created, None, &invitation);
    Ok(Invited::New(invitation, secret))
}

/// Invites the first admin of a tenant that has no member yet.
///
/// # Errors
/// `INVALID_EMAIL`, or the database.
pub(crate) async fn invite_first_admin(
    tx: &mut SystemTx,
    tenant: TenantId,
    email: &str,
    author: &str,
) -> Result<InvitationSecret> {
    let normalized = normalize_email(email, "email")?;
    let new = NewInvitation {
        email: email.to_owned(),
        role: Role::Admin,
        custom_role: None,
        team: None,
        days: MOST_DAYS,
    };
    let ends = lasting(new.days)?;
    let invitation = Invitation::new(new, tx.now(), ends, author.to_owned());
    let secret = InvitationSecret::generate(tenant, invitation.invitation_id);
    store::insert(tx, tenant, &invitation, &normalized, secret.hash()).await?;
    Ok(secret)
}

/// Sends an invitation again, with a new secret: the link that was mailed earlier is no longer valid.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `OUT_OF_RANGE`, `CLOSED` for one that was accepted or revoked, `QUOTA_EXCEEDED`;
/// `FORBIDDEN` as for [`invite`].
pub async fn resend(
    tx: &mut Tx,
    (id, expected_version): (InvitationId, Option<i32>),
    days: i32,
) -> Result<(Invitation, InvitationSecret)> {
    members::lock_members(tx).await?;
    let before = store::lock(tx, id, expected_version).await?;
    let ends = lasting(days)?;
    before.refuse_closed()?;
    let team = grant::require_team(tx, before.team_id).await?;
    let place = team.as_ref().map(|team| team.path.as_str());
    grant::require_role(tx, before.role, before.role_id, place).await?;
    if before.is_expired(tx.now()) {
        quota::refuse_one_more_member(tx).await?;
    }
    let secret = InvitationSecret::generate(tx.tenant(), id);
    let mut after = before.clone();
    after.sent_at = tx.now();
    after.sent_count += 1;
    after.expires_at = tx.now() + ends;
    after.version += 1;
    let after = store::update(tx, &after, Some(secret.hash())).await?;
    emit(tx, EventKind::Resent, Some(&before), &after);
    Ok((after, secret))
}

/// Revokes an invitation. Doing it twice changes nothing.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, and `CLOSED` for one that was accepted.
pub async fn revoke(
    tx: &mut Tx,
    (id, expected_version): (InvitationId, Option<i32>),
) -> Result<Invitation> {
    members::lock_members(tx).await?;
    let before = store::lock(tx, id, expected_version).await?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    before.refuse_closed()?;
    revoke_locked(tx, before).await
}

async fn revoke_locked(tx: &mut Tx, before: Invitation) -> Result<Invitation> {
    let mut after = before.clone();
    after.revoked_at = Some(tx.now());
    after.version += 1;
    let after = store::update(tx, &after, None).await?;
    emit(tx, EventKind::Revoked, Some(&before), &after);
    Ok(after)
}

impl Invitation {
    fn new(new: NewInvitation, now: DateTime<Utc>, lasting: TimeDelta, created_by: String) -> Self {
        Self {
            invitation_id: InvitationId::new(),
            email: new.email.trim().to_owned(),
            role: new.role,
            role_id: new.custom_role,
            team_id: new.team,
            sent_at: now,
            sent_count: 1,
            expires_at: now + lasting,
            accepted_at: None,
            accepted_by: None,
            revoked_at: None,
            created_at: now,
            created_by,
            version: 1,
        }
    }
}

fn lasting(days: i32) -> Result<TimeDelta> {
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(Error::invalid(
            "OUT_OF_RANGE",
            "expiresInDays",
            format!("expected 1 to {MOST_DAYS} days"),
        ));
    }
    Ok(TimeDelta::days(days.into()))
}

fn emit(tx: &mut Tx, kind: EventKind, before: Option<&Invitation>, after: &Invitation) {
    tx.emit(Event::of_all(
        kind,
        EventSubject::of::<Invitation>(after.invitation_id.uuid(), after.version),
        (
            before.map(Invitation::event_fields),
            Some(after.event_fields()),
        ),
    ));
}
