//! The contract of sockets, frame by frame: every code, every bound, and what happens in what order.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::{DEALS, Socket, rename};
use crate::harness::{A, AUDIENCE, Client, ISSUER, Who, World, signing_key, test};

#[test]
fn every_breach_of_the_protocol_has_its_code() {
    test(async |world: &World| {
        let url = world.socket_url();
        let open = async || Socket::open(&world.a(Who::Admin)).await;
        let text = |text: &str| Message::Text(text.to_owned().into());

        let mut socket = Socket::raw(&url).await;
        socket
            .say(json!({ "id": "1", "type": "subscribe", "payload": { "query": DEALS } }))
            .await;
        assert_eq!(socket.closed().await.0, 4401, "before it says who it is");

        for payload in [
            json!({}),
            json!({ "authorization": "Bearer nonsense" }),
            json!({ "token": "x.y.z" }),
        ] {
            let mut socket = Socket::raw(&url).await;
            socket
                .say(json!({ "type": "connection_init", "payload": payload }))
                .await;
            assert_eq!(socket.closed().await.0, 4403);
        }
        let mut socket = open().await;
        socket
            .say(json!({ "type": "connection_init", "payload": {} }))
            .await;
        assert_eq!(socket.closed().await.0, 4429);

        for frame in [
            text("{"),
            text("[]"),
            text("{\"type\":\"connection_terminate\"}"),
            text("{\"type\":\"start\",\"id\":\"1\",\"payload\":{}}"),
            Message::Binary(b"{}".to_vec().into()),
        ] {
            let mut socket = open().await;
            socket.send(frame).await;
            assert_eq!(socket.closed().await.0, 4400);
        }
        let mut socket = open().await;
        socket.subscribe("1", DEALS, json!({})).await;
        socket.ask("1", DEALS, json!({})).await;
        assert_eq!(
            socket.closed().await,
            (4409, "Subscriber for 1 already exists".to_owned())
        );

        let mut socket = open().await;
        socket.send(Message::Text("x".repeat(70_000).into())).await;
        assert_eq!(socket.closed().await.0, 1009);

        for protocol in ["", "graphql-ws"] {
            let mut socket = Socket::raw_with(&url, protocol, None).await;
            match &mut socket {
                Ok(socket) => assert_eq!(socket.closed().await.0, 4406, "{protocol}"),
                Err(status) => assert!((400..500).contains(status), "{protocol}: {status}"),
            }
        }
    });
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    test(async |world: &World| {
        let mut silent = Socket::raw(&world.socket_url()).await;
        assert_eq!(silent.closed().await.0, 4408);
    });
}

#[test]
fn pages_of_other_origins_are_kept_out() {
    test(async |world: &World| {
        let url = world.socket_url();
        let from =
            async |origin| Socket::raw_with(&url, "graphql-transport-ws", Some(origin)).await;
        assert_eq!(from("https://evil.example").await.err(), Some(403));
        assert_eq!(from("null").await.err(), Some(403));
        let own: &'static str = Box::leak(
            url.replace("ws:", "http:")
                .replace("/graphql", "")
                .into_boxed_str(),
        );
        assert!(from(own).await.is_ok());
    });
}

#[test]
fn only_subscriptions_are_served_and_only_what_is_well_formed() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        let nested = format!(
            "subscription {{ opportunityEvents(filter: {{ name: {{ in: {}{} }} }}) {{ kind }} }}",
            "[".repeat(2_000),
            "]".repeat(2_000)
        );
        for (query, code) in [
            ("{ viewer { role } }", "SUBSCRIPTIONS_ONLY"),
            (
                "mutation { opportunityWin(input: { id: \"x\" }) { userErrors { code } } }",
                "SUBSCRIPTIONS_ONLY",
            ),
            ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("subscription {", "GRAPHQL_PARSE_FAILED"),
            ("subscription { __typename }", "GRAPHQL_VALIDATION_FAILED"),
            (
                "subscription { a: opportunityEvents { kind } b: opportunityEvents { kind } }",
                "SUBSCRIPTION_FIELDS",
            ),
            (
                "subscription { opportunityEvents(after: \"x\") { kind } }",
                "INVALID_CURSOR",
            ),
            (
                "subscription { opportunityEvents(filter: { id: { eq: \"lead:1\" } }) { kind } }",
                "INVALID_ID",
            ),
            (&nested, "NESTED_TOO_DEEP"),
        ] {
            socket.ask("1", query, json!({})).await;
            let (found, _) = socket.failure("1").await;
            assert_eq!(found, code, "{}", &query[..query.len().min(100)]);
        }
        // The socket is as good as before.
        socket.subscribe("1", DEALS, json!({})).await;
    });
}

