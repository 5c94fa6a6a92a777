//! Idempotency keys: what is sent again under a key is done once and answered alike, whatever happened in between.

mod rebuilt;

use std::{collections::BTreeSet, sync::Arc};

use chrono::TimeDelta;
use dealgraph::{
    api::http::WITHOUT_KEY,
    base::error::Error,
    crm::opportunities,
    db::journal::{Claimed, IdempotencyKey, Origin, RequestWork, idempotency},
};
use futures_util::future::join_all;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::{
    defaults::served::Served,
    harness::{A, B, OF_ACCOUNTS, Side, Who, World, providers, test},
};

const CREATE: &str = "mutation($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id lastName } userErrors { code } } }";

fn token(world: &World, side: Side, who: Who) -> String {
    let issued = world.tokens.issue(side.user(who), side.tenant());
    issued.expect("the key signs").token
}

/// A caller who sends a key.
struct Caller<'s> {
    server: &'s Served,
    token: String,
}

impl Caller<'_> {
    async fn send(&self, key: &str, body: &Value) -> (u16, bool, Value) {
        let (status, headers, answer) = self.ask(key, body).await;
        let is_replayed = headers.get("idempotency-replayed").is_some();
        (status, is_replayed, answer)
    }

    async fn ask(&self, key: &str, body: &Value) -> (u16, HeaderMap, Value) {
        let request = reqwest::Client::new().post(self.server.url());
        let request = request
            .bearer_auth(&self.token)
            .header("idempotency-key", key);
        let request = request.header("accept", "application/graphql-response+json");
        let response = request.json(body).send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (
            status,
            headers,
            response.json().await.expect("an answer is JSON"),
        )
    }

    async fn create(&self, key: &str, name: &str) -> (u16, bool, Value) {
        self.send(key, &self.creation(name)).await
    }

    fn creation(&self, name: &str) -> Value {
        let input = json!({ "firstName": "Ida", "lastName": name });
        json!({ "query": CREATE, "variables": { "input": input } })
    }
}

async fn servers(world: &World) -> (Served, Served) {
    let known = || providers(&world.rolodex.url);
    let server =
        async || Served::knowing(&world.database, Arc::clone(&world.tokens), known()).await;
    (server().await, server().await)
}

async fn contacts(world: &World, name: &str) -> i64 {
    let mut superuser = world.database.superuser().await;
    let sql = "SELECT count(*) FROM contacts WHERE last_name = $1";
    let count = sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(&mut superuser)
        .await;
    count.expect("they are counted")
}

async fn arrange(world: &World, sql: &'static str) {
    let mut superuser = world.database.superuser().await;
    sqlx::query(sql)
        .execute(&mut superuser)
        .await
        .expect("it fits");
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"]
        .as_str()
        .unwrap_or_default()
}

