//! The ways to reach a contact: e-mail addresses, numbers, web addresses.
//!
//! They only exist as parts of their contact: they are written as a whole list with it, count into its version, and
//! each row says who sees its contact, because a policy may not look elsewhere.

mod graphql;
mod model;
mod store;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use uuid::Uuid;

pub(super) use graphql::ContactMethodInput;
pub use model::{ContactMethod, ContactMethodKind, NewContactMethod};
pub(super) use model::{arrange, preferred_email, preferred_phone, refuse_masked};
pub(super) use store::{follow, insert};

use super::Contact;
use crate::{
    base::{
        error::Result,
        ids::{ContactId, ContactMethodId, Typed as _},
    },
    db::{ReadTx, Tx},
    graphql::Batch,
};

/// The methods of many contacts at once, each contact's in their order.
pub(super) struct MethodsOfContact;

impl Batch for MethodsOfContact {
    type Value = Arc<[ContactMethod]>;

    async fn load(tx: &mut ReadTx, contacts: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        let methods = store::of(tx, contacts).await?;
        Ok(methods
            .into_iter()
            .map(|(contact, methods)| (contact, methods.into()))
            .collect())
    }
}

/// The methods of a contact, in their order.
pub(super) async fn of(tx: &mut Tx, contact: ContactId) -> Result<Vec<ContactMethod>> {
    let mut methods = store::of(tx, &[contact.uuid()]).await?;
    Ok(methods.remove(&contact.uuid()).unwrap_or_default())
}

/// Makes `after` the methods of a contact that has `before`: only rows that differ are touched.
pub(super) async fn replace(
    tx: &mut Tx,
    contact: &Contact,
    before: &[ContactMethod],
    after: &[ContactMethod],
) -> Result<()> {
    let among = |methods: &[ContactMethod], id: ContactMethodId| {
        methods.iter().any(|method| method.id == id)
    };
    let gone: Vec<ContactMethodId> = before
        .iter()
        .map(|method| method.id)
        .filter(|id| !among(after, *id))
        .collect();
    let (kept, new): (Vec<_>, Vec<_>) = after.iter().partition(|method| among(before, method.id));
    let changed: Vec<&ContactMethod> = kept
        .into_iter()
        .filter(|method| !before.contains(method))
        .collect();
    store::delete(tx, contact, gone).await?;
    store::update(tx, contact, &changed).await?;
    let new: Vec<_> = new.into_iter().map(|method| (contact, method)).collect();
    store::insert(tx, &new).await
}
