//! Documents named by what stands for them: by their hash once they were sent, by an id that the operator has listed, and
//! where it is wanted by nothing else.

use std::sync::Arc;

use dealgraph::{
    api::{Trusted, limits::Limits},
    tools::{app::Serving, dev::redis::Redis},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    defaults::served::Served,
    events::open_data,
    harness::{Who, World, test},
};

const DOCUMENT: &str = "query Mine { viewer { id } }";
const OTHER: &str = "query Other { viewer { user { name } } }";

fn hash(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// As docs/caching.md shows it.
fn persisted(text: &str) -> Value {
    json!({ "persistedQuery": { "version": 1, "sha256Hash": hash(text) } })
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or("none")
}

fn is_answered(answer: &Value) -> bool {
    answer.get("errors").is_none() && answer["data"]["viewer"].is_object()
}

async fn listing(world: &World, documents: &Value, limits: Limits) -> Served {
    let trusted = Trusted::parse(documents.to_string().as_bytes()).expect("a manifest");
    let serving = Serving {
        trusted: Arc::new(trusted),
        ..Serving::default()
    };
    Served::open(
        &world.database,
        Arc::clone(&world.tokens),
        None,
        (limits, serving),
    )
    .await
}

#[test]
fn what_was_sent_once_can_be_named_by_its_hash_at_every_server() {
    test(async |world| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {}).await.expect("a Redis");
        let serve = || {
            Served::over(
                &world.database,
                Arc::clone(&world.tokens),
                Some(redis.url()),
            )
        };
        let (one, two) = (serve().await, serve().await);
        let admin = world.a(Who::Admin);
        let token = admin.token();
        let by_hash = json!({ "extensions": persisted(DOCUMENT) });

        let unknown = one.post(token, &by_hash).await;
        assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
        assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
        // A document of a caller without a token is not stored for others.
        one.post(
            None,
            &json!({ "query": OTHER, "extensions": persisted(OTHER) }),
        )
        .await;
        let others = json!({ "extensions": persisted(OTHER) });
        assert_eq!(
            code(&two.post(token, &others).await),
            "PERSISTED_QUERY_NOT_FOUND"
        );

        let both = json!({ "query": DOCUMENT, "extensions": persisted(DOCUMENT) });
        assert!(is_answered(&one.post(token, &both).await));
        for server in [&one, &two] {
            assert!(is_answered(&server.post(token, &by_hash).await));
            let id = format!("sha256:{}", hash(DOCUMENT));
            assert!(is_answered(
                &server.post(token, &json!({ "documentId": id })).await
            ));
        }
        // Rights are those of the caller, not of the one who sent it first.
        assert_eq!(code(&two.post(None, &by_hash).await), "UNAUTHENTICATED");

        let wrong = json!({ "query": OTHER, "extensions": persisted(DOCUMENT) });
        assert_eq!(
            code(&one.post(token, &wrong).await),
            "PERSISTED_QUERY_MISMATCH"
        );
        for extension in [
            json!({}),
            json!({ "version": 2, "sha256Hash": hash(DOCUMENT) }),
            json!({ "version": 1, "sha256Hash": "é" }),
        ] {
            let body = json!({ "extensions": { "persistedQuery": extension } });
            assert_eq!(
                code(&one.post(token, &body).await),
                "PERSISTED_QUERY_NOT_SUPPORTED"
            );
        }
        one.stop().await;
        two.stop().await;
        redis.stop().await;
    });
}

#[test]
fn a_listed_document_is_named_by_its_id() {
    test(async |world| {
        let server = listing(world, &json!({ "mine": DOCUMENT }), Limits::default()).await;
        let admin = world.a(Who::Admin);
        let token = admin.token();
        assert!(is_answered(
            &server.post(token, &json!({ "documentId": "mine" })).await
        ));
        let both = server
            .post(token, &json!({ "documentId": "mine", "query": DOCUMENT }))
            .await;
        assert_eq!(code(&both), "BAD_REQUEST");
        let unknown = server.post(token, &json!({ "documentId": "other" })).await;
        assert_eq!(code(&unknown), "DOCUMENT_NOT_FOUND");
        assert!(is_answered(
            &server.post(token, &json!({ "query": OTHER })).await
        ));
        server.stop().await;
    });
}

