//! GraphQL over HTTP as others judge it, and what every answer keeps: an id, codes, the order of the question, and no token.

use std::{path::Path, process::Stdio};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    defaults::child::Child,
    harness::{A, Who, World, test},
};

#[test]
fn all_audits_of_the_protocol_pass() {
    test(async |world: &World| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
        install(&folder).await;
        let server = Child::serve(world, &[]).await;
        let mut audit = Command::new("node");
        audit
            .arg("http-audit.mjs")
            .arg(server.url())
            .env("AUDIT_TOKEN", server.token())
            .current_dir(&folder);
        let done = audit
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("node is installed");
        let text = String::from_utf8_lossy(&done.stdout);
        let summary: Value =
            serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap_or_default();
        assert_eq!(
            summary,
            json!({ "total": 61, "ok": 61, "failed": [] }),
            "{text}{}",
            String::from_utf8_lossy(&done.stderr)
        );
        assert!(done.status.success());
        assert!(server.stop().await.success());
    });
}

/// Installs the packages of the lock file, unless they are there; one test at a time.
pub(crate) async fn install(folder: &Path) {
    static INSTALLING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _turn = INSTALLING.lock().await;
    let changed = |file: &str| {
        std::fs::metadata(folder.join(file))
            .and_then(|file| file.modified())
            .ok()
    };
    let (installed, wanted) = (
        changed("node_modules/.package-lock.json"),
        changed("package-lock.json"),
    );
    if installed.is_some() && installed >= wanted {
        return;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(folder)
        .stdin(Stdio::null());
    let done = npm.output().await.expect("npm is installed");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn every_answer_has_an_id_the_senders_own_if_it_is_sane() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        for (body, status) in [
            ("{\"query\":\"{__typename}\"}", 200),
            ("{\"query\":\"{\"}", 400),
            ("nonsense", 400),
        ] {
            let post = || {
                admin
                    .post()
                    .header("content-type", "application/json")
                    .header("accept", "application/graphql-response+json")
            };
            let id = async |sent: Option<&str>| {
                let request = post().body(body.to_owned());
                let request = sent.map_or(request.try_clone().expect("it is bytes"), |sent| {
                    request.header("x-request-id", sent)
                });
                let answer = admin.send_request(request, body).await;
                assert_eq!(answer.status, status, "{}", answer.body);
                answer.headers["x-request-id"]
                    .to_str()
                    .expect("it is plain")
                    .to_owned()
            };
            assert_eq!(id(Some("req_1.a-B")).await, "req_1.a-B");
            let (one, other, instead) = (
                id(None).await,
                id(None).await,
                id(Some("<script> {}")).await,
            );
            assert!(one.len() >= 16 && one != other, "{one} {other}");
            assert!(
                instead
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
                "{instead}"
            );
        }
        assert!(world.log().contains("req_1.a-B"), "the log has it too");
    });
}

#[test]
fn without_a_token_there_is_nothing_but_the_name_of_the_root() {
    test(async |world: &World| {
        let nobody = world.stranger(None);
        let answer = nobody.send("{ __typename }", json!({})).await;
        assert_eq!(
            (answer.status, answer.body),
            (200, json!({ "data": { "__typename": "Query" } }))
        );
        let company = format!(
            "{{ company(id: \"{}\") {{ name }} }}",
            A.id::<dealgraph::base::ids::CompanyId>(1)
        );
        let archive = format!(
            "mutation {{ companyArchive(input: {{ id: \"{}\" }}) {{ company {{ id }} }} }}",
            A.id::<dealgraph::base::ids::CompanyId>(1)
        );
        for document in [
            "{ viewer { user { id } } }",
            "{ tenant { name } }",
            "{ __schema { types { name } } }",
            "{ __type(name: \"Query\") { name } }",
            "{ __typename viewer { role } }",
            "{ ...a } fragment a on Query { tenant { name } }",
            "{ companies(first: 1) { totalCount } }",
            &company,
            &archive,
        ] {
            for token in [None, Some("nonsense".to_owned()), Some("a.b.c".to_owned())] {
                let answer = world.stranger(token).send(document, json!({})).await;
                assert_eq!(
                    (answer.status, answer.code()),
                    (401, "UNAUTHENTICATED"),
                    "{document}: {}",
                    answer.body
                );
                assert!(
                    answer.body.get("data").is_none_or(Value::is_null),
                    "{document}: {}",
                    answer.body
                );
            }
        }
        assert_eq!(
            world.a(Who::Admin).query(&company).await["company"]["name"],
            "Company 1"
        );
    });
}

