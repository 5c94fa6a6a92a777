//! Pages by Relay's cursor specification, and cursors of long values, on both ways of reading.

use serde_json::{Value, json};

use crate::{
    harness::{Client, Who, test},
    records::Domain,
};

const CONTACT: Domain = Domain {
    one: "contact",
    many: "contacts",
    of: "Contact",
    fields: "id",
};

/// What makes the full executor answer, and what leaves it to the projection executor.
const WAYS: [&str; 2] = ["", "... on Node { id }"];

async fn page(client: &Client<'_>, way: &str, arguments: &str) -> (Vec<String>, bool, bool) {
    let document = format!(
        "{{ companies(orderBy: [{{ field: NAME }}]{arguments}) {{
            nodes {{ name {way} }} pageInfo {{ hasPreviousPage hasNextPage }} }} }}"
    );
    let page = client.query(&document).await["companies"].clone();
    let names = page["nodes"].as_array().expect("nodes").iter();
    let names = names.map(|node| {
        node["name"]
            .as_str()
            .expect("a name")
            .replace("Company ", "")
    });
    let has = |which: &str| page["pageInfo"][which].as_bool().expect("yes or no");
    (names.collect(), has("hasPreviousPage"), has("hasNextPage"))
}

#[test]
fn cursors_bound_a_list_and_sizes_count_from_its_ends() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let edges = admin
            .query("{ companies(orderBy: [{ field: NAME }]) { edges { cursor } } }")
            .await["companies"]["edges"]
            .clone();
        let cursor = |n: usize| edges[n - 1]["cursor"].as_str().expect("a cursor");
        for way in WAYS {
            for (arguments, found, before, after) in [
                (String::new(), "1234", false, false),
                (format!("before: \"{}\"", cursor(3)), "12", false, true),
                (format!("after: \"{}\"", cursor(3)), "4", true, false),
                (
                    format!("first: 1, before: \"{}\"", cursor(3)),
                    "1",
                    false,
                    true,
                ),
                (
                    format!("first: 2, before: \"{}\"", cursor(3)),
                    "12",
                    false,
                    true,
                ),
                (
                    format!("last: 1, before: \"{}\"", cursor(3)),
                    "2",
                    true,
                    true,
                ),
                (
                    format!("last: 2, after: \"{}\"", cursor(1)),
                    "34",
                    true,
                    false,
                ),
                (
                    format!("last: 3, after: \"{}\"", cursor(1)),
                    "234",
                    true,
                    false,
                ),
                (
                    format!("after: \"{}\", before: \"{}\"", cursor(1), cursor(4)),
                    "23",
                    true,
                    true,
                ),
                (
                    format!(
                        "first: 1, after: \"{}\", before: \"{}\"",
                        cursor(1),
                        cursor(4)
                    ),
                    "2",
                    true,
                    true,
                ),
                (
                    format!(
                        "last: 1, after: \"{}\", before: \"{}\"",
                        cursor(1),
                        cursor(4)
                    ),
                    "3",
                    true,
                    true,
                ),
                (
                    format!("after: \"{}\", before: \"{}\"", cursor(3), cursor(2)),
                    "",
                    true,
                    true,
                ),
            ] {
                let arguments = match arguments.as_str() {
                    "" => arguments,
                    _ => format!(", {arguments}"),
                };
                let (names, previous, next) = page(&admin, way, &arguments).await;
                assert_eq!(
                    (names.concat().as_str(), previous, next),
                    (found, before, after),
                    "{way} {arguments}"
                );
            }
        }
    });
}

