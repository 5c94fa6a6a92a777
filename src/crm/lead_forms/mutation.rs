//! Forms in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use sqlx::types::Json as Stored;

use super::{FieldMapping, LeadForm, LeadFormDuplicates, LeadFormFields, LeadFormTarget};
use crate::{
    base::{
        error::{Error, Result},
        ids::{LeadFormId, Typed as _, UserId},
    },
    graphql::{
        ContextExt as _, UserError, answer,
        patch::{patch, patch_or_default, patch_required},
    },
    organization::accounts::AccountsExt as _,
    platform::outbound::Outbound,
};

/// A posted field and where it goes.
#[derive(Debug, InputObject)]
struct LeadFormFieldInput {
    /// The name that it is posted under.
    name: String,
    /// The field of the lead.
    target: LeadFormTarget,
    /// Whether nothing is taken without it.
    #[graphql(default)]
    required: bool,
    /// How many characters it may have, fewer than the field of the lead.
    max_length: Option<i32>,
}

impl From<LeadFormFieldInput> for FieldMapping {
    fn from(input: LeadFormFieldInput) -> Self {
        Self {
            name: input.name,
            target: input.target,
            required: input.required,
            max_length: input.max_length,
        }
    }
}

/// What can be said of a form beside its name and its fields. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct LeadFormDetails {
    /// Whether it takes anything; null counts as left out.
    enabled: Option<bool>,
    /// The origins of pages that may post to it, such as `https://shop.example`. Without one only programs may.
    allowed_origins: MaybeUndefined<Vec<String>>,
    /// What new leads have as their source.
    source: MaybeUndefined<String>,
    /// Tags that leads get.
    tags: MaybeUndefined<Vec<String>>,
    /// Who owns new leads.
    owner_id: MaybeUndefined<UserId>,
    /// What is done when there is an open lead with the e-mail address; null counts as left out.
    duplicates: Option<LeadFormDuplicates>,
    /// What who submits agrees to; needs `consentField`.
    consent_text: MaybeUndefined<String>,
    /// Which version of the text that is.
    consent_version: MaybeUndefined<String>,
    /// The posted field that says yes to it.
    consent_field: MaybeUndefined<String>,
    /// A posted field that people don't see.
    honeypot: MaybeUndefined<String>,
    /// The page that a plain form goes on to, at one of the allowed origins.
    thanks_url: MaybeUndefined<String>,
    /// Where the answer to a captcha is verified; needs `captchaField` and `captchaSecret`.
    captcha_url: MaybeUndefined<String>,
    /// The posted field that has the answer.
    captcha_field: MaybeUndefined<String>,
    /// What the service verifies with. It is not shown again.
    captcha_secret: Option<String>,
}

impl LeadFormDetails {
    fn write_to(self, fields: &mut LeadFormFields) {
        patch_required(self.enabled, &mut fields.enabled);
        patch_or_default(self.allowed_origins, &mut fields.allowed_origins);
        patch(self.source, &mut fields.source);
        patch_or_default(self.tags, &mut fields.tags);
        patch(self.owner_id, &mut fields.owner_id);
        patch_required(self.duplicates, &mut fields.duplicates);
        patch(self.consent_text, &mut fields.consent_text);
        patch(self.consent_version, &mut fields.consent_version);
        patch(self.consent_field, &mut fields.consent_field);
        patch(self.honeypot, &mut fields.honeypot);
        patch(self.thanks_url, &mut fields.thanks_url);
        patch(self.captcha_url, &mut fields.captcha_url);
        patch(self.captcha_field, &mut fields.captcha_field);
    }
}

/// A form to be made.
#[derive(Debug, InputObject)]
struct LeadFormCreateInput {
    /// What it is called, for example after the campaign.
    name: String,
    /// The fields that are posted, and where they go.
    mapping: Vec<LeadFormFieldInput>,
    #[graphql(flatten)]
    details: LeadFormDetails,
}

