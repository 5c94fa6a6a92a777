//! Leads in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object};
use chrono::{DateTime, Utc};

use super::{Lead, LeadFields, LeadStatus, NewLead};
use crate::{
    access::Rights,
    base::{
        error::Result,
        ids::{LeadId, UserId},
    },
    crm::lifecycle::record_lifecycle,
    graphql::{
        ContextExt as _,
        patch::{patch, patch_money, patch_or_default, patch_required, refuse_masked},
        scalars::MoneyInput,
    },
};

/// What can be written of a lead beside its name. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct LeadDetails {
    /// E-mail address.
    email: MaybeUndefined<String>,
    /// Phone number.
    phone: MaybeUndefined<String>,
    /// The company they work for, in words.
    company_name: MaybeUndefined<String>,
    /// What they do there.
    title: MaybeUndefined<String>,
    /// How far the lead has come; null counts as left out. CONVERTED can't be set, and UNQUALIFIED needs a reason.
    status: Option<LeadStatus>,
    /// Why an UNQUALIFIED lead is not worth pursuing; emptied when it gets another status.
    unqualified_reason: MaybeUndefined<String>,
    /// Where the lead came from.
    source: MaybeUndefined<String>,
    /// Notes on the lead.
    notes: MaybeUndefined<String>,
    /// What a deal with them may be worth.
    estimated_amount: MaybeUndefined<MoneyInput>,
    /// When the next action is due.
    next_action_at: MaybeUndefined<DateTime<Utc>>,
    /// What is to be done then; needs `nextActionAt`.
    next_action_details: MaybeUndefined<String>,
    /// Who owns it. A new record is yours unless you say otherwise.
    owner_id: MaybeUndefined<UserId>,
    /// Free words to find it by; replaces all.
    tags: MaybeUndefined<Vec<String>>,
}

impl LeadDetails {
    fn write_to(self, fields: &mut LeadFields, rights: &Rights) -> Result<()> {
        refuse_masked(rights, LeadFields::EMAIL, &self.email, "email")?;
        refuse_masked(rights, LeadFields::PHONE, &self.phone, "phone")?;
        let amounts = LeadFields::ESTIMATED_AMOUNT_MINOR;
        refuse_masked(rights, amounts, &self.estimated_amount, "estimatedAmount")?;
        patch(self.email, &mut fields.email);
        patch(self.phone, &mut fields.phone);
        patch(self.company_name, &mut fields.company_name);
        patch(self.title, &mut fields.title);
        patch_required(self.status, &mut fields.status);
        patch(self.unqualified_reason, &mut fields.unqualified_reason);
        patch(self.source, &mut fields.source);
        patch(self.notes, &mut fields.notes);
        patch_money(
            self.estimated_amount,
            "estimatedAmount",
            (
                &mut fields.estimated_amount_minor,
                &mut fields.estimated_amount_currency,
            ),
        )?;
        patch(self.next_action_at, &mut fields.next_action_at);
        patch(self.next_action_details, &mut fields.next_action_details);
        patch(self.owner_id, &mut fields.ownership.owner_id);
        patch_or_default(self.tags, &mut fields.tags);
        Ok(())
    }
}

/// A lead to be created.
#[derive(Debug, InputObject)]
struct LeadCreateInput {
    /// Your own id for it (`lead:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<LeadId>,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    #[graphql(flatten)]
    details: LeadDetails,
}

/// A change to a lead.
#[derive(Debug, InputObject)]
struct LeadUpdateInput {
    /// Which lead.
    id: LeadId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// First name.
    first_name: Option<String>,
    /// Last name.
    last_name: Option<String>,
    #[graphql(flatten)]
    details: LeadDetails,
}

record_lifecycle! {
    Lead, LeadId;

    /// Names a lead, and the version it is expected at.
    LeadRefInput {
        /// Which lead.
        id
    }

    /// What a change to a lead came to.
    LeadPayload {
        /// The lead after the change; after a CONFLICT as it is now; null when the change was refused.
        lead
    }

    /// Archiving and deleting leads.
    LeadLifecycle {
        /// Archives a lead.
        lead_archive
        /// Restores a lead from the archive.
        lead_restore
        /// Deletes a lead for good; activities with it stay, without it.
        lead_delete
    }
}

/// Writing leads.
#[derive(Default)]
pub struct LeadMutation;

#[Object]
impl LeadMutation {
    /// Creates a lead.
    async fn lead_create(
        &self,
        ctx: &Context<'_>,
        input: LeadCreateInput,
    ) -> async_graphql::Result<LeadPayload> {
        let id = input.id.unwrap_or_default();
        let owner = ctx.request().actor().person();
        let outcome = ctx.request().write(async |tx| {
            let LeadCreateInput {
                first_name,
                last_name,
                details,
                ..
            } = input;
            let mut fields = LeadFields {
                first_name,
                last_name,
                ..Default::default()
            };
            fields.ownership.owner_id = owner;
            details.write_to(&mut fields, &tx.actor().rights)?;
            super::create(
                tx,
                NewLead {
                    id,
                    fields,
                    created_at: None,
                },
            )
            .await
        });
        LeadPayload::new(ctx, id, outcome.await).await
    }

    /// Changes a lead. Refused with INVALID_STATUS once it is converted.
    async fn lead_update(
        &self,
        ctx: &Context<'_>,
        input: LeadUpdateInput,
    ) -> async_graphql::Result<LeadPayload> {
        let id = input.id;
        let outcome = ctx.request().write(async |tx| {
            let LeadUpdateInput {
                id,
                expected_version,
                first_name,
                last_name,
                details,
            } = input;
            let rights = Arc::clone(&tx.actor().rights);
            super::update(tx, (id, expected_version), |fields| {
                patch_required(first_name, &mut fields.first_name);
                patch_required(last_name, &mut fields.last_name);
                details.write_to(fields, &rights)
            })
            .await
        });
        LeadPayload::new(ctx, id, outcome.await).await
    }

    #[graphql(flatten)]
    async fn lifecycle(&self) -> LeadLifecycle {
        LeadLifecycle
    }
}
