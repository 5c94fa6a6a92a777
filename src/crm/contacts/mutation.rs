//! Contacts in the schema: what can be changed.

use async_graphql::{Context, InputObject, MaybeUndefined, Object};
use chrono::{DateTime, Utc};

use super::{
    Contact, ContactFields, NewContact, NewContactMethod,
    methods::{self, ContactMethodInput},
};
use crate::{
    base::ids::{CompanyId, ContactId, UserId},
    crm::lifecycle::record_lifecycle,
    graphql::{
        ContextExt as _,
        patch::{self, patch, patch_or_default, patch_required},
    },
};

/// What can be written of a contact beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct ContactDetails {
    /// What the person does.
    job_title: MaybeUndefined<String>,
    /// Where in the company the person works.
    department: MaybeUndefined<String>,
    /// The company the person works for.
    company_id: MaybeUndefined<CompanyId>,
    /// The person's boss; nobody can be above themselves.
    reports_to_id: MaybeUndefined<ContactId>,
    /// How warm the relationship is, from 0 (cold) to 100.
    warmness_score: MaybeUndefined<i16>,
    /// When the person was last in touch with the tenant.
    last_contacted_at: MaybeUndefined<DateTime<Utc>>,
    /// Who owns it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl ContactDetails {
    fn write_to(self, fields: &mut ContactFields) {
        patch(self.job_title, &mut fields.job_title);
        patch(self.department, &mut fields.department);
        patch(self.company_id, &mut fields.company_id);
        patch(self.reports_to_id, &mut fields.reports_to_id);
        patch_or_default(self.warmness_score, &mut fields.warmness_score);
        patch(self.last_contacted_at, &mut fields.last_contacted_at);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
    }
}

/// A contact to be created.
#[derive(Debug, InputObject)]
struct ContactCreateInput {
    /// Your own id for it (`contact:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<ContactId>,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// The ways to reach the person, at most 20.
    contact_methods: Option<Vec<ContactMethodInput>>,
    #[graphql(flatten)]
    details: ContactDetails,
}

/// A change to a contact.
#[derive(Debug, InputObject)]
struct ContactUpdateInput {
    /// Which contact.
    id: ContactId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// First name.
    first_name: Option<String>,
    /// Last name.
    last_name: Option<String>,
    /// The ways to reach the person, at most 20; replaces all. Those that name their id are kept, null takes all away.
    contact_methods: MaybeUndefined<Vec<ContactMethodInput>>,
    #[graphql(flatten)]
    details: ContactDetails,
}

record_lifecycle! {
    Contact, ContactId;

    /// Names a contact, and the version it is expected at.
    ContactRefInput {
        /// Which contact.
        id
    }

    /// What a change to a contact came to.
    ContactPayload {
        /// The contact after the change; after a CONFLICT as it is now; null when the change was refused.
        contact
    }

    /// Archiving and deleting contacts.
    ContactLifecycle {
        /// Archives a contact.
        contact_archive
        /// Restores a contact from the archive.
        contact_restore
        /// Deletes a contact for good. Refused with IN_USE while deals or people who report to it refer to it.
        contact_delete
    }
}

/// Writing contacts.
#[derive(Default)]
pub struct ContactMutation;

#[Object]
impl ContactMutation {
    /// Creates a contact.
    async fn contact_create(
        &self,
        ctx: &Context<'_>,
        input: ContactCreateInput,
    ) -> async_graphql::Result<ContactPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let ContactCreateInput {
                first_name,
                last_name,
                contact_methods,
                details,
                ..
            } = input;
            let mut fields = ContactFields {
                first_name,
                last_name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            details.write_to(&mut fields);
            let methods = new_methods(contact_methods.unwrap_or_default());
            methods::refuse_masked(&tx.actor().rights, &methods)?;
            super::create(
                tx,
                NewContact {
                    id,
                    fields,
                    methods,
                    created_at: None,
                },
            )
            .await
        });
        ContactPayload::new(ctx, id, outcome.await).await
    }

    /// Changes a contact.
    async fn contact_update(
        &self,
        ctx: &Context<'_>,
        input: ContactUpdateInput,
    ) -> async_graphql::Result<ContactPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let ContactUpdateInput {
                id,
                expected_version,
                first_name,
                last_name,
                contact_methods,
                details,
            } = input;
            // They are replaced as a whole, and nobody can send back what they were not shown.
            patch::refuse_masked(
                &tx.actor().rights,
                ContactFields::CONTACT_METHODS,
                &contact_methods,
                "contactMethods",
            )?;
            let methods = match contact_methods {
                MaybeUndefined::Undefined => None,
                MaybeUndefined::Null => Some(Vec::new()),
                MaybeUndefined::Value(methods) => Some(new_methods(methods)),
            };
            super::update(tx, (id, expected_version), methods, |fields| {
                patch_required(first_name, &mut fields.first_name);
                patch_required(last_name, &mut fields.last_name);
                details.write_to(fields);
                Ok(())
            })
            .await
        });
        ContactPayload::new(ctx, id, outcome.await).await
    }

    #[graphql(flatten)]
    async fn lifecycle(&self) -> ContactLifecycle {
        ContactLifecycle
    }
}

fn new_methods(inputs: Vec<ContactMethodInput>) -> Vec<NewContactMethod> {
    inputs.into_iter().map(NewContactMethod::from).collect()
}
