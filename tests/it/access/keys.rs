//! Signing keys are changed while servers run: without a refused request, or at once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use dealgraph::organization::auth::{
    KeyError,
    keys::{self, KeyState},
};
use futures_util::future::join_all;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use super::{Pair, WHO, token};
use crate::{
    defaults::child::binary,
    harness::{
        A, AUDIENCE, ISSUER, Who, encryption_key, open, signing_key, test, tokens_over, vault,
    },
};

fn kid_of(token: &str) -> String {
    let header = jsonwebtoken::decode_header(token).expect("a token");
    header.kid.expect("it names its key")
}

async fn published(pair: &Pair) -> Vec<BTreeSet<String>> {
    let mut all = Vec::new();
    for server in &pair.servers {
        let keys: Value = server
            .get("/.well-known/jwks.json")
            .await
            .json()
            .await
            .expect("JSON");
        let kids = keys["keys"].as_array().expect("a list").iter();
        all.push(
            kids.map(|key| key["kid"].as_str().unwrap().to_owned())
                .collect(),
        );
    }
    all
}

#[test]
fn a_rotation_under_load_refuses_nobody_and_a_retired_key_is_refused_at_once() {
    test(async |world| {
        let pair = Pair::start(world).await;
        let old = token(world, Who::Admin);
        let (done, asked) = (AtomicBool::new(false), AtomicU32::new(0));
        let db = open(&world.database, 1).await;
        let load = async |server: usize| {
            while !done.load(Ordering::Relaxed) {
                let (status, answer) = pair.servers[server].ask(&old, WHO).await;
                assert_eq!(status, 200, "an old token: {answer}");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        };
        let rotate = async {
            // Nobody had time to hear of the new key.
            let (vault, last) = (vault(), TimeDelta::minutes(10));
            let kid = keys::rotate(&db, &vault, TimeDelta::zero(), last)
                .await
                .unwrap();
            let tokens = tokens_over(&db).await;
            for _ in 0..20 {
                let new = tokens.issue(A.user(Who::Admin), A.tenant()).unwrap().token;
                assert_eq!(kid_of(&new), kid);
                for server in &pair.servers {
                    let (status, answer) = server.ask(&new, WHO).await;
                    assert_eq!(status, 200, "a token by the new key: {answer}");
                }
            }
            done.store(true, Ordering::Relaxed);
            (kid, tokens)
        };
        let ((new, tokens), _, _) = tokio::join!(rotate, load(0), load(1));
        assert!(asked.into_inner() > 10, "there was load");
        let both = BTreeSet::from([kid_of(&old), new.clone()]);
        assert_eq!(published(&pair).await, [both.clone(), both]);

        let made = keys::retire(&db, &vault(), &kid_of(&old)).await.unwrap();
        assert_eq!(made, None, "another one signs");
        pair.until("a retired key", &old, |status, _| status == 401)
            .await;
        let by_new = tokens.issue(A.user(Who::Admin), A.tenant()).unwrap().token;
        for server in &pair.servers {
            assert_eq!(server.ask(&by_new, WHO).await.0, 200);
        }
        let only = BTreeSet::from([new.clone()]);
        assert_eq!(published(&pair).await, [only.clone(), only]);

        // The last one that signs is replaced.
        let made = keys::retire(&db, &vault(), &new).await.unwrap();
        let made = made.expect("nothing else signs");
        pair.until("the second one", &by_new, |status, _| status == 401)
            .await;
        let newest = tokens_over(&db).await.issue(A.user(Who::Admin), A.tenant());
        let newest = newest.unwrap().token;
        assert_eq!(kid_of(&newest), made);
        pair.until("the third one", &newest, |status, _| status == 200)
            .await;
        let again = keys::retire(&db, &vault(), &new).await;
        assert!(matches!(again, Err(KeyError::Unknown(kid)) if kid == new));
        db.close().await;
        pair.stop().await;
    });
}

#[test]
fn a_new_key_is_known_before_it_signs_and_the_old_one_has_an_end() {
    test(async |world| {
        let db = open(&world.database, 1).await;
        let (overlap, last) = (TimeDelta::seconds(60), TimeDelta::minutes(15));
        let before = world.db.clock().now();
        let new = keys::rotate(&db, &vault(), overlap, last).await.unwrap();
        let known = keys::list(&db).await.unwrap();
        let find = |kid: &str| known.iter().find(|key| key.kid == kid).expect("listed");
        let (old, next) = (find(&signing_key().await.kid), find(&new));
        assert_eq!((old.state, next.state), (KeyState::Signing, KeyState::Next));
        assert!(next.signs_from >= before + overlap && next.checks_until.is_none());
        assert!(old.checks_until.unwrap() >= next.signs_from + last);
        let issued = tokens_over(&db).await.issue(A.user(Who::Rep), A.tenant());
        assert_eq!(kid_of(&issued.unwrap().token), old.kid);
        db.close().await;
    });
}

#[test]
fn a_flood_of_unknown_keys_reads_the_keys_a_bounded_number_of_times() {
    test(async |world| {
        let key = EncodingKey::from_ed_pem(signing_key().await.pem.as_bytes()).unwrap();
        let flood = (0..300).map(|n| {
            let header = Header {
                kid: Some(format!("unknown-{n}")),
                ..Header::new(Algorithm::EdDSA)
            };
            let claims = json!({ "iss": ISSUER });
            let bad = jsonwebtoken::encode(&header, &claims, &key).unwrap();
            world.stranger(Some(bad))
        });
        let clients: Vec<_> = flood.collect();
        let began = Instant::now();
        let (answers, statements) = world
            .statements
            .all_during(join_all(
                clients.iter().map(|client| client.send(WHO, json!({}))),
            ))
            .await;
        assert!(answers.iter().all(|answer| answer.status == 401));
        let reads = statements
            .iter()
            .filter(|sql| sql.starts_with("SELECT kid, public_key"));
        let by_themselves = began.elapsed().as_secs() / 10 + 1;
        let searches = began.elapsed().as_secs() / 5 + 1;
        let most = by_themselves + searches;
        let reads = reads.count() as u64;
        assert!(
            (1..=most).contains(&reads),
            "{reads} readings for {} tokens",
            answers.len()
        );
        assert_eq!(world.a(Who::Rep).send(WHO, json!({})).await.status, 200);
    });
}

#[test]
fn what_is_published_checks_what_is_signed() {
    test(async |world| {
        let (server, db) = super::server(world).await;
        let response = server.get("/.well-known/jwks.json").await;
        assert_eq!(response.headers()["cache-control"], "public, max-age=60");
        let keys: Value = response.json().await.expect("JSON");
        let [key] = keys["keys"].as_array().expect("a list").as_slice() else {
            panic!("{keys}")
        };
        let issued = token(world, Who::Rep);
        assert_eq!(key["kid"], kid_of(&issued));
        let names = ["kty", "crv", "alg", "use"].map(|name| key[name].as_str().unwrap());
        assert_eq!(names, ["OKP", "Ed25519", "EdDSA", "sig"]);
        assert_eq!(
            key.as_object().unwrap().len(),
            6,
            "and nothing private: {key}"
        );
        let x = key["x"].as_str().unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(x).unwrap().len(), 32);
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_audience(&[AUDIENCE]);
        let checking = DecodingKey::from_ed_components(x).unwrap();
        jsonwebtoken::decode::<Value>(&issued, &checking, &validation).expect("it is signed by it");

        let response = server.get("/.well-known/openid-configuration").await;
        let known: Value = response.json().await.expect("JSON");
        let jwks = format!("{ISSUER}/.well-known/jwks.json");
        assert_eq!(
            (&known["issuer"], &known["jwks_uri"]),
            (&json!(ISSUER), &json!(jwks))
        );
        for untrue in [
            "token_endpoint",
            "authorization_endpoint",
            "id_token_signing_alg_values_supported",
        ] {
            assert_eq!(known.get(untrue), None);
        }
        server.stop().await;
        db.close().await;
    });
}