#[test]
fn every_error_has_a_code_and_quotes_little() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let marker = "zzMARKERzz";
        for document in [
            format!("{{ {marker}"),
            format!("{{ {marker} }}"),
            format!("{{ company(id: \"{marker}\") {{ id }} }}"),
            format!("{{ companies(first: 1, after: \"{marker}\") {{ totalCount }} }}"),
            "{ companies(first: 1000) { totalCount } }".to_owned(),
            "{ companies(first: -1) { totalCount } }".to_owned(),
            "{ companies(first: 1, last: 1) { totalCount } }".to_owned(),
            "query($a: ID!) { company(id: $a) { id } }".to_owned(),
            "mutation { companyCreate(input: {}) { company { id } } }".to_owned(),
            "mutation { companyCreate(input: { name: 1 }) { company { id } } }".to_owned(),
            "query a { __typename } query b { __typename }".to_owned(),
        ] {
            let answer = admin.send(&document, json!({})).await;
            let errors = answer.body["errors"]
                .as_array()
                .unwrap_or_else(|| panic!("{document}: {}", answer.body));
            for error in errors {
                let code = error["extensions"]["code"].as_str().unwrap_or_default();
                let is_code = !code.is_empty()
                    && code
                        .bytes()
                        .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
                assert!(is_code, "{document}: {error}");
                let message = error["message"].as_str().expect("a message");
                assert!(
                    !message.is_empty() && message.len() < 300,
                    "{document}: {message}"
                );
            }
        }
    });
}

#[test]
fn answers_are_in_the_order_of_the_question() {
    test(async |world: &World| {
        let token = world
            .tokens
            .issue(A.user(Who::Admin), A.tenant())
            .expect("the key signs")
            .token;
        let text = async |document: &str| {
            let request = world
                .a(Who::Admin)
                .post()
                .bearer_auth(&token)
                .json(&json!({ "query": document }));
            request
                .send()
                .await
                .expect("an answer")
                .text()
                .await
                .expect("its text")
        };
        // Later fields are answered sooner: one needs two statements, one none.
        let document = "{ z: companies(first: 1, filter: { name: { eq: \"company 2\" } }) { nodes { parent { name id } name } }
            __typename a: tenant { slug name } m: viewer { role tenant { name } } ...f } fragment f on Query { b: __typename z2: __typename }";
        let company = A.id::<dealgraph::base::ids::CompanyId>(1);
        let expected = format!(
            "{{\"data\":{{\"z\":{{\"nodes\":[{{\"parent\":{{\"name\":\"Company 1\",\"id\":\"{company}\"}},\"name\":\"Company 2\"}}]}},\
             \"__typename\":\"Query\",\"a\":{{\"slug\":\"side-a0a0\",\"name\":\"Twin\"}},\
             \"m\":{{\"role\":\"ADMIN\",\"tenant\":{{\"name\":\"Twin\"}}}},\"b\":\"Query\",\"z2\":\"Query\"}}"
        );
        let begins = |text: String, expected: &str| {
            let (data, _) = text.split_once(",\"extensions\"").expect("what it cost");
            assert_eq!(data, expected);
        };
        begins(text(document).await, &expected);
        let swapped = text("{ b: __typename a: __typename } ").await;
        begins(swapped, "{\"data\":{\"b\":\"Query\",\"a\":\"Query\"}");
    });
}

#[test]
fn a_token_is_never_echoed_nor_logged() {
    test(async |world: &World| {
        let valid = world
            .tokens
            .issue(A.user(Who::Admin), A.tenant())
            .expect("the key signs")
            .token;
        let (start, _) = valid.split_at(valid.len() / 2);
        for token in [
            valid.clone(),
            format!("{valid}x"),
            start.to_owned(),
            "SECRET-TOKEN".to_owned(),
        ] {
            for document in ["{ viewer { role } }", "{ __typename", "{ nope }"] {
                let answer = world
                    .stranger(Some(token.clone()))
                    .send(document, json!({}))
                    .await;
                let response = format!("{:?} {}", answer.headers, answer.body);
                assert!(!response.contains(&token), "{response}");
            }
            assert!(!world.log().contains(&token), "the log has the token");
        }
    });
}

#[test]
fn introspection_is_for_people_who_are_signed_in_and_can_be_turned_off() {
    test(async |world: &World| {
        for (settings, is_told) in [
            (&[][..], true),
            (&[("DEALGRAPH_INTROSPECTION", "off")], false),
        ] {
            let server = Child::serve(world, settings).await;
            for document in [
                "{ __schema { types { name } } }",
                "{ __type(name: \"Company\") { name fields { name } } }",
            ] {
                let reply = server.query(document).await;
                let types = reply.body.to_string().matches("\"Company\"").count();
                assert_eq!(types > 0, is_told, "{document}: {}", reply.body);
                let response = server
                    .http()
                    .post(server.url())
                    .json(&json!({ "query": document }))
                    .send()
                    .await
                    .expect("an answer");
                assert_eq!(
                    response.status().as_u16(),
                    401,
                    "{document} without a token"
                );
            }
            assert_eq!(
                server.query("{ __typename }").await.body["data"],
                json!({ "__typename": "Query" })
            );
            assert!(server.stop().await.success());
        }
    });
}
