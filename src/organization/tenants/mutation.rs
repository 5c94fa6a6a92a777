//! The tenant in the schema: what can be changed.

use async_graphql::{Context, InputObject, MaybeUndefined, Object, SimpleObject};
use uuid::Uuid;

use super::{Tenant, lifecycle};
use crate::{
    base::{
        error::{Error, Result},
        ids::Typed as _,
    },
    db::Tx,
    graphql::{
        ContextExt as _, UserError, Written,
        patch::{patch, patch_required},
    },
    organization::{accounts::AccountsExt as _, identities::Identities},
};

/// A change to the tenant. Leave a field out to keep it.
#[derive(Debug, InputObject)]
struct TenantUpdateInput {
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// The currency it reports in, by its ISO 4217 code.
    base_currency: Option<String>,
    /// Its time zone, by its IANA name.
    time_zone: Option<String>,
    /// Its language and region (BCP 47).
    locale: Option<String>,
    /// The month its fiscal year starts in, 1 to 12.
    fiscal_year_start: Option<i16>,
    /// Whether losing a deal needs a reason.
    lost_reason_required: Option<bool>,
    /// From which warmness score on (0 to 100) a contact counts as warm.
    warmness_threshold: Option<i16>,
    /// Whether everybody needs a second factor to sign in.
    second_factor_required: Option<bool>,
    /// The outside provider that everybody has to sign in through, by its key; null accepts passwords again.
    required_provider: MaybeUndefined<String>,
    /// Whether only the documents that the operator of the server has listed are run for the tenant's people and keys.
    /// A `tenantUpdate` by itself still is, so that this can be undone.
    trusted_documents_only: Option<bool>,
}

/// Scheduling the end of the tenant.
#[derive(Debug, InputObject)]
struct TenantScheduleDeletionInput {
    /// The tenant's short name, typed to confirm.
    slug: String,
    /// Days until its data may be removed, 7 to 90.
    #[graphql(default_with = "lifecycle::USUAL_GRACE")]
    grace_days: i32,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// Calling the end of the tenant off.
#[derive(Debug, InputObject)]
struct TenantCancelDeletionInput {
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
}

/// What a change to the tenant came to.
#[derive(SimpleObject)]
struct TenantPayload {
    /// The tenant after the change; after a CONFLICT as it is now; null when the change was refused.
    tenant: Option<Tenant>,
    /// What has to be mended; empty when the change was made.
    user_errors: Vec<UserError>,
}

impl TenantPayload {
    async fn new(ctx: &Context<'_>, outcome: Result<Tenant>) -> async_graphql::Result<Self> {
        let (tenant, error) = match outcome {
            Ok(tenant) => (Some(tenant), None),
            Err(error @ Error::Conflict { .. }) => {
                let now = ctx.request().read(async |tx| super::own(tx).await);
                (Some(now.await?), Some(error))
            }
            Err(error) if error.is_users() => (None, Some(error)),
            Err(error) => return Err(error.into()),
        };
        Ok(Self {
            tenant,
            user_errors: error.as_ref().map(UserError::from).into_iter().collect(),
        })
    }
}

impl Written for Tenant {
    const LOST: &str = "read the tenant";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        Some((super::KIND, self.tenant_id.uuid()))
    }

    async fn rebuild(tx: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        super::own(tx).await.map(Some)
    }
}

/// Refuses a provider through which no member could sign in: the setting would lock all of them out.
async fn require_provider(tx: &mut Tx, identities: &Identities, provider: &str) -> Result<()> {
    let tenant = super::own(tx).await?;
    if identities.trusts(Some(provider), &tenant.slug) {
        return Ok(());
    }
    let message =
        "this server has no such provider for this tenant; `signInOptions` lists those it has";
    Err(Error::invalid(
        "UNKNOWN_PROVIDER",
        "requiredProvider",
        message,
    ))
}

/// Changing the tenant that your token is for.
#[derive(Default)]
pub struct TenantMutation;

#[Object]
impl TenantMutation {
    /// Changes the settings of the tenant.
    async fn tenant_update(
        &self,
        ctx: &Context<'_>,
        input: TenantUpdateInput,
    ) -> async_graphql::Result<TenantPayload> {
        let version = input.expected_version;
        let provider = input.required_provider.as_opt_ref().flatten().cloned();
        let identities = &ctx.accounts().identities;
        let outcome = ctx.request().write(async |tx| {
            if let Some(provider) = &provider {
                require_provider(tx, identities, provider).await?;
            }
            super::update(tx, version, |settings| {
                patch_required(input.name, &mut settings.name);
                patch_required(input.base_currency, &mut settings.base_currency);
                patch_required(input.time_zone, &mut settings.time_zone);
                patch_required(input.locale, &mut settings.locale);
                patch_required(input.fiscal_year_start, &mut settings.fiscal_year_start);
                patch_required(
                    input.lost_reason_required,
                    &mut settings.lost_reason_required,
                );
                patch_required(input.warmness_threshold, &mut settings.warmness_threshold);
                let second = &mut settings.second_factor_required;
                patch_required(input.second_factor_required, second);
                patch(input.required_provider, &mut settings.required_provider);
                let trusted = &mut settings.trusted_documents_only;
                patch_required(input.trusted_documents_only, trusted);
            })
            .await
        });
        TenantPayload::new(ctx, outcome.await).await
    }

    /// Schedules the end of the tenant, with all it has. Until then it can only be read, and the end be called off.
    async fn tenant_schedule_deletion(
        &self,
        ctx: &Context<'_>,
        input: TenantScheduleDeletionInput,
    ) -> async_graphql::Result<TenantPayload> {
        let request = ctx.request();
        let outcome = lifecycle::schedule_deletion(
            request.db(),
            request.actor(),
            request.origin(),
            &input.slug,
            input.grace_days,
            input.expected_version,
        );
        TenantPayload::new(ctx, outcome.await).await
    }

    /// Calls the end of the tenant off.
    async fn tenant_cancel_deletion(
        &self,
        ctx: &Context<'_>,
        input: TenantCancelDeletionInput,
    ) -> async_graphql::Result<TenantPayload> {
        let request = ctx.request();
        let outcome = lifecycle::cancel_deletion(
            request.db(),
            request.actor(),
            request.origin(),
            input.expected_version,
        );
        TenantPayload::new(ctx, outcome.await).await
    }
}
