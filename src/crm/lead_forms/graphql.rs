//! Forms and their submissions in the schema: what can be read.

use std::sync::Arc;

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    FieldMapping, FormKey, LeadForm, LeadFormFields, LeadFormSubmission, SubmissionOutcome,
    filter::{
        LeadFormFilter, LeadFormOrder, LeadFormSubmissionFilter, LeadFormSubmissionOrder, NEWEST,
        USUAL_ORDER,
    },
    form,
    submission::Extras,
};
use crate::{
    base::{
        error::Result,
        ids::{LeadFormId, LeadFormSubmissionId, Typed as _},
    },
    crm::leads::Lead,
    graphql::{Connection, ContextExt as _, ListArgs, Listing, RecordRights, scalars::JsonValue},
    organization::members::{ChangeAuthor, User},
};

/// A form on pages, or an address for programs, by which strangers become leads.
#[Object]
impl LeadForm {
    /// The id, as `leadForm:<uuid>`.
    pub async fn id(&self) -> LeadFormId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &LeadFormFields {
        &self.fields
    }

    /// What follows the server's name in the address that is posted to. It is no secret.
    async fn path(&self, ctx: &Context<'_>) -> String {
        let tenant = ctx.request().actor().tenant;
        let key = FormKey {
            tenant,
            id: self.id,
        };
        format!("/capture/{}", key.text())
    }

    /// The fields that are posted, and where they go.
    async fn mapping(&self) -> &[FieldMapping] {
        &self.fields.mapping.0
    }

    /// Who owns new leads.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, self.fields.owner_id).await
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights {
            update: form::may_write(ctx.request().actor()),
            delete: false,
        }
    }

    /// When it was made.
    async fn created_at(&self) -> DateTime<Utc> {
        self.stamps.created_at
    }

    /// Who made it.
    async fn created_by(&self) -> ChangeAuthor {
        ChangeAuthor::new(&self.stamps.created_by)
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }

    /// Counts changes; send it back as `expectedVersion` to not overwrite another change.
    async fn version(&self) -> i32 {
        self.stamps.version
    }
}

/// What was posted to a form, and what it came to. One that came to nothing is forgotten after 30 days.
#[Object]
impl LeadFormSubmission {
    /// The id, as `leadFormSubmission:<uuid>`.
    pub async fn id(&self) -> LeadFormSubmissionId {
        self.id
    }

    /// The form.
    async fn form(&self, ctx: &Context<'_>) -> Result<Option<Arc<LeadForm>>> {
        ctx.request().load(Some(self.lead_form_id)).await
    }

    /// What it came to.
    async fn outcome(&self) -> SubmissionOutcome {
        self.outcome
    }

    /// Why it was refused, for programs.
    async fn reason_code(&self) -> Option<&str> {
        self.reason_code.as_deref()
    }

    /// For which posted field it was refused.
    async fn reason_field(&self) -> Option<&str> {
        self.reason_field.as_deref()
    }

    /// The lead that came about or was added to; null when it is gone or not in your sight.
    async fn lead(&self, ctx: &Context<'_>) -> Result<Option<Arc<Lead>>> {
        ctx.request().load(self.lead_id).await
    }

    /// What its sender agreed to.
    async fn consent_text(&self) -> Option<&str> {
        self.consent_text.as_deref()
    }

    /// Which version of the text that was.
    async fn consent_version(&self) -> Option<&str> {
        self.consent_version.as_deref()
    }

    /// The page that it came from, as that said.
    async fn page_url(&self) -> Option<&str> {
        self.page_url.as_deref()
    }

    /// The network that it came from: the address without its last part.
    async fn network(&self) -> Option<&str> {
        self.address.as_deref()
    }

    /// What was posted beside the fields that are mapped, as far as it is kept. Null for who is not shown all fields of
    /// records: anything may be in it.
    async fn extra(&self, ctx: &Context<'_>) -> Result<Option<JsonValue>> {
        if !ctx.request().actor().rights.masks().is_empty() {
            return Ok(None);
        }
        let extra = ctx.request().load_with::<Extras>(self.id.uuid()).await?;
        Ok(JsonValue::some(extra))
    }

    /// When it was submitted.
    async fn submitted_at(&self) -> DateTime<Utc> {
        self.submitted_at
    }
}

/// Reading forms and what was posted to them; for who holds `integrations:write`.
#[derive(Default)]
pub struct LeadFormQuery;

#[connection_args]
#[Object]
impl LeadFormQuery {
    /// A form by its id; null when there is none that you may see.
    async fn lead_form(&self, ctx: &Context<'_>, id: LeadFormId) -> Result<Option<Arc<LeadForm>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// The forms of the tenant, the newest first unless ordered otherwise.
    async fn lead_forms(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<LeadFormFilter, LeadFormOrder>,
    ) -> Result<Connection<LeadForm>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, USUAL_ORDER)?).await
    }

    /// A submission by its id; null when there is none that you may see.
    async fn lead_form_submission(
        &self,
        ctx: &Context<'_>,
        id: LeadFormSubmissionId,
    ) -> Result<Option<Arc<LeadFormSubmission>>> {
        ctx.request().load(Some(id.uuid())).await
    }

    /// What was posted to the forms of the tenant, the newest first unless ordered otherwise.
    async fn lead_form_submissions(
        &self,
        ctx: &Context<'_>,
        #[list(never_archived)] args: ListArgs<LeadFormSubmissionFilter, LeadFormSubmissionOrder>,
    ) -> Result<Connection<LeadFormSubmission>> {
        Listing::read(ctx, args.query(ctx.request().actor().tenant, NEWEST)?).await
    }
}
