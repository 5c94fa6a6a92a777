//! Access tokens that other issuers made: of a real provider, and of one that attacks.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dealgraph::{
    base::ids::Typed as _,
    organization::identities::{Identities, IdentityFile},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::{
    Later, audited,
    issuer::{Issuer, Key},
    links,
    provider::Provider,
    slug, sql,
};
use crate::{
    accounts::{PASSWORD, address},
    harness::{A, Answer, B, Who, World, test_with},
};

const WHO: Who = Who::Rep;

/// An issuer with two keys, and its clock on our side.
struct TrustedIssuer {
    issuer: Issuer,
    rsa: Key,
    ed: Key,
    clock: Later,
}

async fn outside(tenant: Value) -> (Identities, TrustedIssuer) {
    let (rsa, ed, clock) = (Key::rsa("rsa-1"), Key::ed("ed-1"), Later::default());
    let issuer = Issuer::start(vec![rsa.clone(), ed.clone()]).await;
    let file = IdentityFile {
        providers: Vec::new(),
        issuers: vec![issuer.config(tenant)],
    };
    let identities = Identities::new(file, clock.clock()).expect("certificates");
    let outside = TrustedIssuer {
        issuer,
        rsa,
        ed,
        clock,
    };
    (identities, outside)
}

fn with_issuer(body: impl AsyncFnOnce(&World, TrustedIssuer)) {
    test_with(async || outside(json!("tid")).await, body);
}

impl TrustedIssuer {
    /// Sound claims of the person of tenant A.
    async fn claims(&self, world: &World) -> Value {
        let email = address(world, A, WHO).await;
        let tenant = slug(world, A).await;
        self.issuer.claims("subject-1", &email, &tenant)
    }
}

async fn ask(world: &World, token: &str) -> Answer {
    let stranger = world.stranger(Some(token.to_owned()));
    stranger.send("{ viewer { id } }", json!({})).await
}

async fn assert_taken(world: &World, what: &str, token: &str) {
    let answer = ask(world, token).await;
    assert_eq!(answer.status, 200, "{what}: {}", answer.body);
    assert_eq!(
        answer.data()["viewer"]["id"],
        A.user(WHO).to_string(),
        "{what}"
    );
}

async fn assert_refused(world: &World, what: &str, token: &str) {
    let answer = ask(world, token).await;
    let refusal = (answer.status, answer.code());
    assert_eq!(refusal, (401, "UNAUTHENTICATED"), "{what}: {}", answer.body);
    assert_eq!(answer.body.get("data"), None, "{what}");
}

#[test]
fn tokens_of_a_real_provider_are_taken_by_both_kinds_of_key_also_after_it_changed_them() {
    let clock = Later::default();
    let start = async || {
        let provider = Provider::start().await;
        let issuer = json!({ "issuers": [{
            "issuer": provider.issuer, "audience": provider.audience,
            "jwksUrl": format!("{}/jwks", provider.issuer),
            "algorithms": ["RS256", "EdDSA"], "claims": { "tenant": "tenant" },
        }] });
        let file = IdentityFile::parse(&issuer.to_string()).expect("a sound file");
        (
            Identities::new(file, clock.clock()).expect("certificates"),
            provider,
        )
    };
    test_with(start, async |world, mut provider| {
        let (email, tenant) = (address(world, A, WHO).await, slug(world, A).await);
        for alg in ["RS256", "EdDSA"] {
            let token = provider.token(&email, alg, &tenant).await;
            assert_taken(world, alg, &token).await;
        }
        let by_id = provider
            .token(&email, "RS256", &A.tenant().uuid().to_string())
            .await;
        assert_taken(world, "the tenant by its id", &by_id).await;
        assert_eq!(links(world).await, [(email.clone(), A.user(WHO))]);
        assert_eq!(audited(world, A, "identity.linked").await, 1);

        let unverified = format!("unverified.{}", address(world, A, Who::Admin).await);
        let token = provider.token(&unverified, "RS256", &tenant).await;
        assert_refused(world, "an address that nobody checked", &token).await;

        let before = provider.token(&email, "EdDSA", &tenant).await;
        provider.send("rotate").await;
        clock.pass(31);
        let after = provider.token(&email, "EdDSA", &tenant).await;
        assert_taken(world, "the new key", &after).await;
        assert_refused(world, "the old key", &before).await;

        provider.stop().await;
        clock.pass(1_200);
        assert_taken(world, "while the provider is down", &after).await;
    });
}

