//! What a response depends on: the kinds of records behind the types that a document touches.

use std::collections::BTreeSet;

use async_graphql::{
    Variables,
    parser::types::{ExecutableDocument, OperationDefinition, OperationType},
};

use crate::{
    api::shape::SchemaShape,
    base::entities::entities,
    crm::{
        activities::Activity,
        companies::Company,
        contacts::Contact,
        leads::Lead,
        opportunities::Opportunity,
        pipelines::{Pipeline, Stage},
    },
    db::Registered as _,
    organization::members::{Member, Team},
};

/// What a response depends on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dependencies {
    /// Kinds of records, as events call them.
    pub(super) kinds: BTreeSet<&'static str>,
    /// Whether it has a cursor of the event log.
    pub(super) has_cursor: bool,
    /// Whether it has the actor's rights to records.
    pub(super) has_rights: bool,
}

impl Dependencies {
    /// Those of a query's response; none if it depends on more than the tenant's records: on the person, the time,
    /// sessions or settings.
    pub(super) fn of(
        shape: &SchemaShape,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> Option<Self> {
        if operation.ty != OperationType::Query {
            return None;
        }
        let touched = shape.touched(document, operation, variables);
        if touched.has_unknown {
            return None;
        }
        let mut dependencies = Self::default();
        for leaf in touched.root_leaves {
            match leaf {
                "eventCursor" => dependencies.has_cursor = true,
                _ => return None,
            }
        }
        for name in touched.types {
            dependencies.has_rights |= name == "RecordRights";
            dependencies.kinds.extend(kinds(wrapped(name))?);
        }
        for name in touched.inputs {
            // A filter of plain values depends on the record that has them.
            if let Some(record) = filtered(name).filter(|record| shape.has_type(record)) {
                dependencies.kinds.extend(kinds(record)?);
            }
        }
        Some(dependencies)
    }
}

/// The record of a connection or an edge.
fn wrapped(type_name: &str) -> &str {
    let connection = type_name.strip_suffix("Connection");
    connection
        .or_else(|| type_name.strip_suffix("Edge"))
        .unwrap_or(type_name)
}

/// The record that an input filters or sorts.
fn filtered(input: &str) -> Option<&str> {
    input
        .strip_suffix("Filter")
        .or_else(|| input.strip_suffix("Order"))
}

/// Records that come about and change without an event.
const UNTOLD: [&str; 2] = ["InboundMessage", "LeadFormSubmission"];

macro_rules! kinds {
    (
        targets { $($targets:tt)* }
        owned { $($owned:tt)* }
        shared { $($shared:tt)* }
        within { $($within:tt)* }
        $($others:tt)*
    ) => {
        kinds! { @of $($targets)* $($owned)* $($shared)* $($within)* }
    };
    (@of $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )*) => {
        /// The kinds of records that objects of a type consist of, beside those of the objects within them. None for types
        /// that consist of anything else; a new type counts as one of those until it is listed here.
        fn kinds(type_name: &str) -> Option<&'static [&'static str]> {
            if UNTOLD.contains(&type_name) {
                return None;
            }
            Some(match type_name {
                "Money" | "PageInfo" | "RecordRights" | "ChangeAuthor" => &[],
                "Address" => &[Company::KIND],
                "ContactMethod" => &[Contact::KIND],
                "ActivityTarget" => &[
                    Activity::KIND,
                    Company::KIND,
                    Contact::KIND,
                    Lead::KIND,
                    Opportunity::KIND,
                ],
                "NextAction" | "OpportunityCollaborator" | "OpportunityContact" | "StageChange" => {
                    &[Opportunity::KIND]
                }
                // The probability of a deal is its stage's.
                "Opportunity" | "PipelineStats" | "StageStats" | "DealTotals" | "CurrencyTotal" => {
                    &[Opportunity::KIND, Pipeline::KIND, Stage::KIND]
                }
                "Pipeline" | "Stage" => &[Pipeline::KIND, Stage::KIND],
                "Team" => &[Team::KIND],
                "User" => &[Member::KIND],
                $(stringify!($record) => &[$prefix],)*
                _ => return None,
            })
        }
    };
}
entities!(kinds);

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::api::{sdl, shape::select_operation};

    fn of(text: &str, variables: Json) -> Option<Dependencies> {
        let shape = SchemaShape::from_sdl(&sdl()).expect("the schema's own text");
        let document = parse_query(text).expect("sound text");
        let (_, operation) = select_operation(&document, None).expect("one operation");
        let variables = Variables::from_json(variables);
        Dependencies::of(&shape, &document, &operation.node, &variables)
    }

    fn kinds_of(text: &str, variables: Json) -> Vec<&'static str> {
        let dependencies = of(text, variables).expect("it follows from records alone");
        dependencies.kinds.into_iter().collect()
    }

    #[test]
    fn an_answer_follows_from_what_it_shows() {
        let text = "{ companies { nodes { name contacts { totalCount } } } }";
        assert_eq!(kinds_of(text, json!({})), ["company", "contact"]);
        let text = "query { companies { ...F } } fragment F on CompanyConnection { nodes { owner { name } } }";
        assert_eq!(kinds_of(text, json!({})), ["company", "member"]);
    }

    #[test]
    fn and_from_what_it_is_filtered_by_however_that_is_given() {
        let written = "{ contacts(filter: { company: { name: { eq: \"x\" } } }) { totalCount } }";
        let expected = ["company", "contact"];
        assert_eq!(kinds_of(written, json!({})), expected);
        let sent = "query($f: ContactFilter) { contacts(filter: $f) { totalCount } }";
        let filter = json!({ "f": { "or": [{ "company": { "name": { "eq": "x" } } }] } });
        assert_eq!(kinds_of(sent, filter), expected);
        let default = "query($f: ContactFilter = { company: { name: { eq: \"x\" } } }) { contacts(filter: $f) { totalCount } }";
        assert_eq!(kinds_of(default, json!({})), expected);
        assert_eq!(
            kinds_of(sent, json!({ "f": { "firstName": { "eq": "x" } } })),
            ["contact"]
        );
    }

    #[test]
    fn what_follows_from_more_than_records_is_not_kept() {
        for text in [
            "{ viewer { user { id } } }",
            "{ companies { totalCount } tenant { name } }",
            "{ dueActions { opportunities { totalCount } } }",
            "{ users: companies { nodes { owner { membership { role } } } } }",
            "{ node(id: \"company:x\") { id ... on Membership { role } } }",
            "{ companies { nodes { createdBy { apiKey { name } } } } }",
            "{ companies { nodes { unheardOf } } }",
            "{ __schema { queryType { name } } }",
            "mutation { companyDelete(id: \"x\") { userErrors { code } } }",
        ] {
            assert_eq!(of(text, json!({})), None, "{text}");
        }
    }

    #[test]
    fn a_cursor_follows_from_everything() {
        let board = of(
            "{ eventCursor companies { nodes { can { update } } } }",
            json!({}),
        );
        let board = board.expect("it follows from records alone");
        assert!(board.has_cursor && board.has_rights);
    }
}
