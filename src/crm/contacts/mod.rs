//! Contacts: the people a tenant deals with, and the ways to reach them.
//!
//! A contact may work for a company, report to another contact, and belong to a person (its owner).

mod filter;
mod graphql;
mod methods;
mod model;
mod mutation;
mod projection;
mod record;
mod store;
mod subscription;

use std::collections::HashMap;

pub use filter::{ContactFilter, ContactOrder};
pub use graphql::ContactQuery as Query;
pub(crate) use graphql::{OF_COMPANY, OF_OPPORTUNITY, below};
pub use methods::{ContactMethod, ContactMethodKind, NewContactMethod};
pub use model::{Contact, ContactFields, NewContact};
pub use mutation::ContactMutation as Mutation;
pub(crate) use projection::{SHAPE, listed};
pub use record::ContactOrderField;
pub use subscription::{ContactEvent, ContactSubscription as Subscription};

use uuid::Uuid;

use crate::{
    base::ids::UserId,
    base::{
        error::Result,
        ids::{ContactId, Typed as _},
    },
    crm::companies::Company,
    db::{Tx, journal::EventKind, list},
    entity::{self, Changeable as _, Owned, Stamps},
};

/// Creates contacts with the ways to reach them, all or none. They may report to each other, in any order.
///
/// # Errors
/// What [`ContactFields::check`] refuses; on a field below `contactMethods` what is wrong with a method;
/// `NOT_FOUND` for an owner, a company or a boss that the actor can't see; `LOOP` when some report to each other in a circle; `FORBIDDEN` without the permission or
/// beyond the row scope.
pub async fn create_many(tx: &mut Tx, new: Vec<NewContact>) -> Result<Vec<Contact>> {
    let mut contacts = Vec::with_capacity(new.len());
    let mut methods_of = HashMap::with_capacity(new.len());
    for (
        place,
        NewContact {
            id,
            mut fields,
            methods,
            created_at,
        },
    ) in new.into_iter().enumerate()
    {
        fields.check()?;
        let methods = methods::arrange(methods, &[])?;
        let email = methods::preferred_email(&methods);
        methods_of.insert(id, (place, methods));
        contacts.push(Contact {
            id,
            fields,
            email,
            visible_to: String::new(),
            stamps: Stamps::new(tx, created_at),
            methods: None,
        });
    }
    entity::place_owners(
        tx,
        contacts
            .iter_mut()
            .map(|contact| &mut contact.fields.ownership),
    )
    .await?;
    let companies = contacts
        .iter()
        .filter_map(|contact| Some(contact.fields.company_id?.uuid()));
    list::require::<Company>(tx, companies, "companyId").await?;
    let bosses = contacts
        .iter()
        .filter_map(|contact| contact.fields.reports_to_id);
    let bosses = bosses
        .filter(|boss| !methods_of.contains_key(boss))
        .map(|boss| boss.uuid());
    list::require::<Contact>(tx, bosses, "reportsToId").await?;
    let mut created = entity::insert(tx, &model::bosses_first(contacts)?).await?;
    created.sort_by_key(|contact| methods_of[&contact.id].0);
    for contact in &mut created {
        contact.methods = methods_of.remove(&contact.id).map(|(_, methods)| methods);
    }
    let rows = created.iter().flat_map(|contact| {
        let methods = contact.methods.iter().flatten();
        methods.map(move |method| (contact, method))
    });
    methods::insert(tx, &rows.collect::<Vec<_>>()).await?;
    for contact in &created {
        entity::emit_created(tx, contact, &contact.told());
    }
    Ok(created)
}

/// Creates a contact. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// As [`create_many`].
pub async fn create(tx: &mut Tx, new: NewContact) -> Result<Contact> {
    let id = new.id.uuid();
    match list::find(tx, id).await? {
        Some(existing) => Ok(existing),
        None => Ok(create_many(tx, vec![new]).await?.remove(0)),
    }
}

/// Changes a contact. `methods`, when there, become all the ways to reach it; those that name an id keep their row.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `LOOP`, what `change` and [`ContactFields::check`] refuse; on a field below
/// `contactMethods` what is wrong with a method.
pub async fn update(
    tx: &mut Tx,
    (id, expected_version): (ContactId, Option<i32>),
    methods: Option<Vec<NewContactMethod>>,
    change: impl FnOnce(&mut ContactFields) -> Result<()>,
) -> Result<Contact> {
    let mut before: Contact = entity::lock(tx, id.uuid(), expected_version).await?;
    let mut after = before.clone();
    change(&mut after.fields)?;
    after.fields.check()?;
    check_references(tx, &before, &mut after).await?;
    if let Some(new) = methods {
        let old = methods::of(tx, id).await?;
        let new = methods::arrange(new, &old)?;
        after.email = methods::preferred_email(&new);
        (before.methods, after.methods) = (Some(old), Some(new));
    }
    entity::save(tx, EventKind::Updated, (before, after)).await
}

/// What the change makes the contact refer to must be visible, and it must not end up above itself.
async fn check_references(tx: &mut Tx, before: &Contact, after: &mut Contact) -> Result<()> {
    let (was, is) = (&before.fields, &mut after.fields);
    if is.company_id != was.company_id {
        list::require::<Company>(tx, is.company_id.map(|id| id.uuid()), "companyId").await?;
    }
    if is.reports_to_id != was.reports_to_id {
        list::require::<Contact>(tx, is.reports_to_id.map(|id| id.uuid()), "reportsToId").await?;
        store::refuse_loop(tx, before.id, is.reports_to_id).await?;
    }
    if is.ownership != was.ownership {
        entity::place_owners(tx, [&mut is.ownership]).await?;
    }
    Ok(())
}

impl Owned for Contact {
    async fn reassign(tx: &mut Tx, id: Uuid, people: (UserId, UserId)) -> Result<()> {
        let id = (ContactId::from_uuid(id), None);
        update(tx, id, None, |fields| {
            fields.ownership.hand_over(people);
            Ok(())
        })
        .await?;
        Ok(())
    }
}
