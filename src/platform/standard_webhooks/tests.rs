//! Signatures against the published example, another library, and all that is odd.

use proptest::prelude::*;

use super::*;

// The example of the specification's own libraries.
const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const SENT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn key() -> SigningKey {
    SigningKey::parse(KEY).expect("a key")
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).expect("an instant")
}

fn verify_at(now: i64, timestamp: &str, signatures: &str) -> Result<(), Unverified> {
    verify(&[key()], ID, timestamp, signatures, BODY, at(now))
}

fn verify_now(signatures: &str) -> Result<(), Unverified> {
    verify_at(SENT, &SENT.to_string(), signatures)
}

#[test]
fn the_published_example_is_signed_and_verified() {
    assert_eq!(sign(&[key()], ID, SENT, BODY), SIGNATURE);
    assert_eq!(verify_now(SIGNATURE), Ok(()));
}

#[test]
fn anything_that_was_changed_is_not_believed() {
    let verify = |id, timestamp: i64, body| {
        let timestamp = timestamp.to_string();
        verify(&[key()], id, &timestamp, SIGNATURE, body, at(SENT))
    };
    let wrong = Err(Unverified::Unsigned);
    assert_eq!(verify(ID, SENT, BODY), Ok(()));
    assert_eq!(verify("msg_other", SENT, BODY), wrong);
    assert_eq!(verify(ID, SENT + 1, BODY), wrong);
    assert_eq!(verify(ID, SENT, br#"{"test":2432232314}"#), wrong);
    assert_eq!(verify(ID, SENT, b""), wrong);
    let other = SigningKey::generate();
    let signature = sign(&[other], ID, SENT, BODY);
    assert_eq!(verify_now(&signature), wrong);
}

#[test]
fn messages_of_five_minutes_are_taken_and_older_and_newer_ones_are_not() {
    let sent = SENT.to_string();
    for now in [SENT - 300, SENT, SENT + 300] {
        assert_eq!(verify_at(now, &sent, SIGNATURE), Ok(()), "{now}");
    }
    for now in [SENT - 301, SENT + 301, 0] {
        let answer = verify_at(now, &sent, SIGNATURE);
        assert_eq!(answer, Err(Unverified::Untimely), "{now}");
    }
}

#[test]
fn while_keys_are_replaced_either_is_enough() {
    let (old, new) = (key(), SigningKey::generate());
    let both = sign(&[new.clone(), old.clone()], ID, SENT, BODY);
    assert_eq!(both.split(' ').count(), 2);
    let sent = SENT.to_string();
    for known in [
        vec![old.clone()],
        vec![new.clone()],
        vec![SigningKey::generate(), new],
    ] {
        assert_eq!(verify(&known, ID, &sent, &both, BODY, at(SENT)), Ok(()));
    }
    assert_eq!(
        verify(&[], ID, &sent, &both, BODY, at(SENT)),
        Err(Unverified::Unsigned)
    );
}

#[test]
fn signatures_of_other_kinds_are_passed_over_and_none_of_them_is_one() {
    let tag = SIGNATURE.trim_start_matches("v1,");
    let mixed = format!("v1a,AAAA v2,{tag} nonsense v1,???? {SIGNATURE}");
    assert_eq!(verify_now(&mixed), Ok(()));
    for none in [
        String::new(),
        " ".to_owned(),
        tag.to_owned(),
        format!("v1a,{tag}"),
        format!("V1,{tag}"),
        "v1,".to_owned(),
        // Half of the right one.
        format!(
            "v1,{}",
            STANDARD.encode(&STANDARD.decode(tag).expect("base64")[..16])
        ),
    ] {
        assert_eq!(verify_now(&none), Err(Unverified::Unsigned), "{none}");
    }
}

#[test]
fn headers_that_are_odd_or_too_much_are_refused() {
    let malformed = Err(Unverified::Malformed);
    for timestamp in [
        "",
        "now",
        "+1614265330",
        "-1614265330",
        " 1614265330",
        "1614265330.0",
        "1e9",
        "99999999999999999999",
    ] {
        assert_eq!(
            verify_at(SENT, timestamp, SIGNATURE),
            malformed,
            "{timestamp}"
        );
    }
    let sent = SENT.to_string();
    let long = "a".repeat(MAX_ID_BYTES + 1);
    for id in ["", "a.b", long.as_str()] {
        let answer = verify(&[key()], id, &sent, SIGNATURE, BODY, at(SENT));
        assert_eq!(answer, malformed, "{id}");
    }
    let many = vec![SIGNATURE; MAX_SIGNATURES.0];
    assert_eq!(verify_now(&many.join(" ")), Ok(()));
    assert_eq!(
        verify_now(&format!("{} {SIGNATURE}", many.join(" "))),
        malformed
    );
    assert_eq!(verify_now(&"a".repeat(MAX_SIGNATURES.1 + 1)), malformed);
}

#[test]
fn the_signature_of_one_message_is_not_that_of_another_by_moving_a_dot() {
    let signature = sign(&[key()], "a", SENT, format!("{SENT}.body").as_bytes());
    let moved = format!("a.{SENT}");
    let answer = verify(
        &[key()],
        &moved,
        &SENT.to_string(),
        &signature,
        b"body",
        at(SENT),
    );
    assert_eq!(answer, Err(Unverified::Malformed));
}

#[test]
fn keys_are_text_and_back_within_their_sizes() {
    let text = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
    for bytes in [24, 32, 64] {
        let key = SigningKey::parse(&text(bytes)).expect("a key");
        assert_eq!(key.bytes(), vec![7; bytes]);
        assert_eq!(key.to_text(), text(bytes));
    }
    for bad in [
        text(23),
        text(65),
        text(0),
        text(32).replace("whsec_", ""),
        text(32).replace("whsec_", "whpk_"),
        "whsec_???".to_owned(),
        String::new(),
    ] {
        assert!(SigningKey::parse(&bad).is_none(), "{bad}");
    }
    let (one, other) = (SigningKey::generate(), SigningKey::generate());
    assert_ne!(one.bytes(), other.bytes());
    assert!(!format!("{one:?}").contains(&one.to_text()[6..]));
}

proptest! {
    // The library of the standard's authors reads ours, and ours theirs.
    #[test]
    fn another_library_agrees(
        bytes in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[a-zA-Z0-9_]{1,64}",
        body in "\\PC{0,200}",
    ) {
        let key = SigningKey::from_bytes(bytes).expect("a key");
        let theirs = standardwebhooks::Webhook::new(&key.to_text()).expect("a key");
        let sent = crate::base::clock::Clock::system().now();
        let seconds = sent.timestamp();
        let ours = sign(std::slice::from_ref(&key), &id, seconds, body.as_bytes());
        prop_assert_eq!(&theirs.sign(&id, seconds, body.as_bytes()).expect("signed"), &ours);
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("webhook-id", id.parse().expect("a header"));
        headers.insert("webhook-timestamp", seconds.into());
        headers.insert("webhook-signature", ours.parse().expect("a header"));
        prop_assert!(theirs.verify(body.as_bytes(), &headers).is_ok());
        prop_assert_eq!(
            verify(&[key], &id, &seconds.to_string(), &ours, body.as_bytes(), sent),
            Ok(())
        );
    }
}
