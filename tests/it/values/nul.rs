//! Postgres stores no text with U+0000: wherever a client can write one, it is refused before a statement is.

use serde_json::{Value, json};

use crate::{
    harness::{A, Field, Schema, Side, Who, global_id, kind_of_operation, test},
    records::census,
};

/// How deep inputs are followed.
const DEPTH: usize = 4;

/// All places of an input that take text.
fn places(schema: &Schema, of: &str, way: &[Field], found: &mut Vec<Vec<Field>>) {
    for field in schema.fields(of) {
        let path: Vec<Field> = way.iter().chain([field]).cloned().collect();
        match field.of.name.as_str() {
            "String" => found.push(path),
            of if path.len() < DEPTH => places(schema, of, &path, found),
            _ => {}
        }
    }
}

#[test]
fn a_nul_in_any_text_of_any_mutation_is_the_senders_fault() {
    test(async |world| {
        let (schema, admin) = (Schema::of_server(), world.a(Who::Admin));
        let before = census(world).await;
        let (mut judged, mut wrong) = (0, Vec::new());
        for mutation in schema.fields("Mutation") {
            let Some(input) = mutation.argument("input") else {
                continue;
            };
            let mut found = Vec::new();
            places(&schema, &input.of.name, &[], &mut found);
            for path in found {
                let mut sent = schema.least_input(&input.of.name, Side::A);
                if sent.get("id").is_some_and(Value::is_null) {
                    let kind = kind_of_operation(&mutation.name);
                    sent["id"] = json!(global_id(kind, A.uuid(kind, 1)));
                }
                schema.put(&mut sent, &path, "a\0b", Side::A);
                let document = format!(
                    "mutation($i: {}!) {{ {}(input: $i) {{ userErrors {{ code field }} }} }}",
                    input.of.name, mutation.name
                );
                let answer = admin.send(&document, json!({ "i": sent })).await;
                let payload = answer
                    .body
                    .pointer(&format!("/data/{}/userErrors/0", mutation.name));
                let code = payload.map_or(answer.code(), |error| {
                    error["code"].as_str().unwrap_or_default()
                });
                let is_placed = payload.is_none_or(|error| error["field"].is_array());
                judged += 1;
                let is_ours = ["", "INTERNAL", "UNAVAILABLE"].contains(&code);
                if is_ours || (code == "INVALID_TEXT" && !is_placed) {
                    wrong.push(format!("{} {sent}: {}", mutation.name, answer.body));
                }
            }
        }
        assert!(judged > 100, "{judged} texts were judged");
        assert_eq!(wrong, [""; 0]);
        assert_eq!(census(world).await, before, "something was written");
    });
}
