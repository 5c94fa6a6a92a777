//! Members: the people of a tenant, with their role and team; how they come, change and go, and the tree of teams.
//!
//! No member grants or revokes rights that they do not hold themselves ([`grant`]). Records follow their owner
//! ([`reassignment`]).

mod answerable;
mod change;
mod filter;
mod grant;
mod graphql;
pub mod invitation_mail;
mod invitations;
mod model;
mod mutation;
mod projection;
pub mod provision;
pub mod reassignment;
mod remove;
mod stamps;
mod store;
mod suspend;
mod teams;

pub use answerable::answerable;
pub use change::{MemberChange, change};
pub(crate) use filter::USUAL_ORDER;
pub use filter::{MembershipFilter, MembershipOrder};
pub use graphql::{ChangeAuthor, MemberQuery, User};
pub(crate) use invitations::invite_first_admin;
pub use invitations::{
    Invitation, InvitationMutation, InvitationOrderField, InvitationQuery, InvitationSecret,
    InvitationStatus, Invited, Invitee, NewInvitation, accept, invite, resend, revoke,
};
pub use model::{MAX_TEAM_DEPTH, Member, MemberOrderField, MembershipStatus, Team};
pub use mutation::{MemberMutation, TeamMutation};
pub(crate) use projection::{USER_SHAPE, stamp};
pub use remove::remove;
pub use suspend::{resume, suspend};
pub use teams::{create as create_team, delete as delete_team, update as update_team};

use crate::{base::error::Result, db::ReadTx, entity::OwnedKinds};

/// How many of a member's records, of those that the actor sees, are still to be reassigned.
///
/// # Errors
/// The database.
pub async fn misplaced(tx: &mut ReadTx, kinds: OwnedKinds, member: &Member) -> Result<i64> {
    match member.moving {
        true => store::misplaced(tx, kinds, member).await,
        false => Ok(0),
    }
}