#[test]
fn a_server_can_run_nothing_but_listed_documents() {
    test(async |world| {
        let limits = Limits {
            trusted_documents_only: true,
            ..Limits::default()
        };
        let server = listing(world, &json!({ "mine": DOCUMENT }), limits).await;
        let admin = world.a(Who::Admin);
        let token = admin.token();
        for listed in [
            json!({ "documentId": "mine" }),
            json!({ "query": DOCUMENT }),
        ] {
            assert!(is_answered(&server.post(token, &listed).await));
        }
        for document in [
            OTHER,
            "{ __schema { queryType { name } } }",
            "query Mine { viewer { id } } # more",
        ] {
            let answer = server.post(token, &json!({ "query": document })).await;
            assert_eq!(code(&answer), "DOCUMENT_NOT_TRUSTED", "{document}");
        }
        let sign_in = json!({ "query": "{ signInOptions { secondFactorRequired } }" });
        assert_eq!(
            code(&server.post(None, &sign_in).await),
            "DOCUMENT_NOT_TRUSTED"
        );
        server.stop().await;
    });
}

#[test]
fn a_tenant_can_want_that_for_itself_and_undo_it() {
    test(async |world| {
        let server = listing(world, &json!({ "mine": DOCUMENT }), Limits::default()).await;
        let [admin, rep] = [Who::Admin, Who::Rep].map(|who| world.a(who));
        let other = world.b(Who::Admin);
        let (admin, rep, other) = (admin.token(), rep.token(), other.token());
        let switch = |on: bool| {
            let document = format!(
                "mutation {{ tenantUpdate(input: {{ trustedDocumentsOnly: {on} }}) {{ tenant {{ trustedDocumentsOnly }} userErrors {{ code }} }} }}"
            );
            json!({ "query": document })
        };
        let switched = server.post(admin, &switch(true)).await;
        assert_eq!(
            switched["data"]["tenantUpdate"]["tenant"]["trustedDocumentsOnly"], true,
            "{switched}"
        );
        // Other servers hear of it within a second; this one at once, but for the answer that was being made.
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        for token in [admin, rep] {
            let answer = server.post(token, &json!({ "query": OTHER })).await;
            assert_eq!(code(&answer), "DOCUMENT_NOT_TRUSTED");
            assert!(is_answered(
                &server.post(token, &json!({ "documentId": "mine" })).await
            ));
        }
        assert!(
            is_answered(&server.post(other, &json!({ "query": OTHER })).await),
            "another tenant"
        );
        let more = "mutation { tenantUpdate(input: { trustedDocumentsOnly: false }) { userErrors { code } } viewerUpdate(input: { name: \"x\" }) { userErrors { code } } }";
        let answer = server.post(admin, &json!({ "query": more })).await;
        assert_eq!(
            code(&answer),
            "DOCUMENT_NOT_TRUSTED",
            "nothing else along with it"
        );
        assert!(
            server
                .post(admin, &switch(false))
                .await
                .get("errors")
                .is_none()
        );
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        assert!(is_answered(
            &server.post(rep, &json!({ "query": OTHER })).await
        ));
        server.stop().await;
    });
}

#[test]
fn a_key_can_be_made_for_listed_documents_only() {
    test(async |world| {
        let listed = "{ companies(first: 1) { totalCount } }";
        let server = listing(world, &json!({ "count": listed }), Limits::default()).await;
        let admin = world.a(Who::Admin);
        let make = "mutation { apiKeyCreate(input: { name: \"Wallboard\", role: VIEWER, trustedDocumentsOnly: true }) { secret apiKey { trustedDocumentsOnly } userErrors { code } } }";
        let made = server.post(admin.token(), &json!({ "query": make })).await;
        let made = &made["data"]["apiKeyCreate"];
        assert_eq!(made["apiKey"]["trustedDocumentsOnly"], true, "{made}");
        let secret = made["secret"].as_str().expect("a secret");
        world.secrets.add(secret);
        let counted = server
            .post(Some(secret), &json!({ "documentId": "count" }))
            .await;
        assert!(
            counted["data"]["companies"]["totalCount"].is_number(),
            "{counted}"
        );
        let other = server
            .post(
                Some(secret),
                &json!({ "query": "{ companies { totalCount } }" }),
            )
            .await;
        assert_eq!(code(&other), "DOCUMENT_NOT_TRUSTED");
        server.stop().await;
    });
}
