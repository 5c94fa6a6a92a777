//! The weighing, held against the attacks that it exists for and the screens that it must let through.

use std::fmt::Write as _;

use async_graphql::Variables;
use async_graphql::parser::parse_query;

use super::{Measure, SchemaShape};
use crate::api::limits::{Limits, Refusal};

const SDL: &str = "
    type Query {
        viewer: User
        node(id: ID!): Node
        opportunities(first: Int, after: String, last: Int): OpportunityConnection!
        stages: [Stage!]!
        pipeline: Pipeline
    }
    type Pipeline { stages(first: Int): StageConnection! }
    type StageConnection { nodes: [Stage!]! }
    type Mutation { opportunityWin(id: ID!): WinPayload! }
    type WinPayload { opportunity: Opportunity userErrors: [UserError!]! }
    type UserError { code: String! message: String! }
    interface Node { id: ID! }
    type User implements Node { id: ID! name: String! opportunities(first: Int = 50): OpportunityConnection! }
    type Company implements Node { id: ID! name: String! description: String tags: [String!]! }
    type Contact implements Node { id: ID! name: String! company: Company }
    type Stage { name: String! opportunities(first: Int): OpportunityConnection! }
    type Opportunity implements Node {
        id: ID! name: String! owner: User contact: Contact
        activities(first: Int, last: Int): ActivityConnection!
    }
    type Activity implements Node { id: ID! subject: String owner: User opportunity: Opportunity }
    type OpportunityConnection { nodes: [Opportunity!]! edges: [OpportunityEdge!]! pageInfo: PageInfo! totalCount: Int! }
    type OpportunityEdge { cursor: String! node: Opportunity! }
    type ActivityConnection { nodes: [Activity!]! edges: [ActivityEdge!]! pageInfo: PageInfo! }
    type ActivityEdge { cursor: String! node: Activity! }
    type PageInfo { hasNextPage: Boolean! endCursor: String }
    schema { query: Query mutation: Mutation }
";

/// As deep and as wide as the introspection that explorers send.
const EXPLORER: &str = "
    query Explore {
        __schema {
            queryType { name } mutationType { name } subscriptionType { name }
            types { ...Full }
            directives { name description locations args(includeDeprecated: true) { ...Input } }
        }
    }
    fragment Full on __Type {
        kind name description
        fields(includeDeprecated: true) { name args { ...Input } type { ...Ref } isDeprecated }
        inputFields { ...Input }
        interfaces { ...Ref }
        enumValues { name }
        possibleTypes { ...Ref }
    }
    fragment Input on __InputValue { name description type { ...Ref } defaultValue }
    fragment Ref on __Type {
        kind name
        ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
        ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } }
    }
";

fn weigh(document: &str, variables: serde_json::Value) -> Result<Measure, Refusal> {
    let shape = SchemaShape::from_sdl(SDL).expect("the schema above");
    let document = parse_query(document).expect("a document of this file");
    shape.measure(
        &document,
        None,
        &Variables::from_json(variables),
        5,
        &Limits::default(),
    )
}

fn measure(document: &str) -> Measure {
    weigh(document, serde_json::json!({})).expect("within the limits")
}

fn refusal(document: &str) -> &'static str {
    weigh(document, serde_json::json!({}))
        .expect_err("beyond the limits")
        .code
}

#[test]
fn the_board_passes() {
    let board = "query Board($deals: Int = 50) {
        opportunities(first: $deals) {
            edges { cursor node {
                id name owner { name } contact { name company { name tags } }
                activities(last: 5) { nodes { subject owner { name } } }
            } }
            pageInfo { hasNextPage endCursor }
            totalCount
        }
    }";
    let measure = measure(board);
    // 50 deals, each with owner, contact, company and 5 activities, each with owner.
    assert_eq!(measure.nodes, 50 * (1 + 3 + 5 * (1 + 1)));
    assert_eq!(measure.depth, 7);
}

#[test]
fn a_page_multiplies_what_is_below_it_and_its_wrapping_does_not() {
    assert_eq!(
        measure("{ opportunities(first: 10) { nodes { id } } }").nodes,
        10
    );
    assert_eq!(
        measure("{ opportunities(last: 10) { edges { node { owner { id } } } } }").nodes,
        20
    );
    assert_eq!(
        measure("{ opportunities { totalCount } }").nodes,
        25,
        "the usual page"
    );
    assert_eq!(
        measure("{ viewer { opportunities { nodes { id } } } }").nodes,
        51,
        "the default of the schema"
    );
    assert_eq!(
        measure("{ opportunities(first: -1) { nodes { id } } }").nodes,
        100
    );
    assert_eq!(
        measure("{ opportunities(first: 5000) { nodes { id } } }").nodes,
        100
    );
    assert_eq!(
        measure("{ opportunities(first: 3, last: 7) { nodes { id } } }").nodes,
        7
    );
    assert_eq!(measure("{ stages { name } }").nodes, 10, "a plain list");
    assert_eq!(
        measure("{ node(id: 1) { ... on Company { tags } } }").nodes,
        1,
        "a list of scalars has no objects"
    );
    assert_eq!(
        measure("mutation { opportunityWin(id: 1) { opportunity { id } userErrors { code } } }")
            .nodes,
        12
    );
}

