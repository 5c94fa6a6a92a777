//! The schema: the domains put together.

use std::sync::Arc;

use async_graphql::{
    MergedObject, MergedSubscription, SDLExportOptions, SchemaBuilder, ValidationMode,
};

use super::{
    limits::Limits,
    live::LiveQuery,
    node::{NodeQuery, Nodes},
    spending::Spending,
};
use crate::{
    api::{
        audit::AuditQuery,
        presence::{PresenceQuery, PresenceSubscription},
    },
    base::entities::entities,
    crm::{
        self,
        lead_forms::{LeadFormMutation, LeadFormQuery},
    },
    entity::OwnedKinds,
    graphql::{Balances, subscription::AnyRecord},
    integrations::{
        accounts::{Connector, IntegrationMutation, IntegrationQuery, IntegrationSubscription},
        sync::SyncQuery,
    },
    organization::{
        accounts::{AccountMutation, AccountQuery, Accounts},
        api_keys::{ApiKeyMutation, ApiKeyQuery},
        identities::{IdentityMutation, IdentityQuery},
        inbound::{InboundMutation, InboundQuery},
        jobs::{JobMutation, JobQuery, JobSubscription},
        members::{InvitationMutation, InvitationQuery, MemberMutation, MemberQuery, TeamMutation},
        roles::{RoleMutation, RoleQuery},
        second_factor::{SecondFactorMutation, SecondFactorQuery},
        tenants::{TenantMutation, TenantQuery},
        webhooks::{
            RendererHandle, WebhookMutation, WebhookQuery,
            deliveries::{WebhookDeliveryQuery, WebhookDeliverySubscription},
        },
    },
    platform::{outbound::Outbound, redis::Presences},
};

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

macro_rules! roots {
    (
        targets { $($targets:tt)* }
        owned { $($owned:tt)* }
        shared { $($shared:tt)* }
        $($others:tt)*
    ) => {
        roots! { @of $($targets)* $($owned)* $($shared)* }
    };
    (@of $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )*) => {
        /// Everything that can be read.
        #[derive(Default, MergedObject)]
        pub struct Query(
            NodeQuery,
            LiveQuery,
            PresenceQuery,
            TenantQuery,
            MemberQuery,
            InvitationQuery,
            RoleQuery,
            ApiKeyQuery,
            InboundQuery,
            LeadFormQuery,
            $($layer::$domain::Query,)*
            AccountQuery,
            AuditQuery,
            JobQuery,
            IdentityQuery,
            IntegrationQuery,
            SecondFactorQuery,
            SyncQuery,
            WebhookQuery,
            WebhookDeliveryQuery,
        );

        /// Everything that can be changed. Each field is one transaction; several fields run one after the other.
        #[derive(Default, MergedObject)]
        pub struct Mutation(
            TenantMutation,
            MemberMutation,
            InvitationMutation,
            TeamMutation,
            RoleMutation,
            ApiKeyMutation,
            InboundMutation,
            LeadFormMutation,
            $($layer::$domain::Mutation,)*
            AccountMutation,
            IdentityMutation,
            IntegrationMutation,
            JobMutation,
            SecondFactorMutation,
            WebhookMutation,
        );

        /// Everything that can be watched, over a WebSocket or as server-sent events. A subscription has one top-level field.
        #[derive(Default, MergedSubscription)]
        pub struct Subscription(
            $($layer::$domain::Subscription,)*
            IntegrationSubscription,
            PresenceSubscription,
            JobSubscription,
            WebhookDeliverySubscription,
        );
    };
}
entities!(roots);

/// What the schema asks servers elsewhere by, and who renders what they are sent.
#[derive(Clone)]
pub struct Outward {
    /// Asks servers that tenants name.
    pub outbound: Outbound,
    /// Renders what they are sent.
    pub renderer: RendererHandle,
    /// What accounts at services are connected with.
    pub connector: Arc<Connector>,
}

/// Builds the schema of a server.
pub(super) fn build(
    limits: &Limits,
    accounts: Arc<Accounts>,
    presences: Arc<Presences>,
    spending: Arc<Spending>,
    outward: Outward,
) -> Schema {
    let builder = builder(limits).data(accounts).data(presences);
    let builder = builder.data(outward.outbound).data(outward.renderer);
    let builder = builder.data(outward.connector);
    let balances: Arc<dyn Balances> = spending;
    let records: Arc<dyn AnyRecord> = Arc::new(Nodes);
    let owned: OwnedKinds = &crm::OWNED;
    builder.data(balances).data(records).data(owned).finish()
}

/// The library's own limits stay on behind ours, as a second line of defence.
fn builder(limits: &Limits) -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(
        Query::default(),
        Mutation::default(),
        Subscription::default(),
    )
    // Documents are validated when they are read; what is executed is derived from valid ones.
    .validation_mode(ValidationMode::Fast)
    .limit_recursive_depth(limits.bracket_depth)
    .limit_directives(limits.directives)
    .disable_suggestions()
}

/// The schema in the schema definition language, sorted, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    let schema = builder(&Limits::default()).finish();
    format!("{}\n", schema.sdl_with_options(options).trim())
}
