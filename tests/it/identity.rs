//! Who the caller is: forged, foreign and outdated tokens open nothing, and a membership that ends, ends at once.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{TimeDelta, Utc};
use dealgraph::base::ids::Typed as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};
use std::time::Instant;

use crate::harness::{A, AUDIENCE, Answer, B, ISSUER, Side, Who, World, signing_key, test};

/// The signing key of the server.
pub(crate) async fn pem() -> &'static str {
    &signing_key().await.pem
}

pub(crate) async fn kid() -> &'static str {
    &signing_key().await.kid
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens of tests are dated by the machine, as the server's are"
)]
pub(crate) fn claims(side: Side, who: Who) -> Value {
    let now = Utc::now();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": side.user(who).uuid(), "tid": side.tenant().uuid(),
        "iat": now.timestamp(), "exp": (now + TimeDelta::minutes(5)).timestamp(),
    })
}

/// Signs as the server does.
pub(crate) async fn signed(claims: &Value) -> String {
    let header = Header {
        kid: Some(kid().await.to_owned()),
        ..Header::new(Algorithm::EdDSA)
    };
    let key = EncodingKey::from_ed_pem(pem().await.as_bytes()).expect("the key file holds a key");
    jsonwebtoken::encode(&header, claims, &key).expect("the key signs")
}

pub(crate) fn segment(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub(crate) async fn ask(world: &World, token: &str) -> Answer {
    world
        .stranger(Some(token.to_owned()))
        .send("{ viewer { id } }", json!({}))
        .await
}

pub(crate) async fn assert_refused(world: &World, what: &str, token: &str) {
    let answer = ask(world, token).await;
    assert_eq!(
        (answer.status, answer.code()),
        (401, "UNAUTHENTICATED"),
        "{what}: {}",
        answer.body
    );
    assert_eq!(answer.headers["www-authenticate"], "Bearer", "{what}");
    let message = answer.body["errors"][0]["message"]
        .as_str()
        .unwrap_or_default();
    assert!(
        [
            "the token is not valid",
            "the token has expired, get a new one",
            // Like the end of one: what is told is in the token for all to read, and it was signed by us.
            "the token is not valid yet: the clocks of this server and of the one that made it differ, try again"
        ]
        .contains(&message),
        "{what} is revealed: {message}"
    );
}

#[test]
fn a_token_of_ours_is_taken_and_the_same_one_damaged_is_not() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let token = signed(&claims(A, Who::Rep)).await;
        assert_eq!(
            ask(world, &token).await.data()["viewer"]["id"],
            A.user(Who::Rep).to_string()
        );

        let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
            panic!("{token}")
        };
        let kid = kid().await;
        let none = |alg: &str| {
            segment(&format!(
                "{{\"alg\":\"{alg}\",\"typ\":\"JWT\",\"kid\":\"{kid}\"}}"
            ))
        };
        for alg in ["none", "None", "NONE", "nOnE", "", "EdDSA2"] {
            assert_refused(world, alg, &format!("{}.{payload}.", none(alg))).await;
            assert_refused(world, alg, &format!("{}.{payload}.{signature}", none(alg))).await;
        }
        let another = segment(&claims(B, Who::Admin).to_string());
        for (what, damaged) in [
            ("no signature", format!("{header}.{payload}.")),
            ("no third part", format!("{header}.{payload}")),
            ("two dots", "..".to_owned()),
            ("nothing", String::new()),
            (
                "another's claims",
                format!("{header}.{another}.{signature}"),
            ),
            (
                "a flipped signature",
                format!(
                    "{header}.{payload}.{}",
                    signature.chars().rev().collect::<String>()
                ),
            ),
            ("more after it", format!("{token}.{signature}")),
            ("a space in it", format!("{header}. {payload}.{signature}")),
            ("huge", format!("{header}.{payload}.{}", "A".repeat(9_000))),
        ] {
            let answer = ask(world, &damaged).await;
            assert!(
                matches!(answer.status, 400 | 401),
                "{what}: {} {}",
                answer.status,
                answer.body
            );
            assert_eq!(answer.body.get("data"), None, "{what}");
        }
    });
}

