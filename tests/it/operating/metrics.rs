//! What a server counts, as Prometheus reads it.

use std::{collections::BTreeSet, sync::Arc};

use dealgraph::{api::limits::Limits, tools::app::Serving};
use serde_json::Value;

use crate::{
    defaults::served::Served,
    harness::{A, Who, World, test},
};

async fn text(url: &str) -> (u16, String) {
    let response = reqwest::get(url).await.expect("the server answers");
    let status = response.status().as_u16();
    (status, response.text().await.expect("it is text"))
}

/// A server that tells the operation `Board` from others.
async fn serve(world: &World) -> Served {
    let serving = Serving {
        operations: vec!["Board".to_owned()],
        ..Serving::default()
    };
    let tokens = Arc::clone(&world.tokens);
    Served::open(&world.database, tokens, None, (Limits::default(), serving)).await
}

fn token(world: &World, who: Who) -> String {
    let issued = world.tokens.issue(A.user(who), A.tenant());
    issued.expect("the key signs").token
}

#[test]
fn metrics_are_on_the_operators_listener_only() {
    test(async |world: &World| {
        let server = serve(world).await;
        let public = server.url().replace("/graphql", "");
        for path in ["/metrics", "/health"] {
            assert_eq!(text(&format!("{public}{path}")).await.0, 404, "{path}");
        }
        let (status, metrics) = text(&format!("{}/metrics", server.operator_url)).await;
        assert_eq!(status, 200);
        assert!(metrics.ends_with("# EOF\n"), "{metrics}");
        assert_eq!(
            text(&format!("{}/graphql", server.operator_url)).await.0,
            404
        );
        server.stop().await;
    });
}

/// How many time series there are, each histogram counted twice.
fn series(metrics: &str) -> usize {
    let lines = metrics.lines().filter(|line| !line.starts_with('#'));
    lines.filter(|line| !line.contains("_bucket{")).count()
}

#[test]
fn what_clients_choose_makes_no_time_series_and_nobody_is_named() {
    test(async |world: &World| {
        let server = serve(world).await;
        let admin = token(world, Who::Admin);
        let none = &Value::Null;
        let mut before = None;
        for n in 0..40 {
            // One of each is there before it is counted.
            if n == 1 {
                let (_, metrics) = text(&format!("{}/metrics", server.operator_url)).await;
                before = Some(series(&metrics));
            }
            let document =
                format!("query Chosen{n} {{ opportunities(first: 1) {{ nodes {{ name }} }} }}");
            server.send(Some(&admin), &document, none).await;
            server
                .send(Some(&admin), &format!("query Wrong{n} {{ nothing }}"), none)
                .await;
            text(&format!(
                "{}/chosen/{n}",
                server.url().replace("/graphql", "")
            ))
            .await;
        }
        server
            .send(Some(&admin), "query Board { viewer { role } }", none)
            .await;
        server
            .send(None, "query Board { viewer { role } }", none)
            .await;
        let (_, metrics) = text(&format!("{}/metrics", server.operator_url)).await;
        assert!(!metrics.contains("hosen"), "{metrics}");
        let tenant = A.tenant().to_string();
        assert!(
            !metrics.contains(&tenant) && !metrics.contains("CANARY"),
            "{metrics}"
        );
        for line in [
            r#"dealgraph_graphql_operations_total{type="query",operation="other",code="OK"} 40"#,
            r#"dealgraph_graphql_operations_total{type="query",operation="Board",code="OK"} 1"#,
            r#"dealgraph_graphql_operations_total{type="query",operation="Board",code="UNAUTHENTICATED"} 1"#,
        ] {
            assert!(metrics.contains(line), "{line} is not in\n{metrics}");
        }
        // The operation that the server was told of, with its two answers, is all that may be new.
        let (count, before) = (series(&metrics), before.expect("they were counted"));
        assert!(
            count <= before + 10,
            "{before} and then {count} time series"
        );
        assert!(count < 300, "{count} time series");
        server.stop().await;
    });
}

#[test]
fn every_metric_has_a_help_and_moves_with_what_it_counts() {
    test(async |world: &World| {
        let server = serve(world).await;
        let admin = token(world, Who::Admin);
        let document = "mutation { contactCreate(input: { firstName: \"Ada\", lastName: \"Counted\" }) { userErrors { code } } }";
        server.send(Some(&admin), document, &Value::Null).await;
        let (_, metrics) = text(&format!("{}/metrics", server.operator_url)).await;
        let helped: BTreeSet<&str> = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next())
            .collect();
        let typed = metrics
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        for name in typed {
            assert!(helped.contains(name), "{name} has no help");
        }
        let value = |name: &str| -> f64 {
            let line = metrics.lines().find(|line| line.starts_with(name));
            let line = line.unwrap_or_else(|| panic!("{name} is not in\n{metrics}"));
            line.rsplit(' ')
                .next()
                .expect("a value")
                .parse()
                .expect("a number")
        };
        for name in [
            "dealgraph_db_client_operation_duration_seconds_count{verb=\"INSERT\"}",
            "dealgraph_db_admission_wait_seconds_count",
            "dealgraph_db_client_connections_max{pool=\"app\"}",
            "dealgraph_connections",
            "dealgraph_http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/graphql\",http_response_status_code=\"200\"}",
            "dealgraph_redis_connected",
            "dealgraph_build_info",
            "process_resident_memory_bytes",
            "process_open_fds",
        ] {
            assert!(value(name) > 0.0, "{name}");
        }
        for name in [
            "dealgraph_db_admission_waiting",
            "dealgraph_db_admission_refused_total",
        ] {
            assert_eq!(value(name), 0.0, "{name}");
        }
        server.stop().await;
    });
}
