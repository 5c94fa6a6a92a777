//! Shutting down while clients are at work.

use std::{sync::Arc, time::Duration};

use dealgraph::{
    api::limits::Limits,
    tools::app::{Drain, Serving},
};
use serde_json::{Value, json};

use crate::{
    defaults::served::Served,
    harness::{A, Who, World, test},
    live::{DEALS, Socket},
};

#[test]
fn a_server_that_stops_says_so_first_and_answers_what_it_was_asked() {
    test(async |world: &World| {
        let serving = Serving {
            drain: Drain {
                wait: Duration::from_millis(1_500),
            },
            ..Serving::default()
        };
        let tokens = Arc::clone(&world.tokens);
        let server =
            Served::open(&world.database, tokens, None, (Limits::default(), serving)).await;
        let issued = world.tokens.issue(A.user(Who::Admin), A.tenant());
        let token = issued.expect("the key signs").token;
        let mut socket = Socket::at(&server.socket_url(), &token).await;
        socket.subscribe("1", DEALS, json!({})).await;
        let http = reqwest::Client::new();
        let ask = async || {
            let body = json!({ "query": "{ viewer { role } }" });
            let request = http.post(server.url()).bearer_auth(&token).json(&body);
            request.send().await.expect("the server answers")
        };
        assert!(ask().await.headers().get("connection").is_none());

        server.begin_to_stop();
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Balancers learn it, and requests that they still send are answered, each as the last of its connection.
        let ready = format!("{}/health/ready", server.operator_url);
        let ready = http.get(ready).send().await.expect("it answers");
        assert_eq!(ready.status(), 503);
        let ready: Value = ready.json().await.expect("it is JSON");
        assert_eq!(ready["status"], "draining");
        for _ in 0..3 {
            let response = ask().await;
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["connection"], "close");
        }
        // Sockets are told last.
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 1012, "{reason}");
        assert!(
            reqwest::Client::new()
                .get(server.url())
                .send()
                .await
                .is_err(),
            "nobody listens"
        );
        server.stop().await;
    });
}