#[test]
fn the_algorithm_is_the_keys_and_the_key_is_looked_up_and_nothing_else() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let (claims, pem) = (claims(A, Who::Admin), pem().await);
        // The classic: sign by HMAC with what is public of the key.
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        for secret in [pem.as_bytes(), body.as_bytes(), pem.trim().as_bytes(), b""] {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                for kid in [kid().await, "hs256"] {
                    let header = Header {
                        kid: Some(kid.to_owned()),
                        ..Header::new(algorithm)
                    };
                    let token =
                        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret))
                            .unwrap();
                    assert_refused(world, &format!("{algorithm:?} {kid}"), &token).await;
                }
            }
        }
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).unwrap();
        let known = kid().await;
        for kid in [
            "",
            &known[1..],
            &format!("../{known}"),
            &format!("{known}.pem"),
            "/etc/passwd",
            "' OR 1=1 --",
            &format!("' OR kid = '{known}"),
            &known.to_uppercase(),
            &"k".repeat(4_000),
        ] {
            let header = Header {
                kid: Some(kid.to_owned()),
                ..Header::new(Algorithm::EdDSA)
            };
            assert_refused(
                world,
                kid,
                &jsonwebtoken::encode(&header, &claims, &key).unwrap(),
            )
            .await;
        }
        let nameless = jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &key).unwrap();
        assert_refused(world, "no kid", &nameless).await;

        // A key that comes with the token is not asked.
        let other = rogue_key();
        let header = Header {
            kid: Some(kid().await.to_owned()),
            jku: Some("http://127.0.0.1:1/jwks".to_owned()),
            x5u: Some("http://127.0.0.1:1/cert".to_owned()),
            ..Header::new(Algorithm::EdDSA)
        };
        assert_refused(
            world,
            "a key of its own",
            &jsonwebtoken::encode(&header, &claims, &other).unwrap(),
        )
        .await;
    });
}

fn rogue_key() -> EncodingKey {
    let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().expect("a key");
    EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("its text").as_ref())
}

#[test]
fn every_claim_counts() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let sound = claims(A, Who::Rep);
        let (now, far) = (sound["iat"].as_i64().unwrap(), 4_000_000_000_i64);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for (claim, bad) in [
            (
                "exp",
                vec![
                    json!(now - 60),
                    json!(-1),
                    json!("soon"),
                    json!(far.to_string()),
                    json!(1e300),
                    json!(null),
                ],
            ),
            ("nbf", vec![json!(now + 60), json!("x"), json!(1e300)]),
            (
                "iss",
                vec![
                    json!("https://other.example"),
                    json!(""),
                    json!(null),
                    json!([text(&sound["iss"])]),
                ],
            ),
            (
                "aud",
                vec![
                    json!("staging"),
                    json!(""),
                    json!(null),
                    json!(["other"]),
                    json!({}),
                ],
            ),
            (
                "sub",
                vec![
                    json!("x"),
                    json!(""),
                    json!(null),
                    json!(1),
                    json!(format!("user:{}", text(&sound["sub"]))),
                ],
            ),
            (
                "tid",
                vec![
                    json!("x"),
                    json!(""),
                    json!(null),
                    json!([sound["tid"]]),
                    json!({ "tid": sound["tid"] }),
                ],
            ),
            ("iat", vec![json!("x"), json!(null), json!(now + 60)]),
        ] {
            for value in bad {
                let mut claims = sound.clone();
                claims[claim] = value.clone();
                assert_refused(world, &format!("{claim} {value}"), &signed(&claims).await).await;
            }
            if claim != "nbf" {
                let mut claims = sound.clone();
                claims.as_object_mut().unwrap().remove(claim);
                assert_refused(world, &format!("no {claim}"), &signed(&claims).await).await;
            }
        }
        // Clocks differ by seconds.
        for (claim, value) in [("exp", now - 2), ("nbf", now + 2), ("iat", now + 2)] {
            let mut claims = sound.clone();
            claims[claim] = json!(value);
            assert_eq!(
                ask(world, &signed(&claims).await).await.status,
                200,
                "{claim}"
            );
        }
    });
}