#[test]
fn what_is_sent_again_is_done_once_and_answered_alike_also_at_another_server() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let admin = token(world, A, Who::Admin);
        let first = Caller {
            server: &here,
            token: admin.clone(),
        };
        let second = Caller {
            server: &there,
            token: admin,
        };
        let (status, is_replayed, answer) = first.create("k-1", "Once").await;
        assert_eq!((status, is_replayed), (200, false), "{answer}");
        assert_eq!(
            answer["data"]["contactCreate"]["contact"]["lastName"],
            "Once"
        );
        for caller in [&first, &second] {
            // In quotes, as the draft says, it is the same key.
            for key in ["k-1", "\"k-1\""] {
                let (status, is_replayed, again) = caller.create(key, "Once").await;
                assert_eq!((status, is_replayed), (200, true), "{again}");
                assert_eq!(again["data"], answer["data"]);
            }
        }
        assert_eq!(contacts(world, "Once").await, 1);
        let (status, _, other) = second.create("k-1", "Another").await;
        assert_eq!((status, code(&other)), (422, "IDEMPOTENCY_KEY_REUSED"));
        assert_eq!(contacts(world, "Another").await, 0);
        // Another person's key is another one, and another tenant's is.
        for (side, who) in [(A, Who::Manager), (B, Who::Admin)] {
            let caller = Caller {
                server: &here,
                token: token(world, side, who),
            };
            let (status, is_replayed, own) = caller.create("k-1", "Once").await;
            assert_eq!((status, is_replayed), (200, false), "{own}");
            assert_ne!(own["data"], answer["data"]);
        }
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn of_many_at_once_one_is_done() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let callers = [&here, &there].map(|server| Caller {
            server,
            token: token(world, A, Who::Admin),
        });
        let sent = (0..12).map(|n| callers[n % 2].create("at-once", "AtOnce"));
        let mut done = 0;
        for (status, is_replayed, answer) in join_all(sent).await {
            match status {
                200 => done += usize::from(!is_replayed),
                _ => assert_eq!(
                    (status, code(&answer)),
                    (409, "IDEMPOTENCY_IN_PROGRESS"),
                    "{answer}"
                ),
            }
        }
        assert_eq!(done, 1);
        assert_eq!(contacts(world, "AtOnce").await, 1);
        let (status, is_replayed, _) = callers[0].create("at-once", "AtOnce").await;
        assert_eq!((status, is_replayed), (200, true));
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn what_wrote_nothing_may_come_again_mended() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let caller = Caller {
            server: &here,
            token: token(world, A, Who::Admin),
        };
        let (status, _, answer) = caller.create("mended", " ").await;
        assert_eq!(status, 200);
        assert_ne!(
            answer["data"]["contactCreate"]["userErrors"],
            json!([]),
            "{answer}"
        );
        let (status, is_replayed, answer) = caller.create("mended", "Mended").await;
        assert_eq!((status, is_replayed), (200, false), "{answer}");
        assert_eq!(contacts(world, "Mended").await, 1);
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_server_that_died_after_it_wrote_has_done_it_and_one_that_died_before_has_not() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let caller = Caller {
            server: &there,
            token: token(world, A, Who::Admin),
        };
        let (_, _, answer) = caller.create("died", "Died").await;
        arrange(world, "UPDATE idempotency_keys SET answer = NULL").await;
        let (status, _, running) = caller.create("died", "Died").await;
        assert_eq!((status, code(&running)), (409, "IDEMPOTENCY_IN_PROGRESS"));
        arrange(
            world,
            "UPDATE idempotency_keys SET claimed_until = now() - interval '1 s'",
        )
        .await;
        let (status, is_replayed, again) = caller.create("died", "Died").await;
        assert_eq!((status, is_replayed), (200, true), "{again}");
        assert_eq!(again["data"], answer["data"]);
        assert_eq!(contacts(world, "Died").await, 1);
        // Before it wrote: the next one takes over.
        arrange(
            world,
            "UPDATE idempotency_keys SET written = false, answer = NULL, claimed_until = now() - interval '1 s'",
        )
        .await;
        arrange(world, "DELETE FROM contacts WHERE last_name = 'Died'").await;
        let (status, is_replayed, _) = caller.create("died", "Died").await;
        assert_eq!(
            (status, is_replayed, contacts(world, "Died").await),
            (200, false, 1)
        );
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn a_request_that_was_taken_for_dead_writes_no_more() {
    test(async |world: &World| {
        let (admin, key) = (
            A.actor(Who::Admin),
            IdempotencyKey {
                key: [1; 32],
                request: [2; 32],
            },
        );
        let origin = Origin::process("a test");
        let claim = async |lease: TimeDelta| {
            let claimed = world.db.write(&admin, &origin, async |tx| {
                idempotency::claim(tx, key, lease).await
            });
            match claimed.await.expect("it is claimed") {
                Claimed::New(claim) => claim,
                other => panic!("{other:?}"),
            }
        };
        let slow = claim(TimeDelta::seconds(-1)).await;
        let next = claim(TimeDelta::seconds(60)).await;
        let rename = async |claim: &dealgraph::db::journal::IdempotencyClaim, name: &str| {
            let origin = Origin {
                work: Some(Arc::new(RequestWork::under(Some(claim.clone())))),
                ..Origin::process("a test")
            };
            let renamed = world.db.write(&admin, &origin, async |tx| {
                opportunities::update(tx, (A.id(1), None), None, |fields| {
                    name.clone_into(&mut fields.name);
                    Ok(())
                })
                .await
            });
            renamed.await
        };
        let refused = rename(&slow, "Too late")
            .await
            .expect_err("its claim is another's");
        assert!(matches!(refused, Error::TakenOver), "{refused:?}");
        rename(&next, "In time")
            .await
            .expect("its claim is its own");
        let mut superuser = world.database.superuser().await;
        let sql = "SELECT count(*) FROM opportunities WHERE name = 'Too late'";
        let late: i64 = sqlx::query_scalar(sql)
            .fetch_one(&mut superuser)
            .await
            .expect("a count");
        assert_eq!(late, 0);
    });
}