#[test]
fn only_the_issuers_own_keys_by_their_own_algorithms_count() {
    with_issuer(async |world, outside| {
        let claims = outside.claims(world).await;
        assert_taken(world, "RSA", &outside.rsa.sign(&claims)).await;
        assert_taken(world, "Ed25519", &outside.ed.sign(&claims)).await;

        // Signed by HMAC with what is public of the key.
        let public = &outside.rsa.public;
        let modulus = public["n"].as_str().expect("a modulus");
        let bytes = URL_SAFE_NO_PAD.decode(modulus).expect("base64");
        for secret in [
            public.to_string().as_bytes(),
            modulus.as_bytes(),
            &bytes,
            b"",
        ] {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let header = Header {
                    kid: Some("rsa-1".to_owned()),
                    ..Header::new(algorithm)
                };
                let key = EncodingKey::from_secret(secret);
                let token = jsonwebtoken::encode(&header, &claims, &key).expect("it signs");
                assert_refused(world, "HMAC", &token).await;
            }
        }
        let sound = outside.rsa.sign(&claims);
        let [header, payload, signature] = sound.split('.').collect::<Vec<_>>()[..] else {
            panic!("{sound}")
        };
        for alg in [
            "none", "None", "NONE", "", "HS256", "RS512", "PS256", "EdDSA",
        ] {
            let head = json!({ "alg": alg, "kid": "rsa-1", "typ": "JWT" }).to_string();
            let head = URL_SAFE_NO_PAD.encode(head);
            assert_refused(world, alg, &format!("{head}.{payload}.")).await;
            assert_refused(world, alg, &format!("{head}.{payload}.{signature}")).await;
        }
        let (stranger, other) = (Key::rsa("rsa-1"), Key::ed("ed-1"));
        assert_refused(
            world,
            "another's key under this id",
            &stranger.sign(&claims),
        )
        .await;
        assert_refused(world, "another's key under this id", &other.sign(&claims)).await;
        assert_refused(
            world,
            "a key under the id of the other",
            &outside.ed.sign_as("rsa-1", &claims),
        )
        .await;
        for id in ["../jwks", "' OR 1=1 --", "", &"k".repeat(4_000)] {
            assert_refused(world, id, &outside.rsa.sign_as(id, &claims)).await;
        }
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("typ", json!("logout+jwt")),
            ("typ", json!("dpop+jwt")),
        ] {
            let mut head = json!({ "alg": "EdDSA", "kid": "ed-1" });
            head[name] = value;
            let message = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(head.to_string()));
            let signed = jsonwebtoken::crypto::sign(
                message.as_bytes(),
                &outside.ed.private,
                Algorithm::EdDSA,
            );
            let token = format!("{message}.{}", signed.expect("it signs"));
            assert_refused(world, name, &token).await;
        }
        let mut huge = claims.clone();
        huge["more"] = json!("x".repeat(9_000));
        let answer = ask(world, &outside.rsa.sign(&huge)).await;
        assert!(
            matches!(answer.status, 400 | 401),
            "huge: {}",
            answer.status
        );
        let flipped: String = signature.chars().rev().collect();
        assert_refused(
            world,
            "a flipped signature",
            &format!("{header}.{payload}.{flipped}"),
        )
        .await;
    });
}

