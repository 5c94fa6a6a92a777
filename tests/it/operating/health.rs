//! Health, as orchestrators and operators ask for it.

use std::sync::Arc;

use dealgraph::{
    api::limits::Limits,
    platform::server::ServerLimits,
    tools::{app::Serving, dev::redis::Redis},
};
use serde_json::Value;

use crate::{
    defaults::served::Served,
    events::open_data,
    harness::{World, test},
};

async fn health(url: &str) -> (u16, Value) {
    let response = reqwest::get(url).await.expect("the server answers");
    let status = response.status().as_u16();
    (status, response.json().await.expect("it is JSON"))
}

fn dependency<'v>(body: &'v Value, name: &str) -> &'v Value {
    let all = body["dependencies"].as_array().expect("a list");
    let found = all.iter().find(|one| one["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {body}"))
}

#[test]
fn without_redis_a_server_is_degraded_and_ready_and_says_since_when() {
    test(async |world: &World| {
        let data = open_data().await;
        let redis = Redis::start(&data, &|_| {})
            .await
            .expect("a private Redis starts");
        let tokens = Arc::clone(&world.tokens);
        let server = Served::over(&world.database, tokens, Some(redis.url())).await;
        let whole = format!("{}/health", server.operator_url);
        let (status, before) = health(&whole).await;
        assert_eq!(
            (status, &before["status"]),
            (200, &"healthy".into()),
            "{before}"
        );
        let since = dependency(&before, "redis")["since"].clone();

        redis.stop().await;
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        let (status, after) = health(&whole).await;
        assert_eq!(
            (status, &after["status"]),
            (200, &"degraded".into()),
            "{after}"
        );
        let is = dependency(&after, "redis");
        assert_eq!(is["status"], "degraded");
        assert!(is["since"].as_str() > since.as_str(), "{since} and {is}");
        assert_eq!(dependency(&after, "database")["status"], "healthy");
        assert_eq!(
            dependency(&after, "database")["since"],
            dependency(&before, "database")["since"],
            "it did not change"
        );
        let public = server.url().replace("/graphql", "/health/ready");
        let (status, ready) = health(&public).await;
        assert_eq!((status, &ready["status"]), (200, &"degraded".into()));
        server.stop().await;
    });
}

#[test]
fn a_full_server_is_still_alive_and_ready_on_the_operators_listener() {
    test(async |world: &World| {
        let serving = Serving {
            server: ServerLimits {
                max_connections: 2,
                ..ServerLimits::default()
            },
            ..Serving::default()
        };
        let tokens = Arc::clone(&world.tokens);
        let server =
            Served::open(&world.database, tokens, None, (Limits::default(), serving)).await;
        let address = server.url().replace("http://", "").replace("/graphql", "");
        let mut held = Vec::new();
        for _ in 0..2 {
            held.push(
                tokio::net::TcpStream::connect(&address)
                    .await
                    .expect("there is room"),
            );
        }
        // The third is accepted by the system and closed by the server.
        let live = server.url().replace("/graphql", "/health/live");
        assert!(
            reqwest::get(&live).await.is_err(),
            "the public listener is full"
        );
        for path in ["/health/live", "/health/ready"] {
            let (status, body) = health(&format!("{}{path}", server.operator_url)).await;
            assert_eq!(status, 200, "{path}: {body}");
        }
        let metrics = reqwest::get(format!("{}/metrics", server.operator_url)).await;
        let metrics = metrics
            .expect("the server answers")
            .text()
            .await
            .expect("text");
        assert!(
            metrics.contains("\ndealgraph_connections_refused_total 1\n"),
            "{metrics}"
        );
        assert!(metrics.contains("\ndealgraph_connections 2\n"), "{metrics}");
        drop(held);
        server.stop().await;
    });
}
