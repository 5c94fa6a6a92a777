//! Reassigning a member's part in deals: as their owner, for the next action, or as a collaborator.

use uuid::Uuid;

use super::{DealUser, Opportunity, people, store};
use crate::{
    base::{
        error::Result,
        ids::{OpportunityId, Typed as _, UserId},
    },
    db::{Tx, journal::EventKind},
    entity,
    entity::{IdPage, Owned},
};

/// Replaces one member by another wherever a deal names the first. The same member twice only refreshes where the owner
/// is in the team tree.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`, or the database.
pub async fn reassign(
    tx: &mut Tx,
    id: OpportunityId,
    (from, to): (UserId, UserId),
) -> Result<Opportunity> {
    entity::change::<Opportunity>(tx, (id, None), EventKind::Updated, async |tx, deal| {
        let owner = deal.fields.ownership.owner_id;
        if owner == Some(from) {
            deal.fields.ownership.place_with(to);
            entity::place_owners(tx, [&mut deal.fields.ownership]).await?;
        }
        if deal.agenda.next_action_owner_id == Some(from) {
            deal.agenda.next_action_owner_id = Some(to);
        }
        if from == to {
            return Ok(());
        }
        let mut users = store::users_of(tx, deal.id).await?;
        if users.iter().any(|user| user.user_id == from) {
            replace(&mut users, (from, to), deal.fields.ownership.owner_id);
            people::replace_collaborators(tx, deal, &users).await?;
        }
        Ok(())
    })
    .await
}

/// A deal names each member once.
fn replace(users: &mut Vec<DealUser>, (from, to): (UserId, UserId), owner: Option<UserId>) {
    let stands = owner == Some(to) || users.iter().any(|user| user.user_id == to);
    if stands {
        users.retain(|user| user.user_id != from);
    } else {
        for user in users.iter_mut().filter(|user| user.user_id == from) {
            user.user_id = to;
        }
    }
}

impl Owned for Opportunity {
    async fn of_person(tx: &mut Tx, person: UserId, page: IdPage) -> Result<Vec<Uuid>> {
        store::of_person(tx, person, page).await
    }

    async fn reassign(tx: &mut Tx, id: Uuid, people: (UserId, UserId)) -> Result<()> {
        reassign(tx, OpportunityId::from_uuid(id), people).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_takes_the_place_unless_they_have_one() {
        let (from, to, other) = (UserId::new(), UserId::new(), UserId::new());
        let of = |ids: &[UserId]| -> Vec<DealUser> {
            let role = Some("Engineer".to_owned());
            ids.iter()
                .map(|&user_id| DealUser {
                    user_id,
                    role: role.clone(),
                })
                .collect()
        };
        for (before, owner, after) in [
            (vec![from, other], None, vec![to, other]),
            (vec![from, to], None, vec![to]),
            (vec![from, other], Some(to), vec![other]),
        ] {
            let mut users = of(&before);
            replace(&mut users, (from, to), owner);
            assert_eq!(users, of(&after));
        }
    }
}