#[test]
fn every_claim_counts() {
    with_issuer(async |world, outside| {
        let sound = outside.claims(world).await;
        assert_taken(world, "sound", &outside.ed.sign(&sound)).await;
        let now = sound["iat"].as_i64().expect("a time");
        let own = slug(world, A).await;
        for (claim, values) in [
            (
                "exp",
                vec![
                    json!(now - 60),
                    json!(-1),
                    json!("soon"),
                    json!(null),
                    json!([now + 60]),
                ],
            ),
            ("nbf", vec![json!(now + 60), json!("x"), json!(null)]),
            (
                "iss",
                vec![
                    json!("https://evil.example"),
                    json!(""),
                    json!([sound["iss"]]),
                    json!(null),
                ],
            ),
            (
                "aud",
                vec![
                    json!("other"),
                    json!(""),
                    json!([]),
                    json!(null),
                    json!({}),
                    json!(["other"]),
                ],
            ),
            ("sub", vec![json!(""), json!(null), json!(7), json!({})]),
            (
                "tid",
                vec![
                    json!("no-such-tenant"),
                    json!(""),
                    json!(null),
                    json!([own]),
                    json!({ "id": own }),
                ],
            ),
        ] {
            for value in values {
                let mut claims = sound.clone();
                claims[claim] = value.clone();
                assert_refused(
                    world,
                    &format!("{claim} {value}"),
                    &outside.ed.sign(&claims),
                )
                .await;
            }
            if claim != "nbf" {
                let mut claims = sound.clone();
                claims.as_object_mut().expect("claims").remove(claim);
                assert_refused(world, &format!("no {claim}"), &outside.ed.sign(&claims)).await;
            }
        }
        for (claim, value) in [("exp", now - 2), ("nbf", now + 2)] {
            let mut claims = sound.clone();
            claims[claim] = json!(value);
            assert_taken(world, "clocks differ by seconds", &outside.ed.sign(&claims)).await;
        }
        let mut several = sound.clone();
        several["aud"] = json!(["other", sound["aud"]]);
        assert_taken(
            world,
            "one of several audiences",
            &outside.ed.sign(&several),
        )
        .await;

        // A claim that is said twice, one of them in disguise.
        let other = slug(world, B).await;
        let text = sound.to_string();
        for more in [
            format!("\"tid\":\"{other}\""),
            format!("\"\\u0074id\":\"{other}\""),
        ] {
            let twice = text.replacen('{', &format!("{{{more},"), 1);
            let head = URL_SAFE_NO_PAD.encode(json!({ "alg": "EdDSA", "kid": "ed-1" }).to_string());
            let message = format!("{head}.{}", URL_SAFE_NO_PAD.encode(twice));
            let signed = jsonwebtoken::crypto::sign(
                message.as_bytes(),
                &outside.ed.private,
                Algorithm::EdDSA,
            );
            let token = format!("{message}.{}", signed.expect("it signs"));
            assert_refused(world, &more, &token).await;
        }
    });
}

#[test]
fn a_token_opens_the_tenant_that_it_names_to_its_members_alone() {
    with_issuer(async |world, outside| {
        let (own, other) = (slug(world, A).await, slug(world, B).await);
        let email = address(world, A, WHO).await;
        let token = |subject: &str, email: &str, tenant: &str| {
            outside
                .ed
                .sign(&outside.issuer.claims(subject, email, tenant))
        };
        assert_refused(
            world,
            "before the person is linked",
            &token("s", &email, &other),
        )
        .await;
        assert_eq!(
            links(world).await,
            [],
            "nobody is linked by a tenant they are not in"
        );
        assert_taken(world, "the person's own", &token("s", &email, &own)).await;
        assert_refused(world, "another tenant", &token("s", &email, &other)).await;
        let by_id = token("s", &email, &B.tenant().uuid().to_string());
        assert_refused(world, "another tenant by its id", &by_id).await;
        assert_refused(world, "nobody", &token("t", "stranger@example.com", &own)).await;
        let suspended = address(world, A, Who::Suspended).await;
        assert_refused(world, "suspended", &token("u", &suspended, &own)).await;

        // The address was taken by a person with a password, who never showed that it is theirs.
        let manager = address(world, A, Who::Manager).await;
        world.set_password(A.user(Who::Manager), PASSWORD).await;
        sql(world, "UPDATE users SET email_verified_at = NULL").await;
        assert_refused(
            world,
            "an address that was taken",
            &token("v", &manager, &own),
        )
        .await;

        // A token makes no session, and its issuer is trusted in its tenant: nothing of the account is changed by it.
        let person = world.stranger(Some(token("s", &email, &own)));
        let document = "mutation { setUpSecondFactor(input: {}) { userErrors { code } } }";
        let answer = person.send(document, json!({})).await;
        assert_eq!(
            answer.user_error("setUpSecondFactor").0,
            "ACCOUNT_SIGN_IN_REQUIRED"
        );

        let required =
            format!("UPDATE tenants SET required_provider = 'acme' WHERE slug = '{own}'");
        sql(world, &required).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        assert_refused(
            world,
            "a tenant with a provider of its own",
            &token("s", &email, &own),
        )
        .await;
    });
}

