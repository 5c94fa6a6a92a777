//! Opportunities: deals on their way through a pipeline, and what is to be done next about each.
//!
//! Plain changes go through [`update`]; everything that means something in the business is an act of its own:
//! [`move_stage`], [`win`], [`lose`], [`reopen`], [`reorder`], [`set_next_action`], [`complete_next_action`].
//! Which of them are allowed when, and what each changes, is in `standing.rs`.
//! A deal that changes its stage or status leaves a row in its stage history, which nothing ever changes.

mod advance;
mod board;
mod due;
mod filter;
mod graphql;
mod history;
mod input;
mod loader;
mod model;
mod mutation;
mod new;
mod next_action;
mod parts;
mod people;
mod place;
mod projection;
mod reassign;
mod record;
mod standing;
mod stats;
mod store;
mod subscription;

use std::collections::HashMap;

use uuid::Uuid;

pub use advance::{Place, lose, move_stage, reopen, reorder, win};
pub use filter::{OpportunityFilter, OpportunityOrder};
pub use graphql::OpportunityQuery as Query;
pub(crate) use graphql::{OF_COMPANY, OF_CONTACT, OF_PIPELINE, OF_STAGE, below};
pub use model::{
    DealContact, DealUser, ForecastCategory, NextAction, Opportunity, OpportunityFields,
};
pub use mutation::OpportunityMutation as Mutation;
pub use new::{NewOpportunity, StageVisit};
pub use next_action::{Completion, complete_next_action, set_next_action};
pub use people::{set_collaborators, set_contacts};
pub(crate) use projection::listed;
pub use reassign::reassign;
pub use record::OpportunityOrderField;
pub use standing::{Loss, OpportunityStatus};
pub use stats::PipelineStats;
pub use subscription::{BoardEvent, OpportunityEvent, OpportunitySubscription as Subscription};

use crate::{
    base::{
        error::{Error, Result},
        ids::{OpportunityId, StageId, Typed as _},
    },
    crm::{
        companies::Company,
        contacts::Contact,
        pipelines::{self, Stage},
    },
    db::{Tx, journal::EventKind, list},
    entity::{self, Changeable as _, Stamps},
    organization::members::Member,
};

/// Creates deals, all or none, each standing in its stage with the history of how it came there.
///
/// # Errors
/// What [`OpportunityFields::check`] refuses; `NOT_FOUND` for a stage, company, contact or person that the actor
/// can't see; `LOST_REASON_REQUIRED`; `FORBIDDEN` without the permission or beyond the row scope.
pub async fn create_many(tx: &mut Tx, mut new: Vec<NewOpportunity>) -> Result<Vec<Opportunity>> {
    for deal in &mut new {
        deal.check()?;
    }
    refer(tx, &new).await?;
    entity::place_owners(tx, new.iter_mut().map(|deal| &mut deal.fields.ownership)).await?;

    let stages: HashMap<StageId, Stage> = pipelines::stages(tx, None)
        .await?
        .into_iter()
        .map(|stage| (stage.id, stage))
        .collect();
    let (mut deals, mut parts) = (Vec::with_capacity(new.len()), Vec::with_capacity(new.len()));
    for deal in new {
        let stage = stages.get(&deal.stage_id).ok_or(Error::NotFound {
            kind: "stage",
            field: "stageId",
        })?;
        let stamps = Stamps::new(tx, deal.created_at);
        let (deal, with) = deal.enter(stage, stamps)?;
        if with
            .path
            .iter()
            .any(|visit| !stages.contains_key(&visit.stage_id))
        {
            return Err(Error::NotFound {
                kind: "stage",
                field: "stageId",
            });
        }
        deals.push(deal);
        parts.push(with);
    }
    let created = entity::insert(tx, &deals).await?;
    let (mut contacts, mut users, mut history) = (Vec::new(), Vec::new(), Vec::new());
    for (deal, with) in created.iter().zip(&parts) {
        contacts.push((deal, with.contacts.as_slice()));
        users.push((deal, with.users.as_slice()));
        history.extend(history::of(deal, &with.path, &stages));
    }
    store::insert_contacts(tx, contacts).await?;
    store::insert_users(tx, users).await?;
    store::insert_history(tx, history).await?;
    for deal in &created {
        entity::emit_created(tx, deal, &deal.told());
    }
    Ok(created)
}

/// Creates a deal. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// As [`create_many`].
pub async fn create(tx: &mut Tx, new: NewOpportunity) -> Result<Opportunity> {
    if let Some(existing) = list::find(tx, new.id.uuid()).await? {
        return Ok(existing);
    }
    let deal = create_many(tx, vec![new]).await?.remove(0);
    if deal.standing.status == OpportunityStatus::Lost {
        advance::require_reason(tx, &deal, "lostReason").await?;
    }
    Ok(deal)
}

/// Changes what is plainly written of a deal; the probability of the stage is taken back with `Some(None)`.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, and what `edit` and [`OpportunityFields::check`] refuse.
pub async fn update(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    probability: Option<Option<i16>>,
    edit: impl FnOnce(&mut OpportunityFields) -> Result<()>,
) -> Result<Opportunity> {
    entity::change::<Opportunity>(tx, deal, EventKind::Updated, async |tx, deal| {
        let before = deal.fields.clone();
        edit(&mut deal.fields)?;
        deal.fields.check()?;
        if deal.fields.company_id != before.company_id {
            let company: Option<Uuid> = deal.fields.company_id.map(|id| id.uuid());
            list::require::<Company>(tx, company, "companyId").await?;
        }
        if deal.fields.primary_contact_id != before.primary_contact_id {
            people::include_primary_contact(tx, deal).await?;
        }
        if deal.fields.ownership != before.ownership {
            entity::place_owners(tx, [&mut deal.fields.ownership]).await?;
        }
        match probability {
            None => {}
            Some(Some(by_hand)) => deal.set_probability(by_hand)?,
            Some(None) => {
                let stage = pipelines::get_stage(tx, deal.standing.stage_id).await?;
                deal.follow_stage(&stage);
            }
        }
        Ok(())
    })
    .await
}

/// Refuses references that the actor can't see.
async fn refer(tx: &mut Tx, new: &[NewOpportunity]) -> Result<()> {
    let (mut companies, mut primary, mut contacts) = (Vec::new(), Vec::new(), Vec::new());
    let (mut users, mut next) = (Vec::new(), Vec::new());
    for deal in new {
        companies.extend(deal.fields.company_id.map(|id| id.uuid()));
        primary.extend(deal.fields.primary_contact_id.map(|id| id.uuid()));
        let others = deal.contacts.iter().map(|contact| contact.contact_id);
        contacts.extend(
            others
                .filter(|id| Some(*id) != deal.fields.primary_contact_id)
                .map(|id| id.uuid()),
        );
        users.extend(deal.users.iter().map(|user| user.user_id.uuid()));
        next.extend(
            deal.next_action
                .as_ref()
                .and_then(|next| Some(next.owner_id?.uuid())),
        );
    }
    list::require::<Company>(tx, companies, "companyId").await?;
    list::require::<Contact>(tx, primary, "primaryContactId").await?;
    list::require::<Contact>(tx, contacts, "contacts").await?;
    list::require::<Member>(tx, users, "collaborators").await?;
    entity::require_owners(tx, next, "nextAction.ownerId").await
}
