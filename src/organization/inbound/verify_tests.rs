//! Each kind of verification: what is right, and what is nearly right.

use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{TimeDelta, TimeZone as _};

use super::{super::model::InboundHandlerKind, *};

const NOW: i64 = 1_674_087_231;

fn now() -> DateTime<Utc> {
    Utc.timestamp_opt(NOW, 0).single().expect("a time")
}

fn endpoint(verification: InboundVerification) -> InboundEndpointFields {
    InboundEndpointFields {
        name: "Shop".to_owned(),
        verification,
        handler: InboundHandlerKind::StoreOnly,
        lead_form_id: None,
        integration_id: None,
        signature_header: Some("x-signature".to_owned()),
        signature_encoding: Some(SignatureEncoding::Hex),
        message_id_header: Some("x-delivery".to_owned()),
        username: Some("shop".to_owned()),
        origin: Some("https://example.com".to_owned()),
        enabled: true,
        disabled_reason: None,
        rotated_at: None,
        former_ends_at: None,
    }
}

fn delivery(headers: &[(&str, &str)], body: &str) -> Delivery {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Delivery {
        path_and_query: "/hooks/x?foo=1&bar=2".to_owned(),
        headers: headers.iter().map(own).collect::<BTreeMap<_, _>>(),
        body: Bytes::from(body.to_owned()),
    }
}

/// The vector of the specification's own libraries.
#[test]
fn standard_webhooks_take_the_published_vector_and_nothing_else() {
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "{\"test\": 2432232314}");
    let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let at = Utc
        .timestamp_opt(1_614_265_330, 0)
        .single()
        .expect("a time");
    let of = endpoint(InboundVerification::StandardWebhooks);
    let verified = |id: &str, timestamp: &str, signature: &str, body: &str, now| {
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
        ];
        verify(&of, secret, &delivery(&headers, body), now)
    };
    let stamp = "1614265330";
    assert!(verified(id, stamp, signature, body, at));
    let two = format!("v1,AAAA v2,x {signature}");
    assert!(verified(id, stamp, &two, body, at), "any of those listed");
    let edge = TimeDelta::minutes(5);
    let second = TimeDelta::seconds(1);
    assert!(verified(id, stamp, signature, body, at + edge));
    assert!(verified(id, stamp, signature, body, at - edge));
    for late in [at + edge + second, at - edge - second] {
        assert!(!verified(id, stamp, signature, body, late));
    }
    for (id, stamp, signature, body) in [
        ("msg_other", stamp, signature, body),
        (id, "1614265331", signature, body),
        (id, "+1614265330", signature, body),
        (id, "", signature, body),
        (id, stamp, &signature[3..], body),
        (id, stamp, "v1,", body),
        (id, stamp, "", body),
        (id, stamp, signature, "{\"test\": 2432232315}"),
        ("", stamp, signature, body),
    ] {
        assert!(
            !verified(id, stamp, signature, body, at),
            "{id} {stamp} {signature} {body}"
        );
    }
    assert!(!verify(&of, secret, &delivery(&[], body), at));
}

/// The vector of GitHub's documentation.
#[test]
fn a_header_has_the_hmac_of_the_body() {
    let (secret, body) = ("It's a Secret to Everybody", "Hello, World!");
    let hex = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let mut of = endpoint(InboundVerification::HmacSha256);
    let verified = |of: &InboundEndpointFields, signature: &str, body: &str| {
        verify(
            of,
            secret,
            &delivery(&[("x-signature", signature)], body),
            now(),
        )
    };
    assert!(verified(&of, hex, body));
    assert!(verified(&of, &format!("sha256={hex}"), body));
    assert!(verified(&of, &hex.to_uppercase(), body));
    for bad in ["", "sha256=", &hex[1..], &hex[2..], "zz", "é"] {
        assert!(!verified(&of, bad, body), "{bad}");
    }
    assert!(!verified(&of, hex, "Hello, World?"));
    let base64 = STANDARD.encode(from_hex(hex).expect("hex"));
    assert!(!verified(&of, &base64, body), "in the other encoding");
    of.signature_encoding = Some(SignatureEncoding::Base64);
    assert!(verified(&of, &base64, body) && !verified(&of, hex, body));
}