#[test]
fn a_page_size_may_come_from_a_variable() {
    let document = "query($n: Int, $m: Int = 4) { opportunities(first: $n) { nodes { activities(first: $m) { nodes { id } } } } }";
    let nodes = |variables| weigh(document, variables).expect("within the limits").nodes;
    assert_eq!(nodes(serde_json::json!({ "n": 10 })), 10 * (1 + 4));
    assert_eq!(nodes(serde_json::json!({ "n": 10, "m": 7 })), 10 * (1 + 7));
    assert_eq!(
        nodes(serde_json::json!({ "n": 10, "m": null })),
        10 * (1 + 25)
    );
    assert_eq!(
        nodes(serde_json::json!({ "n": "ten", "m": 1 })),
        100 * (1 + 1)
    );
    assert_eq!(
        nodes(serde_json::json!({ "n": 1e300, "m": 1 })),
        100 * (1 + 1)
    );
    assert_eq!(nodes(serde_json::json!({})), 25 * (1 + 4));
}

#[test]
fn three_nested_pages_of_a_hundred_are_refused() {
    let document = "{opportunities(first:100){nodes{owner{opportunities(first:100){nodes{
        owner{opportunities(first:100){nodes{id}}}}}}}}}";
    let refusal = weigh(document, serde_json::json!({})).expect_err("a million nodes");
    assert_eq!(refusal.code, "TOO_MANY_NODES");
    assert!(
        refusal.message.ends_with("at most 10000 are allowed"),
        "{refusal}"
    );
}

#[test]
fn a_bomb_of_chained_fragments_is_refused() {
    for (chained, on, field) in [
        (24, "Query", "viewer { id }"),
        (300, "User", "name"),
        (60, "__Type", "name"),
    ] {
        let mut document = format!("{{ ...F0 }} fragment F{chained} on {on} {{ {field} }}");
        for n in 0..chained {
            write!(
                document,
                "fragment F{n} on {on} {{ ...F{0} ...F{0} }}",
                n + 1
            )
            .expect("writing to a string");
        }
        assert_eq!(refusal(&document), "TOO_MANY_SELECTIONS");
    }
}

#[test]
fn fragments_in_a_circle_are_refused_also_when_unused() {
    assert_eq!(
        refusal("{ ...A } fragment A on Query { ...A }"),
        "FRAGMENT_CYCLE"
    );
    assert_eq!(
        refusal(
            "{ viewer { id } } fragment A on User { ...B } fragment B on User { opportunities { nodes { owner { ...A } } } }"
        ),
        "FRAGMENT_CYCLE"
    );
    assert_eq!(
        measure(
            "{ viewer { ...A ...A } } fragment A on User { ...B ...B } fragment B on User { id }"
        )
        .nodes,
        1
    );
}

#[test]
fn a_fragment_weighs_as_much_as_its_text_in_place() {
    let apart = measure(
        "{ opportunities(first: 10) { ...Page } } fragment Deal on Opportunity { owner { ...Person } }
         fragment Page on OpportunityConnection { nodes { ...Deal } } fragment Person on User { id }",
    );
    let in_place = measure("{ opportunities(first: 10) { nodes { owner { id } } } }");
    assert_eq!(
        (apart.nodes, apart.cost, apart.depth),
        (in_place.nodes, in_place.cost, in_place.depth)
    );
    assert_eq!(apart.selections, in_place.selections + 3);
}

#[test]
fn depth_aliases_root_fields_and_directives_are_bounded() {
    let nested = |levels: usize| {
        format!("{}id{}", "{ owner ".repeat(levels), " }".repeat(levels))
            .replacen("owner", "viewer", 1)
    };
    assert_eq!(
        refusal(&format!("{{ a{} }}", nested(12))),
        "SELECTED_TOO_DEEP"
    );
    let many = |count: usize, field: &str| {
        (0..count).fold("{".to_owned(), |text, n| {
            text + &field.replace('#', &n.to_string()) + " "
        }) + "}"
    };
    assert_eq!(refusal(&many(31, "a#: __typename")), "TOO_MANY_ALIASES");
    assert_eq!(
        refusal(&many(20_000, "a#: __typename")),
        "TOO_MANY_SELECTIONS"
    );
    assert_eq!(refusal(&many(21, "__typename")), "TOO_MANY_ROOT_FIELDS");
    assert_eq!(
        refusal(&format!("{{ viewer {} }}", many(1_001, "id"))),
        "TOO_MANY_SELECTIONS"
    );
    assert_eq!(
        refusal(&format!(
            "{{ __typename {} }}",
            "@skip(if: false) ".repeat(51)
        )),
        "TOO_MANY_DIRECTIVES"
    );
    assert_eq!(
        refusal(&format!(
            "query({}) {{ __typename }}",
            "$a: Int @b @c ".repeat(26)
        )),
        "TOO_MANY_DIRECTIVES"
    );
}