#[test]
fn an_issuer_of_one_tenant_opens_no_other_whatever_its_tokens_say() {
    let sides = async || outside(json!({ "fixed": "one-tenant" })).await;
    test_with(sides, async |world, outside| {
        let (email, own) = (address(world, A, WHO).await, slug(world, A).await);
        let token = outside.ed.sign(&outside.issuer.claims("s", &email, &own));
        assert_refused(world, "not theirs", &token).await;
        sql(
            world,
            &format!("UPDATE tenants SET slug = 'one-tenant' WHERE slug = '{own}'"),
        )
        .await;
        assert_taken(world, "theirs", &token).await;
    });
}

#[test]
fn a_flood_of_unknown_keys_asks_the_issuer_once_in_half_a_minute() {
    with_issuer(async |world, outside| {
        let claims = outside.claims(world).await;
        assert_taken(world, "the first", &outside.ed.sign(&claims)).await;
        assert_eq!(outside.issuer.asked(), 1);
        let flood = async || {
            let tokens = (0..100).map(|n| outside.ed.sign_as(&format!("unknown-{n}"), &claims));
            let tokens: Vec<_> = tokens.collect();
            let answers = tokens.iter().map(|token| ask(world, token));
            for answer in futures_util::future::join_all(answers).await {
                assert_eq!(answer.status, 401);
            }
        };
        flood().await;
        assert_eq!(outside.issuer.asked(), 1, "it was asked a moment ago");
        outside.clock.pass(31);
        flood().await;
        assert_eq!(outside.issuer.asked(), 2);

        // A new key is found by its first token.
        let new = Key::ed("ed-2");
        outside.issuer.publishes(vec![new.clone()]);
        outside.clock.pass(31);
        assert_taken(world, "the new key", &new.sign(&claims)).await;
        assert_eq!(outside.issuer.asked(), 3);
        assert_refused(world, "the key that is gone", &outside.ed.sign(&claims)).await;
    });
}

#[test]
fn while_the_issuer_is_down_its_keys_go_on_for_hours_and_not_for_ever() {
    with_issuer(async |world, outside| {
        let claims = outside.claims(world).await;
        let token = outside.rsa.sign(&claims);
        assert_taken(world, "up", &token).await;
        outside.issuer.goes_down();
        for _ in 0..11 {
            outside.clock.pass(3_600);
            assert_taken(world, "down", &token).await;
        }
        outside.clock.pass(3_601);
        assert_eq!(ask(world, &token).await.code(), "UNAVAILABLE");
    });
}

#[test]
fn an_issuer_that_was_never_reached_is_reported_as_that() {
    let down = async || {
        let (identities, outside) = outside(json!("tid")).await;
        outside.issuer.goes_down();
        (identities, outside)
    };
    test_with(down, async |world, outside| {
        let claims = outside.claims(world).await;
        for _ in 0..20 {
            assert_eq!(
                ask(world, &outside.ed.sign(&claims)).await.code(),
                "UNAVAILABLE"
            );
        }
        assert_eq!(outside.issuer.asked(), 1);
        let viewer = world.a(WHO).query("{ viewer { id } }").await;
        assert_eq!(
            viewer["viewer"]["id"],
            A.user(WHO).to_string(),
            "our own go on"
        );
    });
}

#[test]
fn a_tenant_that_wants_a_second_factor_takes_no_tokens_that_show_none() {
    with_issuer(async |world, outside| {
        let token = outside.ed.sign(&outside.claims(world).await);
        assert_taken(world, "no wish", &token).await;
        let own = slug(world, A).await;
        let wanted =
            format!("UPDATE tenants SET second_factor_required = true WHERE slug = '{own}'");
        sql(world, &wanted).await;
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        assert_refused(world, "a second factor is wanted", &token).await;
    });
}
