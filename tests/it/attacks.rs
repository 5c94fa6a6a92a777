//! Attacks on access tokens that go further than a forged signature. Each is one test, and each must fail.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto};
use serde_json::{Value, json};

use crate::{
    harness::{A, AUDIENCE, B, Who, World, test},
    identity::{ask, assert_refused, claims, kid, pem, segment, signed},
};

/// What stands before the 32 bytes of an Ed25519 public key in its DER form.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Signs any text as the server does, also what is no JSON.
async fn signed_text(header: &str, payload: &str) -> String {
    _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let key = EncodingKey::from_ed_pem(pem().await.as_bytes()).unwrap();
    let message = format!("{}.{}", segment(header), segment(payload));
    let signature = crypto::sign(message.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

async fn usual_header() -> String {
    format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, kid().await)
}

/// The published key, as the whole world may fetch it.
async fn published(world: &World) -> Value {
    let keys = world.fetch("/.well-known/jwks.json").await;
    let keys = keys["keys"].as_array().expect("keys");
    let known = kid().await;
    let key = keys.iter().find(|key| key["kid"] == known);
    key.expect("the key that signs is published").clone()
}

#[test]
fn the_published_key_is_no_shared_secret_in_whatever_form() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let jwk = published(world).await;
        let x = jwk["x"].as_str().expect("a public key").to_owned();
        let raw = URL_SAFE_NO_PAD.decode(&x).unwrap();
        let der: Vec<u8> = SPKI.iter().chain(&raw).copied().collect();
        let body = STANDARD.encode(&der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
        let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        let secrets: [Vec<u8>; 10] = [
            raw.clone(),
            x.clone().into(),
            STANDARD.encode(&raw).into(),
            hex.into(),
            der,
            body.into(),
            format!("{pem}\n").into(),
            pem.replace('\n', "\r\n").into(),
            pem.into(),
            jwk.to_string().into(),
        ];
        let claims = claims(A, Who::Admin);
        for (n, secret) in secrets.iter().enumerate() {
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                let header = Header {
                    kid: Some(kid().await.to_owned()),
                    ..Header::new(algorithm)
                };
                let key = EncodingKey::from_secret(secret);
                let token = jsonwebtoken::encode(&header, &claims, &key).unwrap();
                assert_refused(world, &format!("form {n} by {algorithm:?}"), &token).await;
            }
        }
    });
}

#[test]
fn a_time_that_is_no_whole_number_of_seconds_is_no_time() {
    test(async |world| {
        let sound = claims(A, Who::Admin);
        let header = usual_header().await;
        let token = signed_text(&header, &sound.to_string()).await;
        assert_eq!(ask(world, &token).await.status, 200, "a sound one is taken");
        for claim in ["exp", "iat", "nbf"] {
            for value in [
                "1e300",
                "-1e300",
                "4000000000.5",
                "4.0e9",
                "1e400",
                "99999999999999999999999999",
                "\"4000000000\"",
                "true",
                "[4000000000]",
                "{\"at\":4000000000}",
                "NaN",
                "Infinity",
                "0x7fffffff",
            ] {
                let mut claims = sound.clone();
                claims[claim] = json!("HERE");
                let payload = claims.to_string().replace("\"HERE\"", value);
                let token = signed_text(&header, &payload).await;
                assert_refused(world, &format!("{claim} {value}"), &token).await;
            }
        }
        for past in ["0", "-1", "-9223372036854775808"] {
            let mut claims = sound.clone();
            claims["exp"] = json!("HERE");
            let payload = claims.to_string().replace("\"HERE\"", past);
            let token = signed_text(&header, &payload).await;
            assert_refused(world, &format!("exp {past}"), &token).await;
        }
    });
}

#[test]
fn an_audience_among_others_or_in_a_list_is_refused() {
    test(async |world| {
        for audience in [
            json!([AUDIENCE]),
            json!([AUDIENCE, "other"]),
            json!([[AUDIENCE]]),
            json!(format!("{AUDIENCE} other")),
            json!(AUDIENCE.to_uppercase()),
            json!(format!("{AUDIENCE}\u{0}")),
        ] {
            let mut claims = claims(A, Who::Admin);
            claims["aud"] = audience.clone();
            assert_refused(world, &audience.to_string(), &signed(&claims).await).await;
        }
    });
}

#[test]
fn not_one_letter_of_a_token_can_be_changed() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let token = signed(&claims(A, Who::Admin)).await;
        assert_eq!(ask(world, &token).await.status, 200);
        for at in 0..token.len() {
            let letter = token.as_bytes()[at];
            let other = match letter {
                b'.' => 'A',
                // The last letter of a part holds fewer bits: the next one differs in those alone.
                b'A'..=b'Y' | b'a'..=b'y' | b'0'..=b'8' => char::from(letter + 1),
                _ => 'A',
            };
            let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
            let answer = ask(world, &changed).await;
            assert_eq!(answer.status, 401, "letter {at} of {token}");
        }
    });
}

#[test]
fn another_tenants_id_in_a_token_of_ones_own_opens_nothing_for_anybody() {
    test(async |world| {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        for who in Who::ROLES {
            let mut claims = claims(A, who);
            claims["tid"] = json!(B.uuid("tenant", 1));
            let answer = ask(world, &signed(&claims).await).await;
            assert_eq!(
                (answer.status, answer.code()),
                (401, "UNAUTHENTICATED"),
                "{who:?}"
            );
        }
        let mut claims = claims(A, Who::Admin);
        claims["tid"] = json!("01980000-0000-7000-8000-00000000dead");
        assert_eq!(ask(world, &signed(&claims).await).await.status, 401);
    });
}

#[test]
fn a_header_that_asks_for_more_than_a_signature_is_refused_or_makes_no_difference() {
    test(async |world| {
        let payload = claims(A, Who::Admin).to_string();
        let known = kid().await;
        // What must be understood and is not (RFC 7515, section 4.1.11), an unencoded payload (RFC 7797).
        for more in [
            r#""crit":["exp"],"exp":1"#,
            r#""crit":["b64"],"b64":false"#,
            r#""crit":[]"#,
        ] {
            let header = format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{known}",{more}}}"#);
            let token = signed_text(&header, &payload).await;
            assert_refused(world, more, &token).await;
        }
        // Key ids and algorithms that are said twice.
        for twice in [
            format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{known}"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"x","kid":"{known}"}}"#),
            format!(r#"{{"alg":"EdDSA","kid":["{known}"]}}"#),
            format!(r#"{{"alg":"EdDSA","kid":"{known}\u0000"}}"#),
        ] {
            let token = signed_text(&twice, &payload).await;
            assert_refused(world, &twice, &token).await;
        }
    });
}