#[test]
fn claims_that_are_said_twice_or_in_disguise_are_refused() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let (own, other) = (claims(A, Who::Viewer), claims(B, Who::Admin));
        let key = EncodingKey::from_ed_pem(pem().await.as_bytes()).unwrap();
        let header = segment(&format!(
            "{{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"{}\"}}",
            kid().await
        ));
        let own = own.to_string();
        let twice = own.replace('}', &format!(",\"tid\":{}}}", other["tid"]));
        let escaped = own.replace('}', &format!(",\"\\u0074id\":{}}}", other["tid"]));
        for payload in [twice, escaped] {
            let message = format!("{header}.{}", segment(&payload));
            let signature = crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
            assert_refused(world, &payload, &format!("{message}.{signature}")).await;
        }
    });
}

#[test]
fn a_token_for_a_tenant_that_the_person_does_not_belong_to_opens_nothing() {
    test(async |world| {
        for (tenant, who, user) in [(B, Who::Admin, A), (A, Who::Suspended, A)] {
            let issued = world.tokens.issue(user.user(who), tenant.tenant()).unwrap();
            let answer = ask(world, &issued.token).await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, "UNAUTHENTICATED"),
                "{who:?}"
            );
        }
    });
}

#[test]
fn without_a_token_only_the_name_of_the_root_is_returned() {
    test(async |world| {
        let stranger = world.stranger(None);
        assert_eq!(
            stranger.query("{ __typename }").await,
            json!({ "__typename": "Query" })
        );
        for document in [
            "{ viewer { id } }",
            "{ __schema { types { name } } }",
            "{ __type(name: \"Company\") { name } }",
            "{ __typename tenant { id } }",
            "{ ...F } fragment F on Query { tenant { id } }",
            "{ ... on Query { tenant { id } } }",
            "mutation { companyDelete(input: { id: \"company:01980000-0000-7000-a0a0-000400000001\" }) { deletedId } }",
        ] {
            let answer = stranger.send(document, json!({})).await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, "UNAUTHENTICATED"),
                "{document}: {}",
                answer.body
            );
        }
        for header in ["Basic YTpi", "Bearer", "bearer  ", "Token x", "Bearer a b"] {
            let request = stranger
                .post()
                .header("authorization", header)
                .json(&json!({ "query": "{ tenant { id } }" }));
            let answer = stranger.send_request(request, "").await;
            assert!(
                matches!(answer.status, 400 | 401),
                "{header}: {} {}",
                answer.status,
                answer.body
            );
        }
    });
}

#[test]
fn a_membership_that_ends_or_changes_does_so_within_a_second_while_the_token_goes_on() {
    test(async |world| {
        let mut superuser = world.database.superuser().await;
        for (change, status, role) in [
            ("role = 'VIEWER'", 200, "VIEWER"),
            (
                "role = 'ADMIN', team_id = NULL, team_path = NULL",
                200,
                "ADMIN",
            ),
            ("status = 'SUSPENDED'", 401, ""),
            ("status = 'ACTIVE'", 200, "ADMIN"),
        ] {
            let rep = world.a(Who::Rep);
            rep.send("{ viewer { role } }", json!({})).await;
            let user = A.user(Who::Rep).uuid();
            let tenant = A.uuid("tenant", 1);
            let sql = format!(
                "BEGIN; UPDATE memberships SET {change} WHERE tenant_id = '{tenant}' AND user_id = '{user}';
                 INSERT INTO access_changes (change_id, tenant_id, user_id) VALUES (gen_random_uuid(), '{tenant}', '{user}');
                 COMMIT"
            );
            raw_sql(AssertSqlSafe(sql))
                .execute(&mut superuser)
                .await
                .unwrap();

            let changed = Instant::now();
            loop {
                let answer = rep.send("{ viewer { role } }", json!({})).await;
                let seen = answer.body["data"]["viewer"]["role"]
                    .as_str()
                    .unwrap_or_default();
                if answer.status == status && seen == role {
                    break;
                }
                assert!(
                    changed.elapsed().as_millis() < 2_000,
                    "{change} is not in effect: {} {}",
                    answer.status,
                    answer.body
                );
            }
        }
    });
}
