//! What slow requests tell of themselves.

use std::{sync::Arc, time::Duration};

use dealgraph::{
    api::limits::{Limits, ServerTiming},
    base::clock::Clock,
    db::{Db, Logins, PoolOptions, Sql, journal::Hints},
    tools::app::Serving,
};
use serde_json::json;

use crate::{
    defaults::served::Served,
    harness::{A, Who, World, test},
};

#[test]
fn a_slow_statement_is_logged_with_its_plan_and_without_its_values() {
    test(async |world: &World| {
        let options = PoolOptions {
            slow: Duration::from_millis(100),
            explains_slow: true,
            ..PoolOptions::default()
        };
        let logins = Logins {
            app: world.database.options("dealgraph_app").await,
            system: world.database.options("dealgraph_system").await,
        };
        let db = Db::open(logins, &options, Clock::system(), Hints::default());
        let session = db.read_session(A.actor(Who::Admin));
        let names = session.run(async |tx| {
            let sql =
                Sql::new("SELECT c.name FROM companies c, pg_sleep(0.15) WHERE c.tenant_id = ")
                    .bind(tx.tenant())
                    .push(" AND c.name <> ")
                    .bind("Sought in vain");
            let slow: Vec<String> = tx.column(sql).await?;
            // The snapshot goes on afterwards.
            let sql =
                Sql::new("SELECT c.name FROM companies c WHERE c.tenant_id = ").bind(tx.tenant());
            let quick: Vec<String> = tx.column(sql).await?;
            Ok((slow.len(), quick.len()))
        });
        assert_eq!(names.await.expect("both are answered"), (4, 4));
        let log = world.log();
        assert!(log.contains("plan of a slow statement"), "{log}");
        assert!(log.contains("Scan") && log.contains("$2"), "{log}");
        assert!(!log.contains("Sought in vain"));
        // It holds a connection.
        drop(session);
        db.close().await;
    });
}

#[test]
fn the_times_of_a_request_are_told_to_those_who_may_know_them() {
    test(async |world: &World| {
        for (timing, who, is_told) in [
            (ServerTiming::Nobody, Some(Who::Admin), false),
            (ServerTiming::Admins, Some(Who::Admin), true),
            (ServerTiming::Admins, Some(Who::Viewer), false),
            (ServerTiming::Everybody, Some(Who::Viewer), true),
            (ServerTiming::Everybody, None, false),
        ] {
            let limits = Limits {
                server_timing: timing,
                ..Limits::default()
            };
            let serving = Serving {
                cache_bytes: 0,
                ..Serving::default()
            };
            let tokens = Arc::clone(&world.tokens);
            let server = Served::open(&world.database, tokens, None, (limits, serving)).await;
            let body = json!({ "query": "{ opportunities(first: 3) { nodes { name } } }" });
            let mut request = reqwest::Client::new().post(server.url()).json(&body);
            if let Some(who) = who {
                let issued = world.tokens.issue(A.user(who), A.tenant());
                request = request.bearer_auth(issued.expect("the key signs").token);
            }
            let response = request.send().await.expect("the server answers");
            let told = response.headers().get("server-timing");
            let told = told.map(|value| value.to_str().expect("text").to_owned());
            assert_eq!(told.is_some(), is_told, "{timing:?} {who:?}");
            for phase in ["auth", "document", "execute", "connect", "db"] {
                let Some(told) = &told else { continue };
                let took = told
                    .split(", ")
                    .find_map(|part| part.strip_prefix(&format!("{phase};dur=")));
                let took: f64 = took.expect("it is told").parse().expect("a number");
                assert!(took > 0.0, "{phase} in {told}");
            }
            server.stop().await;
        }
    });
}
