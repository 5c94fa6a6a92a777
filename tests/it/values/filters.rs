//! Filters: values that Postgres would refuse, null, and the forms that text is compared in.

use dealgraph::base::ids::{CompanyId, ContactId, LeadId};
use serde_json::{Value, json};

use crate::harness::{A, Field, Schema, Who, test};

/// A value of each scalar that can't be looked for, with the code that says so.
fn refused(scalar: &str) -> Option<(Value, &'static str)> {
    Some(match scalar {
        "String" => (json!("a\0b"), "INVALID_TEXT"),
        "ID" => (json!("company:\0"), "INVALID_ID"),
        "DateTime" => (json!("+262142-12-31T23:59:59Z"), "OUT_OF_RANGE"),
        "Date" => (json!("+262142-12-31"), "OUT_OF_RANGE"),
        _ => return None,
    })
}

/// A value of each scalar at its edge that can be looked for.
fn extreme(schema: &Schema, scalar: &str) -> Value {
    match scalar {
        "Int" => json!(i32::MIN),
        "BigInt" => json!(-9_007_199_254_740_991_i64),
        "DateTime" => json!("0001-01-01T00:00:00Z"),
        "Date" => json!("9999-12-31"),
        "String" => json!("~\u{1}"),
        "Boolean" => json!(true),
        "ID" => json!("company:ffffffff-ffff-ffff-ffff-ffffffffffff"),
        of => json!(schema.values(of).first().expect("a value of the enum")),
    }
}

#[test]
fn every_value_of_every_filter_is_refused_by_its_place_or_taken() {
    test(async |world| {
        let (schema, admin) = (Schema::of_server(), world.a(Who::Admin));
        let mut wrong = Vec::new();
        let mut judged = 0;
        for list in schema.lists() {
            let Some(filter) = list.argument("filter") else {
                continue;
            };
            let is_comparator = |field: &&Field| {
                let mut operators = schema.fields(&field.of.name).iter();
                operators.any(|operator| operator.name == "eq")
            };
            let fields = schema.fields(&filter.of.name).iter();
            let comparators: Vec<&str> = fields
                .filter(is_comparator)
                .map(|field| &*field.name)
                .collect();
            for field in schema.fields(&filter.of.name).iter().filter(is_comparator) {
                for operator in schema.fields(&field.of.name) {
                    let place = format!("filter.or.1.{}.{}", field.name, operator.name);
                    let mut cases = vec![(
                        Value::Null,
                        match operator.name.as_str() {
                            // The status of an invitation follows from the time, and is never empty.
                            "eq" | "neq" if field.of.name != "InvitationStatusFilter" => None,
                            _ => Some(("INVALID_FILTER", place.clone())),
                        },
                    )];
                    if let Some((value, code)) = refused(&operator.of.name) {
                        cases.push(match operator.of.is_list {
                            true => (json!([value]), Some((code, format!("{place}.0")))),
                            false => (value, Some((code, place.clone()))),
                        });
                    }
                    let value = extreme(&schema, &operator.of.name);
                    if operator.of.name != "ID" {
                        let value = if operator.of.is_list {
                            json!([value])
                        } else {
                            value
                        };
                        cases.push((value, None));
                    }
                    for (value, expected) in cases {
                        // Not every filter has arms.
                        let has_arms = schema
                            .fields(&filter.of.name)
                            .iter()
                            .any(|f| f.name == "or");
                        let arm = json!({ &*field.name: { &*operator.name: value } });
                        // No index serves both arms, and none has to.
                        let other = comparators.iter().find(|name| **name != field.name);
                        let sent = match other {
                            Some(other) if has_arms => {
                                json!({ "or": [{ &**other: { "neq": null } }, arm] })
                            }
                            _ => arm,
                        };
                        let expected = expected.map(|(code, place)| {
                            let place = if has_arms {
                                place
                            } else {
                                place.replace("or.1.", "")
                            };
                            (code.to_owned(), place)
                        });
                        let document = format!(
                            "query($f: {}) {{ {}(filter: $f) {{ totalCount }} }}",
                            filter.of.name, list.name
                        );
                        // There are more of them than one caller may ask for at once.
                        let answer = loop {
                            let answer = admin.send(&document, json!({ "f": sent })).await;
                            let code = &answer.body["errors"][0]["extensions"]["code"];
                            if *code != "RATE_LIMITED" {
                                break answer;
                            }
                            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
                        };
                        let error = &answer.body["errors"][0]["extensions"];
                        let code = error["code"].as_str().map(|code| {
                            let field = error["field"].as_str().unwrap_or_default();
                            (code.to_owned(), field.to_owned())
                        });
                        judged += 1;
                        if code != expected {
                            wrong.push(format!("{} {sent}: {code:?}", list.name));
                        }
                    }
                }
            }
        }
        assert!(judged > 500, "{judged} values were judged");
        assert_eq!(wrong, [""; 0]);
    });
}

