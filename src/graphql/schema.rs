//! The schema: the domains put together. A new domain is one line in each list.

use std::sync::Arc;

use async_graphql::{
    EmptySubscription, MergedObject, SDLExportOptions, SchemaBuilder, ValidationMode,
};

use super::{limits::Limits, node::NodeQuery};
use crate::{
    accounts::{AccountMutation, AccountQuery, Accounts},
    activities::{ActivityMutation, ActivityQuery},
    api_keys::{ApiKeyMutation, ApiKeyQuery},
    audit::AuditQuery,
    companies::{CompanyMutation, CompanyQuery},
    contacts::{ContactMutation, ContactQuery},
    identities::{IdentityMutation, IdentityQuery},
    leads::{LeadMutation, LeadQuery},
    members::MemberQuery,
    opportunities::{OpportunityMutation, OpportunityQuery},
    pipelines::{PipelineMutation, PipelineQuery},
    roles::{RoleMutation, RoleQuery},
    second_factor::{SecondFactorMutation, SecondFactorQuery},
    tenants::TenantQuery,
};

/// The executable schema.
pub type Schema = async_graphql::Schema<Query, Mutation, EmptySubscription>;

/// Everything that can be read.
#[derive(Default, MergedObject)]
pub struct Query(
    NodeQuery,
    TenantQuery,
    MemberQuery,
    RoleQuery,
    ApiKeyQuery,
    CompanyQuery,
    ContactQuery,
    LeadQuery,
    PipelineQuery,
    OpportunityQuery,
    ActivityQuery,
    AccountQuery,
    AuditQuery,
    IdentityQuery,
    SecondFactorQuery,
);

/// Everything that can be changed. Each field is one transaction; several fields run one after the other.
#[derive(Default, MergedObject)]
pub struct Mutation(
    RoleMutation,
    ApiKeyMutation,
    CompanyMutation,
    ContactMutation,
    LeadMutation,
    PipelineMutation,
    OpportunityMutation,
    ActivityMutation,
    AccountMutation,
    IdentityMutation,
    SecondFactorMutation,
);

/// Builds the schema of a server.
pub(super) fn build(limits: &Limits, accounts: Arc<Accounts>) -> Schema {
    builder(limits).data(accounts).finish()
}

/// The library's own limits stay on behind ours, as a second wall.
fn builder(limits: &Limits) -> SchemaBuilder<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .validation_mode(ValidationMode::Strict)
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