#[test]
fn a_subscription_that_is_completed_is_silent_and_its_name_is_free_again() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        socket.subscribe("1", DEALS, json!({})).await;
        socket.say(json!({ "id": "1", "type": "complete" })).await;
        socket
            .say(json!({ "type": "ping", "payload": { "n": 1 } }))
            .await;
        assert_eq!(
            socket.frame().await,
            json!({ "type": "pong", "payload": { "n": 1 } })
        );
        rename(&world.a(Who::Admin), 1, "Unheard").await;
        assert!(socket.is_silent().await);
        socket.subscribe("1", DEALS, json!({})).await;
        rename(&world.a(Who::Admin), 1, "Heard").await;
        assert_eq!(socket.event("1").await["opportunity"]["name"], "Heard");
    });
}

#[test]
fn operations_and_connections_are_so_many_and_no_more() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        for n in 0..64 {
            socket.subscribe(&n.to_string(), DEALS, json!({})).await;
        }
        socket.ask("64", DEALS, json!({})).await;
        assert_eq!(socket.failure("64").await.0, "TOO_MANY_SUBSCRIPTIONS");
        rename(&world.a(Who::Admin), 1, "To all of them").await;
        for n in 0..64 {
            assert_eq!(socket.event(&n.to_string()).await["kind"], "UPDATED");
        }
        let mut others = Vec::new();
        for _ in 1..20 {
            others.push(Socket::open(&world.a(Who::Admin)).await);
        }
        let mut one_more = Socket::raw(&world.socket_url()).await;
        let payload = json!({ "token": world.a(Who::Admin).token() });
        one_more
            .say(json!({ "type": "connection_init", "payload": payload }))
            .await;
        let (code, reason) = one_more.closed().await;
        assert_eq!(code, 4429, "{reason}");
        Socket::open(&world.a(Who::Rep)).await;
        drop(others);
    });
}

#[test]
fn a_token_is_refreshed_in_band_by_the_same_person_only() {
    test(async |world: &World| {
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        socket.subscribe("1", DEALS, json!({})).await;
        let token = |client: Client<'_>| client.token().map(str::to_owned);
        for (token, is_good) in [
            (token(world.a(Who::Admin)), true),
            (token(world.a(Who::Rep)), false),
            (token(world.b(Who::Admin)), false),
            (Some("nonsense".to_owned()), false),
        ] {
            socket
                .say(json!({ "type": "refreshToken", "payload": { "token": token } }))
                .await;
            let pong = socket.frame().await;
            assert_eq!(pong["type"], "pong");
            let refreshed = &pong["payload"]["refreshToken"];
            assert_eq!(refreshed["tokenExpiresAt"].is_string(), is_good, "{pong}");
            assert_eq!(
                refreshed["error"]["extensions"]["code"] == "UNAUTHENTICATED",
                !is_good,
                "{pong}"
            );
        }
        rename(&world.a(Who::Admin), 1, "Still there").await;
        assert_eq!(
            socket.event("1").await["opportunity"]["name"],
            "Still there"
        );
    });
}

#[test]
fn a_socket_ends_when_its_token_does() {
    test(async |world: &World| {
        let key = signing_key().await;
        let token = expiring((&key.kid, &key.pem), Duration::from_secs(2));
        let mut socket = Socket::at(&world.socket_url(), &token).await;
        socket.subscribe("1", DEALS, json!({})).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4403, "{reason}");
        assert!(reason.contains("expired"), "{reason}");
    });
}

/// A token of the admin that lasts for a moment.
fn expiring((kid, pem): (&str, &str), lasts: Duration) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + lasts.as_secs(),
        "sub": A.uuid("user", 1), "tid": A.uuid("tenant", 1),
    });
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(kid.to_owned());
    let key = EncodingKey::from_ed_pem(pem.as_bytes()).expect("a key");
    jsonwebtoken::encode(&header, &claims, &key).expect("a token")
}

#[test]
fn a_cursor_of_elsewhere_is_answered_with_where_to_begin() {
    test(async |world: &World| {
        let read = world.b(Who::Admin).query("{ eventCursor }").await;
        let theirs = read["eventCursor"].as_str().expect("a cursor").to_owned();
        let ours = world.a(Who::Admin).query("{ eventCursor }").await;
        let ours = ours["eventCursor"].as_str().expect("a cursor").to_owned();
        let (epoch, seq) = ours.split_once('.').expect("two parts");
        let never = format!("{epoch}.{}", seq.parse::<i64>().expect("a number") + 1_000);
        let mut socket = Socket::open(&world.a(Who::Admin)).await;
        for cursor in [theirs, never, format!("0000000000000000.{seq}")] {
            socket.ask("1", DEALS, json!({ "after": cursor })).await;
            let (code, begin) = socket.failure("1").await;
            assert_eq!(
                (code.as_str(), begin.as_deref()),
                ("RESYNC", Some(ours.as_str()))
            );
        }
    });
}
