//! What was verified once is held against the clock and the keys again at each use.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta};
use dealgraph::{
    base::{clock::Clock, error::Error},
    db::journal::Recorder,
    organization::{
        auth::{Access, KeyRing, TokenError, TokenOptions, Tokens},
        identities::Identities,
    },
    platform::redis::{RedisAddress, Throttle},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::{actor, token};
use crate::harness::{A, AUDIENCE, ISSUER, Who, signing_key, test, vault};

fn options(lifetime: TimeDelta) -> TokenOptions {
    TokenOptions {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        lifetime,
    }
}

#[test]
fn a_token_that_was_seen_before_still_ends() {
    test(async |world| {
        let start = world.db.clock().now().timestamp();
        let now = Arc::new(AtomicI64::new(start));
        let hand = Arc::clone(&now);
        let clock = Clock::from_fn(move || {
            DateTime::from_timestamp(hand.load(Ordering::Relaxed), 0).expect("a time")
        });
        let ring = Arc::clone(world.tokens.ring());
        let tokens = Tokens::new(ring, options(TimeDelta::seconds(60)), clock).unwrap();
        let tokens = Arc::new(tokens);
        let (recorder, recording) = Recorder::start(world.db.clone());
        let access = Access::new(
            world.db.clone(),
            recorder,
            Arc::clone(&tokens),
            Arc::new(Identities::none()),
            Throttle::new(&RedisAddress::none()),
        );
        let issued = tokens.issue(A.user(Who::Rep), A.tenant()).unwrap().token;
        for (second, is_good) in [(0, true), (59, true), (64, true), (65, false), (30, true)] {
            now.store(start + second, Ordering::Relaxed);
            let done = actor(&access, &issued).await;
            assert_eq!(done.is_ok(), is_good, "after {second} s");
            if let Err(error) = done {
                assert!(matches!(error, Error::Unauthenticated(text) if text.contains("expired")));
            }
        }
        now.store(start - 10, Ordering::Relaxed);
        assert!(actor(&access, &issued).await.is_err(), "made in the future");
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn a_token_that_was_seen_before_does_not_open_for_a_changed_one() {
    test(async |world| {
        let (access, _, recording) = super::access(world);
        let good = token(world, Who::Rep);
        actor(&access, &good).await.expect("a member");
        let (signed, signature) = good.rsplit_once('.').expect("three parts");
        let reversed: String = signature.chars().rev().collect();
        for bad in [
            format!("{signed}.{reversed}"),
            format!("{good}x"),
            format!("{good} "),
            good.to_lowercase(),
            "a".repeat(9_000),
        ] {
            assert!(actor(&access, &bad).await.is_err(), "{bad}");
        }
        drop(access);
        recording.finish().await;
    });
}

#[test]
fn a_shared_secret_signs_under_its_own_key_id_and_no_other() {
    test(async |world| {
        let secret = b"a secret that another issuer shares";
        let ring = KeyRing::open(world.db.clone(), vault(), Some(secret))
            .await
            .expect("the keys can be read");
        let lifetime = TimeDelta::seconds(60);
        let tokens = Tokens::new(ring, options(lifetime), Clock::system()).unwrap();
        let now = world.db.clock().now();
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": A.user(Who::Rep).to_string().replace("user:", ""),
            "tid": A.tenant().to_string().replace("tenant:", ""),
            "iat": now.timestamp(), "exp": (now + lifetime).timestamp(),
        });
        let own = signing_key().await;
        let shared = EncodingKey::from_secret(secret);
        let pair = EncodingKey::from_ed_pem(own.pem.as_bytes()).unwrap();
        let signed = |algorithm, kid: &str, key: &EncodingKey| {
            let header = Header {
                kid: Some(kid.to_owned()),
                ..Header::new(algorithm)
            };
            jsonwebtoken::encode(&header, &claims, key).unwrap()
        };
        let good = signed(Algorithm::HS256, "hs256", &shared);
        assert!(tokens.verify(&good).is_ok());
        assert!(
            tokens
                .verify(&signed(Algorithm::EdDSA, &own.kid, &pair))
                .is_ok()
        );
        for bad in [
            signed(Algorithm::HS256, &own.kid, &shared),
            signed(Algorithm::EdDSA, "hs256", &pair),
            signed(Algorithm::HS384, "hs256", &shared),
        ] {
            assert_eq!(tokens.verify(&bad).err(), Some(TokenError::Invalid));
        }
        let without = world.tokens.verify(&good).err();
        assert_eq!(without, Some(TokenError::UnknownKey));
    });
}