#[test]
fn below_a_parent_cursors_bound_a_list_too() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let of = |arguments: &str, way: &str| {
            format!(
                "{{ pipelines {{ nodes {{ opportunities(orderBy: [{{ field: CREATED_AT }}]{arguments}) {{
                    edges {{ cursor node {{ id {way} }} }} }} }} }} }}"
            )
        };
        let edges = async |arguments: &str, way: &str| {
            let pipelines = admin.query(&of(arguments, way)).await["pipelines"]["nodes"].clone();
            let edges = &pipelines[0]["opportunities"]["edges"];
            edges.as_array().expect("edges").clone()
        };
        let ids = |edges: &[Value]| {
            edges
                .iter()
                .map(|edge| edge["node"]["id"].clone())
                .collect::<Vec<_>>()
        };
        let all = edges("", "").await;
        assert!(all.len() > 2, "{} deals", all.len());
        let third = all[2]["cursor"].as_str().expect("a cursor").to_owned();
        let first = all[0]["cursor"].as_str().expect("a cursor").to_owned();
        for way in WAYS {
            let before = edges(&format!(", first: 1, before: \"{third}\""), way).await;
            assert_eq!(ids(&before), ids(&all[..1]), "{way}");
            let after = edges(&format!(", last: 1, after: \"{first}\""), way).await;
            assert_eq!(ids(&after), ids(&all[all.len() - 1..]), "{way}");
        }
    });
}

#[test]
fn every_cursor_that_is_given_is_taken() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let names = [
            "\u{1f600}".repeat(200),
            "\u{fdfa}".repeat(200),
            "\u{fdfa}".repeat(199) + "x",
            "\"\\".repeat(100),
            "\u{3300}\u{3301}\u{3302}\u{3303}\u{3304}".repeat(40),
        ];
        let mut made = Vec::new();
        for name in &names {
            let input = json!({ "firstName": name, "lastName": name });
            let id = CONTACT.done(&admin, "Create", input).await["id"].clone();
            made.push(id);
        }
        for way in WAYS {
            for direction in ["ASC", "DESC"] {
                let order = format!(
                    "[{{ field: NAME, direction: {direction} }}, {{ field: NAME }}, {{ field: NAME }}]"
                );
                let document = format!(
                    "query($after: String, $made: [ID!]) {{
                        contacts(first: 1, after: $after, orderBy: {order}, filter: {{ id: {{ in: $made }} }}) {{
                            nodes {{ firstName {way} }} pageInfo {{ endCursor hasNextPage }} }} }}"
                );
                let (mut seen, mut after) = (Vec::new(), Value::Null);
                for _ in &names {
                    let variables = json!({ "after": after, "made": made });
                    let page = admin.query_with(&document, variables).await["contacts"].clone();
                    let name = page["nodes"][0]["firstName"].as_str();
                    seen.push(name.expect("a row").to_owned());
                    after = page["pageInfo"]["endCursor"].clone();
                    let has_next = page["pageInfo"]["hasNextPage"] == true;
                    assert_eq!(has_next, seen.len() < names.len(), "{direction} {way}");
                }
                seen.sort_unstable();
                let mut names = names.clone();
                names.sort_unstable();
                assert!(seen == names, "{direction} {way}");
            }
        }
    });
}

#[test]
fn a_cursor_that_nobody_gave_is_refused_before_it_is_bound() {
    test(async |world| {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

        let admin = world.a(Who::Admin);
        for (field, value) in [
            ("NAME", json!("a\0b")),
            ("CREATED_AT", json!(i64::MIN)),
            ("CREATED_AT", json!(-250_000_000_000_000_000_i64)),
        ] {
            let document = format!(
                "query($after: String) {{ companies(first: 1, after: $after, orderBy: [{{ field: {field} }}]) {{
                    pageInfo {{ endCursor }} }} }}"
            );
            let page = admin.query_with(&document, json!({})).await;
            let given = page["companies"]["pageInfo"]["endCursor"]
                .as_str()
                .expect("a cursor");
            let mut parts: Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(given).expect("base64"))
                    .expect("JSON");
            parts[2][0] = value;
            let forged = URL_SAFE_NO_PAD.encode(parts.to_string());
            let answer = admin.send(&document, json!({ "after": forged })).await;
            assert_eq!(answer.code(), "INVALID_CURSOR", "{}", answer.body);
        }
    });
}
