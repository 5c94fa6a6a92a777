//! `schema.graphql` is what the server serves. `UPDATE_SCHEMA=1` writes it anew after a change that is meant.

use std::path::Path;

use crate::harness::{OF_ACCOUNTS, OF_ADMINS, Schema, kind_of_operation};

#[test]
fn the_committed_schema_is_the_served_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let served = dealgraph::api::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &served).expect("the file can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let difference = committed
        .lines()
        .zip(served.lines())
        .find(|(old, new)| old != new);
    assert!(
        committed == served,
        "schema.graphql is stale from {difference:?}: run `UPDATE_SCHEMA=1 cargo test --test it schema`"
    );
}

#[test]
fn everything_in_the_schema_is_described() {
    let undescribed = undescribed(&dealgraph::api::sdl());
    assert_eq!(undescribed, [""; 0], "these have no description");
}

#[test]
fn the_schema_keeps_its_conventions() {
    let schema = Schema::of_server();
    for list in schema.lists() {
        for argument in ["first", "after", "last", "before"] {
            assert!(
                list.argument(argument).is_some(),
                "{} has no {argument}",
                list.name
            );
        }
        for field in [
            "nodes",
            "edges",
            "pageInfo",
            "totalCount",
            "totalCountIsEstimate",
        ] {
            assert!(
                schema
                    .fields(&list.of.name)
                    .iter()
                    .any(|known| known.name == field),
                "{} has no {field}",
                list.of.name
            );
        }
    }
    for mutation in schema.fields("Mutation") {
        let [input] = &mutation.arguments[..] else {
            panic!("{} takes not exactly one argument", mutation.name)
        };
        assert_eq!(
            (input.name.as_str(), input.of.is_required),
            ("input", true),
            "{}",
            mutation.name
        );
        assert!(mutation.of.is_required, "{} may be null", mutation.name);
        let payload = schema.fields(&mutation.of.name);
        assert!(
            payload
                .iter()
                .any(|field| field.name == "userErrors" && field.of.is_list),
            "{}",
            mutation.name
        );
        if OF_ACCOUNTS.contains(&mutation.name.as_str()) {
            continue;
        }
        let kind = kind_of_operation(&mutation.name);
        let record = schema.fields(&(kind[..1].to_uppercase() + &kind[1..]));
        let has_version = record.iter().any(|field| field.name == "version");
        let asks_for_it = schema
            .fields(&input.of.name)
            .iter()
            .any(|field| field.name == "expectedVersion");
        // What somebody came back with is good for one authorisation, which nobody else has changed.
        let is_finish = mutation.name == "integrationAuthorizeFinish";
        let may_forget = mutation.name.ends_with("Create") || is_finish || !has_version;
        assert!(
            may_forget || asks_for_it,
            "{} changes a record without expectedVersion",
            mutation.name
        );
    }
}

#[test]
fn what_the_sweeps_leave_to_other_tests_is_tested_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut texts = String::new();
    for part in [
        "accounts",
        "identities",
        "inbound",
        "integrations",
        "jobs",
        "lead_forms",
        "members",
        "access",
        "webhooks",
        ".",
    ] {
        let files = std::fs::read_dir(folder.join(part)).expect("the folder is there");
        let files = files.map(|file| file.expect("a file").path());
        let here = files.filter(|path| path.extension().is_some_and(|ending| ending == "rs"));
        texts.extend(here.map(|path| std::fs::read_to_string(path).expect("a text")));
    }
    let schema = Schema::of_server();
    for name in OF_ACCOUNTS.iter().chain(&OF_ADMINS) {
        let is_served = schema
            .fields("Mutation")
            .iter()
            .any(|field| field.name == *name);
        assert!(is_served, "{name} is not a mutation");
        assert!(texts.contains(name), "{name} has no test");
    }
}

/// Definitions, fields and values that no text stands before.
fn undescribed(sdl: &str) -> Vec<String> {
    let mut undescribed = Vec::new();
    let (mut before, mut in_description, mut owner) = ("", false, "");
    for line in sdl.lines().map(str::trim) {
        if line.matches("\"\"\"").count() == 1 {
            in_description = !in_description;
        } else if !in_description {
            let is_definition = [
                "type ",
                "input ",
                "enum ",
                "interface ",
                "union ",
                "scalar ",
            ]
            .iter()
            .any(|word| line.starts_with(word));
            if is_definition {
                owner = line.trim_end_matches(" {");
            }
            let is_root = ["type Query", "type Mutation", "type Subscription"]
                .iter()
                .any(|root| line.starts_with(root));
            let is_named = line.starts_with(|c: char| c.is_ascii_alphabetic())
                && !line.starts_with("schema")
                && !owner.is_empty();
            let of_schema = ["query:", "mutation:", "subscription:"]
                .iter()
                .any(|root| line.starts_with(root));
            let is_builtin = line.starts_with("scalar") || owner.contains("directive");
            if is_named && !is_root && !of_schema && !is_builtin && !before.ends_with("\"\"\"") {
                undescribed.push(format!("{owner}: {line}"));
            }
        }
        before = line;
    }
    undescribed
}