#[test]
fn a_password_is_sent_as_http_says() {
    let of = endpoint(InboundVerification::Basic);
    let verified = |value: &str| {
        verify(
            &of,
            "a-long-password",
            &delivery(&[("authorization", value)], "x"),
            now(),
        )
    };
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    assert!(verified(&basic("shop:a-long-password")));
    assert!(verified(
        &basic("shop:a-long-password").replace("Basic", "bAsIc")
    ));
    for bad in [
        basic("shop:a-long-passwore"),
        basic("shop:a-long-password2"),
        basic("shop2:a-long-password"),
        basic("shop"),
        basic(":"),
        "Bearer c2hvcDphLWxvbmctcGFzc3dvcmQ=".to_owned(),
        "Basic".to_owned(),
        String::new(),
    ] {
        assert!(!verified(&bad), "{bad}");
    }
}

/// The vectors of Twilio's own libraries.
#[test]
fn twilio_signs_the_address_and_what_is_posted() {
    let mut of = endpoint(InboundVerification::Twilio);
    of.origin = Some("https://mycompany.com".to_owned());
    let posted = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
    let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
    let verified = |path: &str, signature: &str, kind: &str, body: &str| {
        let headers = [("x-twilio-signature", signature), ("content-type", kind)];
        let mut delivery = delivery(&headers, body);
        delivery.path_and_query = path.to_owned();
        verify(&of, "12345", &delivery, now())
    };
    let (path, form) = (
        "/myapp.php?foo=1&bar=2",
        "application/x-www-form-urlencoded",
    );
    assert!(verified(path, signature, form, posted));
    let turned = "Digits=1234&To=%2B18005551212&From=%2B14158675309&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    assert!(verified(path, signature, form, turned), "sorted by name");
    assert!(!verified("/myapp.php?foo=1&bar=3", signature, form, posted));
    assert!(!verified(
        path,
        signature,
        form,
        &posted.replace("1234&", "1235&")
    ));
    assert!(!verified(
        path,
        "RSOYDt4T1cUTdK1PDd93/VVr8B9=",
        form,
        posted
    ));
    assert!(!verified(path, signature, "application/json", posted));
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let path = format!("/myapp.php?foo=1&bar=2&bodySHA256={hash}");
    let body = "{\"property\": \"value\", \"boolean\": true}";
    let signature = "a9nBmqA0ju/hNViExpshrM61xv4=";
    assert!(verified(&path, signature, "application/json", body));
    assert!(!verified(&path, signature, "application/json", "{}"));
}

#[test]
fn a_message_has_its_senders_name_or_that_of_its_body_within_ten_minutes() {
    let of = endpoint(InboundVerification::HmacSha256);
    let name =
        |headers: &[(&str, &str)], body: &str, at| name_of(&of, &delivery(headers, body), at);
    let sent = name(&[("x-delivery", "72d3162e")], "a", now());
    assert_eq!((sent.id.as_str(), sent.earlier), ("72d3162e", None));
    let long = "x".repeat(MESSAGE_ID_CHARS + 1);
    for bad in ["", "a b", "sha256:00:1", &long] {
        let named = name(&[("x-delivery", bad)], "a", now());
        assert!(named.earlier.is_some() && named.id != bad, "{bad}");
        assert!(named.id.len() <= MESSAGE_ID_CHARS);
    }
    let (first, other) = (name(&[], "a", now()), name(&[], "b", now()));
    assert_ne!(first.id, other.id);
    let later = name(&[], "a", now() + TimeDelta::seconds(SAME_WITHIN_S));
    assert_eq!(later.earlier, Some(first.id.clone()));
    assert_ne!(later.id, first.id);
}
