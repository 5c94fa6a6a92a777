//! What filters are counted as, whichever way they come.

use async_graphql::Variables;
use async_graphql::parser::parse_query;
use serde_json::json;

use super::{Filters, InputRole};
use crate::api::{
    limits::Limits,
    shape::{FEWEST_STAGES, SchemaShape},
};

/// A small grammar of filters: one with joins, one without, and one inside another input object.
const FILTERS: &str = "
    type Query {
        deals(first: Int, filter: DealFilter): DealConnection!
        views(given: View): DealConnection!
        count(filter: DealFilter): Int!
    }
    type Deal { id: ID! deals(first: Int, filter: DealFilter): DealConnection! }
    type DealConnection { nodes: [Deal!]! totalCount: Int! }
    input View { name: String filters: [DealFilter!] }
    input DealFilter {
        and: [DealFilter!] or: [DealFilter!] not: DealFilter
        id: IdFilter open: Boolean parent: DealFilter company: CompanyFilter
    }
    input CompanyFilter { name: IdFilter dealsSome: DealFilter }
    input IdFilter { eq: ID neq: ID in: [ID!] nin: [ID!] }
";

fn filters(document: &str, variables: serde_json::Value) -> Filters {
    let shape = SchemaShape::from_sdl(FILTERS).expect("the schema above");
    let document = parse_query(document).expect("a document of this file");
    let variables = Variables::from_json(variables);
    let measure = shape.measure(
        &document,
        None,
        &variables,
        FEWEST_STAGES,
        &Limits::default(),
    );
    measure.expect("within the limits").filters
}

#[test]
fn a_filter_is_counted_by_what_it_asks_for() {
    let none = Filters::default();
    assert_eq!(filters("{ deals { totalCount } }", json!({})), none);
    assert_eq!(
        filters("{ deals(filter: null) { totalCount } }", json!({})),
        none
    );
    let counted = filters(
        "{ deals(filter: { id: { eq: 1, neq: null, in: [1, 2, 3] }, open: true, or: [{ not: { id: { eq: 2 } } }, {}] }) {
            totalCount } }",
        json!({}),
    );
    assert_eq!(
        (counted.conditions, counted.depth, counted.values),
        (6, 3, 3),
        "an arm without conditions is one"
    );
    assert_eq!((counted.relations, counted.relation_depth), (0, 0));
    let counted = filters(
        "{ deals(filter: { parent: { open: true }, company: { dealsSome: { parent: {} } } }) { totalCount } }",
        json!({}),
    );
    assert_eq!(
        (counted.relations, counted.relation_depth, counted.depth),
        (4, 3, 4)
    );
}

#[test]
fn a_variable_counts_as_what_it_holds_where_it_stands() {
    let document = "query($f: DealFilter, $arms: [DealFilter!], $ids: [ID!], $unsent: ID = 1) {
        deals(filter: { and: [$f, $f], or: $arms, id: { in: $ids, eq: $unsent } }) { totalCount } }";
    let counted = filters(
        document,
        json!({ "f": { "open": true }, "arms": [{}, {}], "ids": [1, 2] }),
    );
    assert_eq!((counted.conditions, counted.values), (2 + 2 + 2, 2));
    let one = filters(document, json!({ "arms": { "open": true }, "ids": 7 }));
    assert_eq!(one.conditions, 3, "a list of one may be written as it");
}

#[test]
fn filters_are_paid_for_each_parent_and_a_relation_is_dear() {
    let points = |document: &str| {
        let counted = filters(document, json!({}));
        counted.points + counted.points_below
    };
    let plain = points("{ deals(filter: { open: true }) { totalCount } }");
    assert_eq!(
        points(
            "{ a: deals(filter: { open: true }) { totalCount } b: count(filter: { open: true }) }"
        ),
        2 * plain
    );
    let below =
        "{ deals(first: 40) { nodes { deals(first: 3, filter: { open: true }) { totalCount } } } }";
    assert!((1..40 * plain).contains(&points(below)));
    let wide = below.replace("40", "90");
    assert_eq!(2 * points(&wide), 3 * points(below), "9 for 6");
    let related = points("{ deals(filter: { parent: { open: true } }) { totalCount } }");
    let nested = points("{ deals(filter: { parent: { parent: { open: true } } }) { totalCount } }");
    let both = points("{ deals(filter: { open: true, not: { open: true } }) { totalCount } }");
    assert!(plain * 5 < both, "both have to hold");
    assert!(plain * 10 < related && related * 2 - plain == nested);
    let one = below.replace("40", "1");
    assert!(
        points(&one) < plain,
        "of one parent too it ends with its page"
    );
    let long = format!(
        "{{ deals(filter: {{ id: {{ in: [{}] }} }}) {{ totalCount }} }}",
        "1 ".repeat(100)
    );
    assert!(points(&long) > plain);
}

#[test]
fn a_filter_inside_another_input_is_bounded_too_and_the_way_to_it_is_told() {
    let shape = SchemaShape::from_sdl(FILTERS).expect("the schema above");
    let document = parse_query("query($v: View) {\n  views(given: $v) { totalCount } }");
    let document = document.expect("a document");
    let many: Vec<_> = (0..101).collect();
    let view = json!({ "name": "x", "filters": [{}, { "company": { "name": { "in": many } } }] });
    let variables = Variables::from_json(json!({ "v": view }));
    let refusal = shape.measure(
        &document,
        None,
        &variables,
        FEWEST_STAGES,
        &Limits::default(),
    );
    let refusal = refusal.expect_err("too many");
    assert_eq!(refusal.code, "TOO_MANY_VALUES");
    assert_eq!(
        refusal.field.as_deref(),
        Some("given.filters.1.company.name.in")
    );
    assert_eq!(refusal.position.expect("a place").line, 2);
}

#[test]
fn whatever_the_schema_calls_a_filter_is_one() {
    let sdl = include_str!("../../../../schema.graphql");
    let shape = SchemaShape::from_sdl(sdl).expect("the schema");
    let named = sdl.lines().filter_map(|line| {
        let name = line.strip_prefix("input ")?.strip_suffix(" {")?;
        name.ends_with("Filter").then_some(name)
    });
    let mut found = 0;
    for name in named {
        let role = shape.input_role(name);
        assert!(role.is_some_and(|role| role != InputRole::Around), "{name}");
        found += 1;
    }
    assert!(found > 20, "{found}");
}
