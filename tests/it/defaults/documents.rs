//! Documents and variables that cost a parser or an executor far more than their sender, and one that made it panic.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::child::{Child, Reply};
use crate::harness::{World, test};

/// What the memory of the server may grow by, in bytes; one of these documents alone once took 468 MB.
const MEMORY: u64 = 96 * 1024 * 1024;

/// How deep the brackets of 4,010 bytes go, which once ended the process.
const DEEP: usize = 2_000;

#[test]
fn no_document_ends_the_server_or_gets_far() {
    test(async |world: &World| {
        let mut server = Child::serve(world, &[]).await;
        server.expect_well("its start").await;
        let before = server.peak_memory();
        for (name, body, codes) in bodies() {
            let reply = server.post(&body).await;
            expect_refused(name, &reply, codes);
            server.expect_well(name).await;
        }
        let grown = server.peak_memory() - before;
        assert!(grown < MEMORY, "the memory grew by {grown} bytes");
        assert!(server.stop().await.success());
    });
}

#[test]
fn no_address_ends_the_server_either() {
    test(async |world: &World| {
        let mut server = Child::serve(world, &[]).await;
        for document in [brackets(DEEP), objects(DEEP)] {
            let reply = server.send(server.get(&[("query", &document)])).await;
            expect_refused("a deep document", &reply, &["NESTED_TOO_DEEP"]);
            server.expect_well("a deep document in an address").await;
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(DEEP), "]".repeat(DEEP));
        let parameters = [
            ("query", "query($a: [Int]) { __typename }"),
            ("variables", &deep),
        ];
        let reply = server.send(server.get(&parameters)).await;
        expect_refused(
            "deep variables",
            &reply,
            &["BAD_REQUEST", "VARIABLES_TOO_DEEP"],
        );
        server.expect_well("deep variables in an address").await;
        assert!(server.stop().await.success());
    });
}

#[test]
fn mistakes_are_not_put_right_and_nothing_is_revealed_of_how_it_runs() {
    test(async |world: &World| {
        let server = Child::serve(world, &[]).await;
        for document in ["{ companis { id } }", "{ companies { nods { id } } }"] {
            let reply = server.post(&json!({ "query": document })).await;
            let text = reply.body.to_string();
            assert!(
                !text.contains("Did you mean") && !text.contains("companies\""),
                "{text}"
            );
        }
        let extensions: Vec<_> = {
            let reply = server.post(&json!({ "query": "{ __typename }" })).await;
            let revealed = reply.body["extensions"]
                .as_object()
                .cloned()
                .unwrap_or_default();
            revealed.keys().cloned().collect()
        };
        assert_eq!(extensions, ["cost"], "no tracing");
        assert!(server.stop().await.success());
    });
}