/// A change to a form.
#[derive(Debug, InputObject)]
struct LeadFormUpdateInput {
    /// Which form.
    id: LeadFormId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// The fields that are posted, and where they go; replaces all.
    mapping: Option<Vec<LeadFormFieldInput>>,
    #[graphql(flatten)]
    details: LeadFormDetails,
}

/// What a change to a form came to.
#[derive(SimpleObject)]
struct LeadFormPayload {
    /// The form after the change; after a CONFLICT as it is now; null when the change was refused.
    lead_form: Option<Arc<LeadForm>>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

/// Writing forms; for who holds `integrations:write` and may change all leads.
#[derive(Default)]
pub struct LeadFormMutation;

#[Object]
impl LeadFormMutation {
    /// Makes a form.
    async fn lead_form_create(
        &self,
        ctx: &Context<'_>,
        input: LeadFormCreateInput,
    ) -> async_graphql::Result<LeadFormPayload> {
        let vault = Arc::clone(&ctx.accounts().vault);
        let checked = check_captcha_url(ctx, &input.details);
        let outcome = ctx.request().write(async |tx| {
            checked?;
            let LeadFormCreateInput {
                name,
                mapping,
                mut details,
            } = input;
            let mut fields = LeadFormFields {
                name,
                enabled: true,
                allowed_origins: Vec::new(),
                mapping: Stored(mapping.into_iter().map(FieldMapping::from).collect()),
                source: None,
                tags: Vec::new(),
                owner_id: None,
                duplicates: LeadFormDuplicates::UpdateOpen,
                consent_text: None,
                consent_version: None,
                consent_field: None,
                honeypot: None,
                thanks_url: None,
                captcha_url: None,
                captcha_field: None,
            };
            let secret = details.captcha_secret.take();
            details.write_to(&mut fields);
            super::create(tx, &vault, fields, secret).await
        });
        payload(ctx, LeadFormId::new(), outcome.await).await
    }

    /// Changes a form, also whether it takes anything.
    async fn lead_form_update(
        &self,
        ctx: &Context<'_>,
        input: LeadFormUpdateInput,
    ) -> async_graphql::Result<LeadFormPayload> {
        let (id, key) = (input.id, (input.id, input.expected_version));
        let vault = Arc::clone(&ctx.accounts().vault);
        let checked = check_captcha_url(ctx, &input.details);
        let outcome = ctx.request().write(async |tx| {
            checked?;
            let LeadFormUpdateInput {
                name,
                mapping,
                mut details,
                ..
            } = input;
            let secret = details.captcha_secret.take();
            let change = |fields: &mut LeadFormFields| {
                patch_required(name, &mut fields.name);
                if let Some(mapping) = mapping {
                    fields.mapping = Stored(mapping.into_iter().map(FieldMapping::from).collect());
                }
                details.write_to(fields);
            };
            super::update(tx, &vault, key, change, secret).await
        });
        payload(ctx, id, outcome.await).await
    }
}

/// Refuses a verifier that the server would not ask anyway, by the rules for all servers that tenants name.
fn check_captcha_url(ctx: &Context<'_>, details: &LeadFormDetails) -> Result<()> {
    let MaybeUndefined::Value(url) = &details.captcha_url else {
        return Ok(());
    };
    // Who may not write forms is told that first, and a blank one is none.
    if !ctx.request().actor().may("integrations:write") || url.trim().is_empty() {
        return Ok(());
    }
    let checked = ctx.data_unchecked::<Outbound>().check(url.trim());
    let checked = checked.map_err(|no| Error::invalid(no.code, "captchaUrl", no.message));
    checked.map(drop)
}

async fn payload(
    ctx: &Context<'_>,
    id: LeadFormId,
    outcome: Result<LeadForm>,
) -> async_graphql::Result<LeadFormPayload> {
    let (lead_form, user_errors) = answer(ctx, id.uuid(), outcome).await?;
    Ok(LeadFormPayload {
        lead_form,
        user_errors,
    })
}