#[test]
fn several_servers_that_start_at_once_make_one_key() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        sqlx::query("DELETE FROM signing_keys")
            .execute(&mut superuser)
            .await
            .expect("the superuser may");
        let db = open(&world.database, 1).await;
        let servers = join_all((0..4).map(|_| tokens_over(&db))).await;
        let kids: BTreeSet<String> = servers
            .iter()
            .map(|tokens| kid_of(&tokens.issue(A.user(Who::Rep), A.tenant()).unwrap().token))
            .collect();
        assert_eq!(kids.len(), 1, "{kids:?}");
        let sealed: Vec<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT private_key, public_key FROM signing_keys")
                .fetch_all(&mut superuser)
                .await
                .expect("the superuser may");
        assert_eq!(sealed.len(), 1);
        // PKCS#8 repeats its object identifier and would hold the public half as it is.
        let clear = |bytes: &[u8]| bytes.windows(3).any(|three| three == [0x2b, 0x65, 0x70]);
        assert!(!clear(&sealed[0].0), "the private half is sealed");

        let other =
            dealgraph::platform::Vault::new(&dealgraph::platform::Vault::generate_key()).unwrap();
        let refused =
            dealgraph::organization::auth::KeyRing::open(db.clone(), Arc::new(other), None).await;
        assert!(matches!(refused.err(), Some(KeyError::Sealed)));
        db.close().await;
    });
}

#[test]
fn the_command_lists_rotates_and_retires() {
    test(async |world| {
        let run = async |arguments: &[&str]| {
            let mut command = binary();
            command
                .arg("keys")
                .args(arguments)
                .env("DEALGRAPH_ENCRYPTION_KEYS", encryption_key().await);
            for (name, login) in [
                ("DEALGRAPH_DATABASE_URL", "dealgraph_app"),
                ("DEALGRAPH_SYSTEM_DATABASE_URL", "dealgraph_system"),
            ] {
                let options = world.database.options(login).await;
                command.env(name, crate::defaults::child::url(&options));
            }
            let done = command.output().await.expect("the binary starts");
            let text = |bytes| String::from_utf8(bytes).expect("it is text");
            (
                done.status.success(),
                text(done.stdout) + &text(done.stderr),
            )
        };
        let own = &signing_key().await.kid;
        let (_, listed) = run(&["list"]).await;
        assert!(listed.contains(own) && listed.contains("signs"), "{listed}");
        let (good, said) = run(&["rotate", "--overlap-s", "0"]).await;
        assert!(good, "{said}");
        let (_, listed) = run(&["list"]).await;
        let line = listed.lines().find(|line| line.starts_with(own)).unwrap();
        assert!(line.contains(" checks "), "{listed}");
        let (good, said) = run(&["retire", own]).await;
        assert!(good && said.contains(own), "{said}");
        let (good, said) = run(&["retire", own]).await;
        assert!(!good && said.contains(own), "{said}");
    });
}