/// Bodies, each with the codes of which one must refuse it.
fn bodies() -> Vec<(&'static str, Value, &'static [&'static str])> {
    let document = |text: String| json!({ "query": text });
    let mut all: Vec<(&str, Value, &[&str])> = Vec::new();
    for depth in [DEEP, 10 * DEEP] {
        let codes: &[&str] = &["NESTED_TOO_DEEP", "DOCUMENT_TOO_LARGE", "BODY_TOO_LARGE"];
        all.push(("nested lists", document(brackets(depth)), codes));
        all.push(("nested objects", document(objects(depth)), codes));
        all.push((
            "nested selections",
            document(format!("{}a{}", "{a".repeat(depth), "}".repeat(depth))),
            codes,
        ));
        all.push((
            "nested types",
            document(format!(
                "query($a: {}Int{}) {{ a }}",
                "[".repeat(depth),
                "]".repeat(depth)
            )),
            codes,
        ));
        all.push((
            "open brackets",
            document(format!("{{ a(b: {}", "[".repeat(depth))),
            codes,
        ));
    }
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let with_deep =
        json!({ "query": "query($a: [Int]) { __typename }", "variables": { "a": deep } });
    all.push(("nested variables", with_deep, &["VARIABLES_TOO_DEEP"]));
    all.push((
        "fragments that double 24 times",
        document(bomb(24)),
        &["TOO_MANY_SELECTIONS"],
    ));
    all.push((
        "fragments that double 28 times",
        document(bomb(28)),
        &["TOO_MANY_SELECTIONS"],
    ));
    all.push((
        "a fragment in itself",
        document("{ ...a } fragment a on Query { ...a }".to_owned()),
        &["FRAGMENT_CYCLE"],
    ));
    let pages = "{companies(first:100){nodes{contacts(first:100){nodes{opportunities(first:100){nodes{id}}}}}}}";
    all.push((
        "a million records in 100 bytes",
        document(pages.to_owned()),
        &["TOO_MANY_NODES"],
    ));
    all.push((
        "20,000 aliases",
        document(aliases(20_000)),
        &["DOCUMENT_TOO_LARGE", "BODY_TOO_LARGE"],
    ));
    all.push((
        "1,000 aliases",
        document(aliases(1_000)),
        &[
            "TOO_MANY_ALIASES",
            "TOO_MANY_TOKENS",
            "TOO_MANY_ROOT_FIELDS",
        ],
    ));
    all.push((
        "a field a thousand times",
        document(format!("{{ {}}}", "__typename ".repeat(1_000))),
        &["TOO_MANY_ROOT_FIELDS", "TOO_MANY_SELECTIONS"],
    ));
    all.push((
        "500 directives",
        document(format!(
            "{{ __typename {} }}",
            "@skip(if: false) ".repeat(500)
        )),
        &["TOO_MANY_DIRECTIVES", "TOO_MANY_TOKENS"],
    ));
    all.push((
        "500 directives that there are not",
        document(format!("{{ __typename {} }}", "@a".repeat(500))),
        &["TOO_MANY_DIRECTIVES"],
    ));
    let circle = "fields { type { ".repeat(10) + "name" + &" } }".repeat(10);
    all.push((
        "the schema in circles",
        document(format!("{{ __schema {{ types {{ {circle} }} }} }}")),
        &["INTROSPECTION_TOO_DEEP"],
    ));
    let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...c } fragment c on Query { ...a }";
    all.push((
        "fragments in a circle",
        document(circle.to_owned()),
        &["FRAGMENT_CYCLE"],
    ));
    all.push((
        "a text of 200 kB",
        document(format!(
            "{{ company(id: \"{}\") {{ id }} }}",
            "x".repeat(200_000)
        )),
        &["DOCUMENT_TOO_LARGE"],
    ));
    let huge = json!({ "query": "query($a: ID!) { company(id: $a) { id } }", "variables": { "a": "x".repeat(200_000) } });
    all.push(("a variable of 200 kB", huge, &["VARIABLES_TOO_LARGE"]));
    let unknown = "query($a: [Nope] = [1]) { __typename }".to_owned();
    all.push((
        "a default of an unknown type",
        document(unknown),
        &["GRAPHQL_VALIDATION_FAILED"],
    ));
    let unknown =
        json!({ "query": "query($a: Nope) { __typename }", "variables": { "a": { "b": 1 } } });
    all.push((
        "a value of an unknown type",
        unknown,
        &["GRAPHQL_VALIDATION_FAILED"],
    ));
    let missing = "query($a: Int! = null) { __typename }".to_owned();
    all.push((
        "a default that is not one",
        document(missing),
        &["GRAPHQL_VALIDATION_FAILED"],
    ));
    all
}

fn expect_refused(name: &str, reply: &Reply, codes: &[&str]) {
    assert!(
        (400..500).contains(&reply.status),
        "{name}: {} {}",
        reply.status,
        reply.body
    );
    assert!(codes.contains(&reply.code()), "{name}: {}", reply.body);
    assert!(
        reply.body.get("data").is_none_or(Value::is_null),
        "{name}: {}",
        reply.body
    );
}

fn brackets(depth: usize) -> String {
    format!("{{a(b:{}{})}}", "[".repeat(depth), "]".repeat(depth))
}

fn objects(depth: usize) -> String {
    format!("{{a(b:{}1{})}}", "{b:".repeat(depth), "}".repeat(depth))
}

/// Fragments of which each spreads the next one twice.
fn bomb(fragments: usize) -> String {
    let mut text = "{...f0}".to_owned();
    for n in 0..fragments {
        _ = write!(
            text,
            "fragment f{n} on Query{{...f{next} ...f{next}}}",
            next = n + 1
        );
    }
    text + &format!("fragment f{fragments} on Query{{__typename}}")
}

fn aliases(count: usize) -> String {
    let fields: String = (0..count).map(|n| format!("a{n}:__typename ")).collect();
    format!("{{{fields}}}")
}
