//! Leads: people who may become business and are not yet contacts.
//!
//! What a status asks for, and which change of it is allowed, is in `model.rs`.

mod filter;
mod graphql;
mod model;
mod mutation;
mod projection;
mod record;
mod subscription;

pub use filter::{LeadFilter, LeadOrder, LeadStatusFilter};
pub use graphql::LeadQuery as Query;
pub use model::{Lead, LeadFields, LeadStatus, NewLead};
pub use mutation::LeadMutation as Mutation;
pub use record::LeadOrderField;
pub use subscription::{LeadEvent, LeadSubscription as Subscription};

use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{LeadId, Typed as _, UserId},
    },
    db::{Tx, journal::EventKind, list},
    entity::Owned,
    entity::{self, Stamps},
};

/// Creates leads, all or none. Meant for imports too, so a lead may come with its past: converted already, or
/// with the time of its last activity.
///
/// # Errors
/// What [`LeadFields::check`] refuses; `NOT_FOUND` for an owner who is not a member; `FORBIDDEN` without the
/// permission or beyond the row scope.
pub async fn create_many(tx: &mut Tx, new: Vec<NewLead>) -> Result<Vec<Lead>> {
    let mut leads = Vec::with_capacity(new.len());
    for NewLead {
        id,
        mut fields,
        created_at,
    } in new
    {
        fields.check()?;
        leads.push(Lead {
            id,
            fields,
            visible_to: String::new(),
            stamps: Stamps::new(tx, created_at),
        });
    }
    entity::place_owners(tx, leads.iter_mut().map(|lead| &mut lead.fields.ownership)).await?;
    let created = entity::insert(tx, &leads).await?;
    for lead in &created {
        entity::emit_created(tx, lead, &lead.fields);
    }
    Ok(created)
}

/// Creates a lead. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// As [`create_many`], and `INVALID_STATUS` for one that would be converted from the start.
pub async fn create(tx: &mut Tx, new: NewLead) -> Result<Lead> {
    let id = new.id.uuid();
    if let Some(existing) = list::find(tx, id).await? {
        return Ok(existing);
    }
    new.fields.status.refuse_converted()?;
    Ok(create_many(tx, vec![new]).await?.remove(0))
}

/// Changes a lead.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, and what `change`, [`LeadFields::follow_from`] and [`LeadFields::check`]
/// refuse.
pub async fn update(
    tx: &mut Tx,
    lead: (LeadId, Option<i32>),
    change: impl FnOnce(&mut LeadFields) -> Result<()>,
) -> Result<Lead> {
    entity::change::<Lead>(tx, lead, EventKind::Updated, async |tx, lead| {
        let (before, after) = (lead.fields.clone(), &mut lead.fields);
        change(after)?;
        after.follow_from(&before)?;
        after.check()?;
        if after.ownership != before.ownership {
            entity::place_owners(tx, [&mut after.ownership]).await?;
        }
        Ok(())
    })
    .await
}

/// Gives a lead of a person to another one, or brings it to where the same person stands now; also a converted one.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`.
pub async fn reassign(tx: &mut Tx, id: LeadId, (from, to): (UserId, UserId)) -> Result<Lead> {
    entity::change::<Lead>(tx, (id, None), EventKind::Updated, async |tx, lead| {
        let ownership = &mut lead.fields.ownership;
        if ownership.owner_id == Some(from) {
            ownership.place_with(to);
            entity::place_owners(tx, [ownership]).await?;
        }
        Ok(())
    })
    .await
}

impl Owned for Lead {
    async fn reassign(tx: &mut Tx, id: Uuid, people: (UserId, UserId)) -> Result<()> {
        reassign(tx, LeadId::from_uuid(id), people).await?;
        Ok(())
    }
}
