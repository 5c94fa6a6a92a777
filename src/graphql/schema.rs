//! The schema: the domains put together. A new domain is one line in each list.

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, ValidationMode};

use super::{limits::Limits, node::NodeQuery};
use crate::{
    activities::{ActivityMutation, ActivityQuery},
    api_keys::{ApiKeyMutation, ApiKeyQuery},
    companies::{CompanyMutation, CompanyQuery},
    contacts::{ContactMutation, ContactQuery},
    leads::{LeadMutation, LeadQuery},
    members::MemberQuery,
    opportunities::{OpportunityMutation, OpportunityQuery},
    pipelines::{PipelineMutation, PipelineQuery},
    roles::{RoleMutation, RoleQuery},
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
);

/// Builds the schema. The library's own limits stay on behind ours, as a second wall.
pub(super) fn build(limits: &Limits) -> Schema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .validation_mode(ValidationMode::Strict)
        .limit_recursive_depth(limits.bracket_depth)
        .limit_directives(limits.directives)
        .disable_suggestions()
        .finish()
}

/// The schema in the schema definition language, sorted, as `schema.graphql` holds it.
#[must_use]
pub fn sdl() -> String {
    let options = SDLExportOptions::new()
        .sorted_fields()
        .sorted_arguments()
        .sorted_enum_items();
    let schema = build(&Limits::default());
    format!("{}\n", schema.sdl_with_options(options).trim())
}
