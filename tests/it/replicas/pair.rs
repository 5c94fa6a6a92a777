//! A primary with a replica, and a server over both.

use std::{sync::Arc, time::Duration};

use dealgraph::{
    api::limits::Limits,
    base::clock::Clock,
    db::{Db, Logins, PoolOptions, ReplicaState, journal::Hints},
    tools::app::Serving,
};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::{
    defaults::served::Served,
    harness::{A, Side, Who, World},
    live::{deal, document},
    restores::{
        connect,
        machine::{Cluster, Machine},
        page::Page,
        scalar, set_up, token,
    },
};

/// What follows from records alone.
pub(super) const DEALS: &str = "{ opportunities(first: 50) { nodes { id name } } }";
/// Nothing that is waited for takes as long, unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Both clusters.
pub(super) struct Pair<'m> {
    pub(super) primary: Cluster<'m>,
    pub(super) replica: Cluster<'m>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl<'m> Pair<'m> {
    /// Makes a primary with the two tenants, and a replica of it as the page says.
    pub(super) async fn make(machine: &'m Machine) -> Self {
        let page = Page::read("docs/operators/replicas.md", "tests/it/replicas/mod.rs");
        let primary = machine.cluster("primary", 5432).await;
        set_up(&primary).await;
        let replica = machine.no_cluster("replica", 5433);
        let [at_primary] = page.blocks("At the primary");
        primary.run(at_primary).await;
        let [copy, start] = page.blocks("At the replica");
        let options = primary.options("postgres");
        let folder = options.get_socket().expect("it is on a socket").display();
        let from = format!("PRIMARY='host={folder} port=5432 user=dealgraph_replicator'\n{copy}");
        replica.run(&from).await;
        // Both are on one machine here.
        replica
            .run("echo 'port = 5433' >> \"$PGDATA/postgresql.auto.conf\"")
            .await;
        replica.run(start).await;
        let [look] = page.blocks("Looking at it");
        until("it is streamed to", async || {
            primary.run(look).await.contains("streaming")
        })
        .await;
        page.assert_all_were_run();
        Self { primary, replica }
    }

    /// A server that reads from the replica, once it does.
    pub(super) async fn serve(&self, world: &World) -> Served {
        let login = |cluster: &Cluster<'_>, user| cluster.options(user);
        let logins = Logins::by_name(|name| login(&self.primary, name));
        let options = PoolOptions {
            size: 4,
            tenant_share: 4,
            system_size: 2,
            ..PoolOptions::default()
        };
        let db = Db::open(logins, &options, Clock::system(), Hints::default());
        let db = db.with_replica(login(&self.replica, "dealgraph_app"));
        let serving = Serving {
            cache_from_points: 1,
            ..Serving::default()
        };
        let tokens = Arc::clone(&world.tokens);
        let server = Served::of(db, tokens, None, (Limits::default(), serving)).await;
        until("the replica is in use", async || {
            server.db.replica_state() == Some(ReplicaState::InUse)
        })
        .await;
        let admin = Person::admin(&server, world);
        until("the replica is read", async || {
            admin.ask_within(60, "none").await.read() == "replica"
        })
        .await;
        server
    }

    /// Runs statements at the replica.
    pub(super) async fn at_replica(&self, sql: &str) {
        run(&self.replica, sql).await;
    }

    /// Waits until the replica has come as far as the primary is now.
    pub(super) async fn catch_up(&self) {
        let lsn = scalar(&self.primary, "SELECT pg_current_wal_flush_lsn()::text").await;
        let sql = format!("SELECT (pg_last_wal_replay_lsn() >= '{lsn}')::text");
        until("it has caught up", async || {
            scalar(&self.replica, &sql).await == "true"
        })
        .await;
    }
}

/// Runs statements as the superuser.
pub(super) async fn run(cluster: &Cluster<'_>, sql: &str) {
    let mut superuser = connect(cluster).await;
    raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut superuser)
        .await
        .expect("the superuser may do this");
}

/// Waits until something is so.
pub(super) async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "not so: {what}");
}

/// A person who asks a server.
#[derive(Clone)]
pub(super) struct Person<'s> {
    server: &'s Served,
    token: String,
}

impl<'s> Person<'s> {
    pub(super) fn of(server: &'s Served, world: &World, who: (Side, Who)) -> Self {
        let token = token(world, who);
        Self { server, token }
    }

    /// An administrator of tenant A.
    pub(super) fn admin(server: &'s Served, world: &World) -> Self {
        Self::of(server, world, (A, Who::Admin))
    }

    /// What a document answers, with further headers.
    pub(super) async fn send(
        &self,
        (document, variables): (&str, &Value),
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let body = json!({ "query": document, "variables": variables });
        let mut request = reqwest::Client::new()
            .post(self.server.url())
            .timeout(PATIENCE);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = request.bearer_auth(&self.token).json(&body).send().await;
        let response = sent.expect("the server answers");
        let headers = response.headers().clone();
        let body = response.json().await.expect("it is JSON");
        Answer { headers, body }
    }

    /// What a query answers.
    pub(super) async fn ask(&self, query: &str, headers: &[(&'static str, &str)]) -> Answer {
        let answer = self.send((query, &Value::Null), headers).await;
        assert!(answer.body.get("errors").is_none(), "{answer:?}");
        answer
    }

    /// What the deals are, as they were so many seconds ago at most, for who has seen so much.
    pub(super) async fn ask_within(&self, seconds: u32, position: &str) -> Answer {
        let age = format!("max-age={seconds}");
        let headers = [
            ("cache-control", age.as_str()),
            ("dealgraph-position", position),
        ];
        self.ask(DEALS, &headers).await
    }

    /// Renames a deal; what the answer is.
    pub(super) async fn rename(&self, n: u32, name: &str) -> Answer {
        let input = json!({ "input": { "id": deal(n), "name": name } });
        let headers = [("cache-control", "max-age=60")];
        let document = document("opportunityUpdate");
        let answer = self.send((&document, &input), &headers).await;
        let faults = &answer.body["data"]["opportunityUpdate"]["userErrors"];
        assert_eq!(*faults, json!([]), "{answer:?}");
        answer
    }
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("text"))
    }

    /// Where it was read, as far as it says.
    pub(super) fn read(&self) -> &str {
        self.header("dealgraph-read")
    }

    /// How far it is, as far as it says.
    pub(super) fn position(&self) -> &str {
        self.header("dealgraph-position")
    }

    /// Whether a deal of this name is in it.
    pub(super) fn has(&self, name: &str) -> bool {
        let nodes = self.body["data"]["opportunities"]["nodes"].as_array();
        nodes
            .expect("deals")
            .iter()
            .any(|node| node["name"] == name)
    }
}