#[test]
fn keys_that_are_none_and_requests_that_take_none_are_refused() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let caller = Caller {
            server: &here,
            token: token(world, A, Who::Admin),
        };
        for key in ["", "\"\"", "a b", "ä", &"k".repeat(256)] {
            let (status, _, answer) = caller.create(key, "Refused").await;
            assert_eq!(
                (status, code(&answer)),
                (400, "IDEMPOTENCY_KEY_INVALID"),
                "{key}"
            );
        }
        let two = json!({ "query": "mutation { a: companyArchive(input: { id: \"x\" }) { userErrors { code } } b: companyArchive(input: { id: \"x\" }) { userErrors { code } } }" });
        let (status, _, answer) = caller.send("two", &two).await;
        assert_eq!(
            (status, code(&answer)),
            (400, "IDEMPOTENCY_ONE_FIELD"),
            "{answer}"
        );
        let own = json!({ "query": "mutation { sessionRevokeAll { ended } }" });
        let (status, _, answer) = caller.send("own", &own).await;
        assert_eq!(
            (status, code(&answer)),
            (400, "IDEMPOTENCY_UNSUPPORTED"),
            "{answer}"
        );
        // A query changes nothing, so that it needs no key and may have one.
        let query = json!({ "query": "{ viewer { role } }" });
        let (status, is_replayed, _) = caller.send("query", &query).await;
        assert_eq!((status, is_replayed), (200, false));
        assert_eq!(contacts(world, "Refused").await, 0);
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn keys_are_forgotten_after_a_day() {
    test(async |world: &World| {
        let (here, there) = servers(world).await;
        let caller = Caller {
            server: &here,
            token: token(world, A, Who::Admin),
        };
        caller.create("old", "Daily").await;
        arrange(
            world,
            "UPDATE idempotency_keys SET claimed_at = now() - interval '24 h 1 s'",
        )
        .await;
        let (status, is_replayed, _) = caller.create("old", "Daily").await;
        assert_eq!(
            (status, is_replayed, contacts(world, "Daily").await),
            (200, false, 2)
        );
        assert!(
            idempotency::forget(&world.db)
                .await
                .expect("the system may")
                > 0,
            "the world's own"
        );
        assert_eq!(
            idempotency::forget(&world.db)
                .await
                .expect("the system may"),
            0
        );
        here.stop().await;
        there.stop().await;
    });
}

#[test]
fn what_takes_no_key_is_what_is_about_accounts_and_the_end_of_a_tenant() {
    let mut without = BTreeSet::from(OF_ACCOUNTS);
    without.extend(["tenantCancelDeletion", "tenantScheduleDeletion"]);
    assert_eq!(BTreeSet::from(WITHOUT_KEY), without);
}
