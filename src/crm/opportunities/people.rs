//! The people of a deal: its contacts, and who works on it beside its owner.

use super::{DealContact, DealUser, Opportunity, model, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{OpportunityId, Typed as _},
        text::Text,
    },
    crm::contacts::Contact,
    db::{Tx, journal::EventKind, list},
    entity,
    organization::members::Member,
};

/// Most contacts of a deal, and most people on it.
const MAX_PEOPLE: usize = 50;

/// Replaces the contacts of a deal. A primary contact that is not among them is none any more.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `TOO_MANY_VALUES`, `TOO_LONG`.
pub async fn set_contacts(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    mut contacts: Vec<DealContact>,
) -> Result<Opportunity> {
    check_contacts(&mut contacts)?;
    let ids: Vec<_> = contacts
        .iter()
        .map(|contact| contact.contact_id.uuid())
        .collect();
    list::require::<Contact>(tx, ids, "contacts").await?;
    entity::change::<Opportunity>(tx, deal, EventKind::Updated, async |tx, deal| {
        let primary = deal.fields.primary_contact_id;
        if primary.is_some_and(|id| !contacts.iter().any(|contact| contact.contact_id == id)) {
            deal.fields.primary_contact_id = None;
        }
        store::delete_contacts(tx, deal.id).await?;
        store::insert_contacts(tx, vec![(&*deal, contacts.as_slice())]).await?;
        deal.people_changed = true;
        Ok(())
    })
    .await
}

/// Replaces the people who work on a deal beside its owner. They see it whatever their row scope.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `TOO_MANY_VALUES`, `TOO_LONG`.
pub async fn set_collaborators(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    mut users: Vec<DealUser>,
) -> Result<Opportunity> {
    check_users(&mut users)?;
    let ids: Vec<_> = users.iter().map(|user| user.user_id.uuid()).collect();
    list::require::<Member>(tx, ids, "collaborators").await?;
    entity::change::<Opportunity>(tx, deal, EventKind::Updated, async |tx, deal| {
        replace_collaborators(tx, deal, &users).await
    })
    .await
}

/// Makes these the people who work on a locked deal beside its owner, and lets them see it.
pub(super) async fn replace_collaborators(
    tx: &mut Tx,
    deal: &mut Opportunity,
    users: &[DealUser],
) -> Result<()> {
    store::delete_users(tx, deal.id).await?;
    store::insert_users(tx, vec![(&*deal, users)]).await?;
    deal.shared_with = model::shared_with(users);
    deal.people_changed = true;
    Ok(())
}

/// Makes the primary contact one of the deal's contacts.
pub(super) async fn include_primary_contact(tx: &mut Tx, deal: &Opportunity) -> Result<()> {
    let Some(contact_id) = deal.fields.primary_contact_id else {
        return Ok(());
    };
    list::require::<Contact>(tx, [contact_id.uuid()], "primaryContactId").await?;
    store::include_contact(tx, deal, contact_id).await
}

/// Cleans and bounds the contacts of a deal; one named twice counts once.
pub(super) fn check_contacts(contacts: &mut Vec<DealContact>) -> Result<()> {
    bounded("contacts", contacts.len())?;
    for (i, contact) in contacts.iter_mut().enumerate() {
        let checked = Text::line("role").optional(&mut contact.role);
        checked.map_err(|error| error.within(&format!("contacts.{i}")))?;
    }
    contacts.sort_by_key(|contact| contact.contact_id);
    contacts.dedup_by_key(|contact| contact.contact_id);
    Ok(())
}

/// Cleans and bounds the people added to a deal; one named twice counts once.
pub(super) fn check_users(users: &mut Vec<DealUser>) -> Result<()> {
    bounded("collaborators", users.len())?;
    for (i, user) in users.iter_mut().enumerate() {
        let checked = Text::line("role").optional(&mut user.role);
        checked.map_err(|error| error.within(&format!("collaborators.{i}")))?;
    }
    users.sort_by_key(|user| user.user_id);
    users.dedup_by_key(|user| user.user_id);
    Ok(())
}

fn bounded(field: &'static str, found: usize) -> Result<()> {
    match found {
        0..=MAX_PEOPLE => Ok(()),
        _ => Err(Error::invalid(
            "TOO_MANY_VALUES",
            field,
            format!("expected at most {MAX_PEOPLE}, found {found}"),
        )),
    }
}
