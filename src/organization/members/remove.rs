//! Removing a member from the tenant. They lose access at once; their records are reassigned to a successor.

use super::{Member, MembershipStatus, change, grant, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
    },
    db::{Tx, journal::EventKind, list},
};

/// Removes a member. Their records go to the successor by [`super::reassignment`], and the membership is deleted when none
/// remains. Doing it twice changes nothing.
///
/// # Errors
/// `NOT_FOUND` on `userId` or `successorId`, `CONFLICT`; `INVALID_SUCCESSOR` for the member themselves and for one who
/// can't sign in; `FORBIDDEN` beyond the actor's rights and reach; `LAST_ADMIN`.
pub async fn remove(
    tx: &mut Tx,
    (user, expected_version): (UserId, Option<i32>),
    successor: UserId,
) -> Result<Member> {
    store::lock_members(tx).await?;
    list::require::<Member>(tx, [user.uuid()], "userId").await?;
    list::require::<Member>(tx, [successor.uuid()], "successorId").await?;
    let before = store::lock(tx, user, expected_version).await?;
    grant::refuse_stronger(tx, &before).await?;
    if before.status == MembershipStatus::Leaving {
        return Ok(before);
    }
    change::refuse_last_admin(tx, &before).await?;
    let to: Option<Member> = list::find(tx, successor.uuid()).await?;
    let to = to.filter(|to| to.status == MembershipStatus::Active && to.user_id != user);
    let to = to.ok_or_else(|| {
        let message = "the records pass to another member who can sign in";
        Error::invalid("INVALID_SUCCESSOR", "successorId", message)
    })?;
    grant::refuse_out_of_reach(tx.actor(), before.team_path.as_deref())?;
    grant::refuse_out_of_reach(tx.actor(), to.team_path.as_deref())?;
    // Records that are being reassigned to this member go to the successor instead.
    store::repoint(tx, user, successor).await?;
    let mut after = before.clone();
    after.status = MembershipStatus::Leaving;
    after.successor_id = Some(successor);
    after.moving = true;
    change::write(tx, EventKind::Updated, &before, after).await
}
