//! Suspending a member: they can't sign in, and their records stay theirs.

use super::{Member, MembershipStatus, change, grant, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
        text::Text,
    },
    db::{
        Registered as _, Tx,
        journal::{Entry, EventKind},
    },
    organization::tenants::quota,
};

/// Suspends a member, at once and on every server. Doing it twice changes nothing.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `TOO_LONG`, `FORBIDDEN`, `LAST_ADMIN`, `LEAVING`, and `SELF` for the actor.
pub async fn suspend(
    tx: &mut Tx,
    (user, expected_version): (UserId, Option<i32>),
    mut reason: Option<String>,
) -> Result<Member> {
    Text::line("reason").optional(&mut reason)?;
    store::lock_members(tx).await?;
    let before = store::lock(tx, user, expected_version).await?;
    change::refuse_leaving(&before)?;
    if tx.actor().person() == Some(user) {
        let message = "you can't suspend yourself, ask another admin";
        return Err(Error::invalid("SELF", "userId", message));
    }
    grant::refuse_stronger(tx, &before).await?;
    if before.status == MembershipStatus::Suspended {
        return Ok(before);
    }
    change::refuse_last_admin(tx, &before).await?;
    if let Some(reason) = reason {
        let entry = Entry::new(tx.author(), "member.suspension_explained");
        let entry = entry.about(Member::KIND, user.uuid());
        tx.note(entry.noting("reason", reason));
    }
    let mut after = before.clone();
    after.status = MembershipStatus::Suspended;
    change::write(tx, EventKind::Suspended, &before, after).await
}

/// Lets a suspended member in again. Doing it twice changes nothing.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `LEAVING`, and `QUOTA_EXCEEDED` when the tenant has as many active members as it
/// may.
pub async fn resume(
    tx: &mut Tx,
    (user, expected_version): (UserId, Option<i32>),
) -> Result<Member> {
    store::lock_members(tx).await?;
    let before = store::lock(tx, user, expected_version).await?;
    change::refuse_leaving(&before)?;
    let place = before.team_path.clone();
    grant::require_role(tx, before.role, before.role_id, place.as_deref()).await?;
    if before.status == MembershipStatus::Active {
        return Ok(before);
    }
    quota::refuse_one_more_member(tx).await?;
    let mut after = before.clone();
    after.status = MembershipStatus::Active;
    change::write(tx, EventKind::Resumed, &before, after).await
}