#[test]
fn every_operation_keeps_the_structural_limits_and_the_one_that_runs_the_nodes() {
    let shape = SchemaShape::from_sdl(SDL).expect("the schema above");
    let page =
        "opportunities(first: 100) { nodes { activities(first: 100) { nodes { owner { id } } } } }";
    let text = format!("query Small {{ viewer {{ id }} }} query Large {{ {page} }}");
    let run = |text: &str, name| {
        let document = parse_query(text).expect("a document of this file");
        shape
            .measure(
                &document,
                name,
                &Variables::default(),
                5,
                &Limits::default(),
            )
            .map_err(|refusal| refusal.code)
    };
    assert_eq!(
        run(&text, Some("Small")).map(|measure| measure.nodes),
        Ok(1)
    );
    assert_eq!(run(&text, Some("Large")), Err("TOO_MANY_NODES"));
    assert_eq!(run(&text, Some("Other")), Err("OPERATION_NOT_FOUND"));
    assert_eq!(run(&text, None), Err("OPERATION_NAME_REQUIRED"));
    let aliases = (0..31).fold(String::new(), |text, n| format!("{text} a{n}: __typename"));
    assert_eq!(
        run(
            &format!("query A {{ viewer {{ id }} }} query B {{ {aliases} }}"),
            Some("A")
        ),
        Err("TOO_MANY_ALIASES")
    );
    let eleven = (0..11).fold(String::new(), |text, n| {
        format!("{text} query Q{n} {{ __typename }}")
    });
    assert_eq!(run(&eleven, Some("Q1")), Err("TOO_MANY_OPERATIONS"));
}

#[test]
fn the_introspection_of_explorers_passes_and_circles_do_not() {
    let measure = measure(EXPLORER);
    assert_eq!(
        (measure.nodes, measure.depth),
        (0, 0),
        "it selects nothing of any record"
    );
    let cycle = "{ __schema { types { fields { type { fields { type { name } } } } } } }";
    assert_eq!(refusal(cycle), "INTROSPECTION_TOO_DEEP");
    let hidden =
        "{ __type(name: \"User\") { ...A } } fragment A on __Type { fields { type { ...B } } }
        fragment B on __Type { possibleTypes { interfaces { name } } }";
    assert_eq!(refusal(hidden), "INTROSPECTION_TOO_DEEP");
    assert_eq!(
        refusal(
            "{ __schema { a: types { name } b: types { name } } c: __schema { types { name } } }"
        ),
        "INTROSPECTION_TOO_WIDE"
    );
    let deep = format!(
        "{{ __type(name: \"User\") {}name{} }}",
        "{ ofType ".repeat(15),
        " }".repeat(15)
    )
    .replace("ofType name", "ofType { name }");
    assert_eq!(refusal(&deep), "INTROSPECTION_TOO_DEEP");
}

#[test]
fn what_the_schema_does_not_know_is_left_to_the_validation() {
    assert_eq!(
        measure("{ nothing { of(first: 100) { this } } ...Unknown }").nodes,
        2
    );
}

#[test]
fn a_variable_of_an_unknown_type_is_refused() {
    assert_eq!(
        refusal("query($a: [Nothing!] = [1]) { viewer { id } }"),
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(
        refusal("query($a: User) { viewer { id } }"),
        "GRAPHQL_VALIDATION_FAILED"
    );
    assert_eq!(
        measure("query($a: [[Int!]] = [[1]]) { viewer { id } }").nodes,
        1
    );
}

#[test]
fn a_board_by_stage_is_weighed_by_the_stages_that_there_are() {
    let board = |stages| {
        measure(&format!(
            "{{ pipeline {{ {stages} {{ nodes {{ name opportunities(first: 100) {{ nodes {{ id }} }} }} }} }} }}"
        ))
    };
    let all = board("stages");
    assert_eq!((all.nodes, all.page_rows), (1 + 5 * 101, 100));
    assert!(all.has_stages && !measure("{ stages { name } }").has_stages);
    assert_eq!(board("stages(first: 2)").nodes, 1 + 2 * 101);
    assert_eq!(board("stages(first: 50)").nodes, all.nodes);
}

#[test]
fn a_text_that_may_be_long_is_paid_for_wherever_it_stands() {
    let texts = |fields: &str| {
        let contact = format!("contact {{ company {{ {fields} }} }}");
        measure(&format!(
            "{{ opportunities(first: 10) {{ nodes {{ {contact} }} }} }}"
        ))
        .texts
    };
    assert_eq!(texts("name tags"), 0);
    assert_eq!(texts("description"), 10 * 20);
    assert_eq!(texts("a: description b: description name"), 2 * 10 * 20);
    assert_eq!(texts("... on Company { description }"), 10 * 20);
}