#[test]
fn null_is_what_is_empty_also_from_a_variable() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let document = "query($owner: ID, $other: ID!) {
            empty: companies(filter: { ownerId: { eq: $owner } }) { nodes { name } }
            filled: companies(filter: { ownerId: { neq: $owner } }) { nodes { name } }
            both: companies(filter: { ownerId: { neq: $owner }, not: { ownerId: { eq: $other } } }) { nodes { name } }
        }";
        let rep = A.user(Who::Rep);
        let seen = admin
            .query_with(document, json!({ "owner": null, "other": rep }))
            .await;
        let names = |key: &str| {
            let nodes = seen[key]["nodes"].as_array().expect("nodes");
            nodes
                .iter()
                .map(|node| node["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("empty"), ["Company 4"]);
        assert_eq!(names("filled"), ["Company 3", "Company 2", "Company 1"]);
        assert_eq!(names("both"), ["Company 3", "Company 2"]);
    });
}

#[test]
fn what_is_typed_is_found_however_it_was_written() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let write = async |mutation: &str, input: Value| {
            let (verb, kind) = (mutation, mutation[..1].to_uppercase() + &mutation[1..]);
            let document = format!(
                "mutation($i: {kind}Input!) {{ {verb}(input: $i) {{ userErrors {{ code field }} }} }}"
            );
            let payload = admin.query_with(&document, json!({ "i": input })).await;
            assert_eq!(payload[verb]["userErrors"], json!([]), "{input}");
        };
        write(
            "companyUpdate",
            json!({ "id": A.id::<CompanyId>(1), "name": "ΟΔΥΣΣΕΑΣ  Straße", "domain": "München.example",
                    "country": " O\u{308}sterreich", "industry": "New York" }),
        )
        .await;
        write(
            "companyUpdate",
            json!({ "id": A.id::<CompanyId>(2), "industry": "Newark" }),
        )
        .await;
        write(
            "contactUpdate",
            json!({ "id": A.id::<ContactId>(1),
                    "contactMethods": [{ "kind": "EMAIL", "value": "Zoe\u{308}@Example.com" }] }),
        )
        .await;
        write(
            "leadUpdate",
            json!({ "id": A.id::<LeadId>(1), "email": "ΟΔΥΣ@example.com", "source": "Me\u{301}dia" }),
        )
        .await;
        let mut wrong = Vec::new();
        for (list, filter, found) in [
            (
                "companies",
                json!({ "domain": { "eq": "München.example" } }),
                1,
            ),
            (
                "companies",
                json!({ "domain": { "in": [" MÜNCHEN.Example"] } }),
                1,
            ),
            (
                "companies",
                json!({ "domain": { "eq": "xn--mnchen-3ya.example" } }),
                1,
            ),
            (
                "companies",
                json!({ "domain": { "startsWith": "münchen.e" } }),
                1,
            ),
            ("companies", json!({ "name": { "startsWith": "ΟΔΥΣ" } }), 1),
            (
                "companies",
                json!({ "name": { "eq": "οδυσσεας strasse" } }),
                1,
            ),
            (
                "companies",
                json!({ "name": { "startsWith": "οδυσσεας " } }),
                1,
            ),
            (
                "companies",
                json!({ "country": { "eq": "Österreich " } }),
                1,
            ),
            ("companies", json!({ "country": { "startsWith": " Ö" } }), 1),
            (
                "companies",
                json!({ "industry": { "startsWith": "New" } }),
                2,
            ),
            (
                "companies",
                json!({ "industry": { "startsWith": "New " } }),
                1,
            ),
            (
                "contacts",
                json!({ "email": { "eq": " zoë@EXAMPLE.com" } }),
                1,
            ),
            (
                "contacts",
                json!({ "email": { "startsWith": "ZOE\u{308}" } }),
                1,
            ),
            ("leads", json!({ "email": { "eq": "οδυς@example.com" } }), 1),
            ("leads", json!({ "email": { "startsWith": "οδυσ" } }), 1),
            ("leads", json!({ "source": { "neq": "Média" } }), -1),
            ("leads", json!({ "source": { "eq": "Me\u{301}dia" } }), 1),
        ] {
            let kind = match list {
                "companies" => "Company",
                "contacts" => "Contact",
                _ => "Lead",
            };
            let document = format!(
                "query($f: {kind}Filter) {{ all: {list} {{ totalCount }} {list}(filter: $f) {{ totalCount }} }}"
            );
            let seen = admin.query_with(&document, json!({ "f": filter })).await;
            let count = |key: &str| seen[key]["totalCount"].as_i64().expect("a count");
            let expected = if found < 0 {
                count("all") + found
            } else {
                found
            };
            if count(list) != expected {
                wrong.push(format!("{filter}: {} instead of {expected}", count(list)));
            }
        }
        assert_eq!(wrong, [""; 0]);
    });
}
