//! Rights end within a second on every server, and keys change while servers run.

mod api_keys;
mod keys;
mod last_use;
mod revocation;
mod strength;
mod tokens;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use dealgraph::{
    access::Actor,
    base::error::Result,
    db::{
        Db, Sql, SystemReason,
        journal::{Origin, Recorder, Recording},
    },
    organization::{
        auth::{Access, AccessChange, publish_access_change},
        identities::Identities,
    },
    platform::redis::{RedisAddress, Throttle},
};
use serde_json::Value;

use crate::{
    defaults::served::Served,
    harness::{A, Who, World, open, tokens_over},
};

/// What is promised from the commit of a change to its effect, on every server.
const PROMISED: Duration = Duration::from_secs(1);
/// What a request and its answer may take beyond that, in a debug build on a machine that does other things too.
const MARGIN: Duration = Duration::from_millis(500);

const WHO: &str = "{ viewer { role permissions } }";

/// Two servers over one database, each with its own keys, memory and watch.
struct Pair {
    servers: [Served; 2],
    dbs: [Db; 2],
}

impl Pair {
    async fn start(world: &World) -> Self {
        let (one, two) = (server(world).await, server(world).await);
        Self {
            servers: [one.0, two.0],
            dbs: [one.1, two.1],
        }
    }

    /// Asks both until both answer as wanted, and returns how long that took.
    async fn until(&self, what: &str, token: &str, wanted: impl Fn(u16, &Value) -> bool) {
        let began = Instant::now();
        let mut took = [None; 2];
        while took.contains(&None) {
            for (server, took) in self.servers.iter().zip(&mut took) {
                let (status, answer) = server.ask(token, WHO).await;
                if took.is_none() && wanted(status, &answer) {
                    *took = Some(began.elapsed());
                }
                assert!(
                    took.is_some() || began.elapsed() < PROMISED + MARGIN,
                    "{what} is not in effect: {status} {answer}"
                );
            }
        }
        println!("{what}: in effect after {took:?}");
    }

    async fn stop(self) {
        for server in self.servers {
            server.stop().await;
        }
        for db in self.dbs {
            db.close().await;
        }
    }
}

/// A server with keys of its own reading, and what they were read through.
async fn server(world: &World) -> (Served, Db) {
    let db = open(&world.database, 1).await;
    let tokens = tokens_over(&db).await;
    (Served::over(&world.database, tokens, None).await, db)
}

/// Who comes in, apart from any server; `run` is what a server does beside.
fn access(world: &World) -> (Arc<Access>, Recorder, Recording) {
    let (recorder, recording) = Recorder::start(world.db.clone());
    let tokens = Arc::clone(&world.tokens);
    let access = Access::new(
        world.db.clone(),
        recorder.clone(),
        tokens,
        Arc::new(Identities::none()),
        Throttle::new(&RedisAddress::none()),
    );
    (Arc::new(access), recorder, recording)
}

/// An administrator of A changes rows and says whose rights that changes.
async fn change(world: &World, changed: AccessChange, sql: Sql) -> Result<()> {
    let admin = A.actor(Who::Admin);
    let origin = Origin::process("change");
    world
        .db
        .write(&admin, &origin, async |tx| {
            assert_eq!(tx.execute(sql).await?, 1);
            publish_access_change(tx, changed).await
        })
        .await
}

/// The same by the system.
async fn change_as_system(world: &World, changed: AccessChange, sql: Sql) -> Result<()> {
    // Not through the world's own access, where each statement is judged as one of the product.
    let db = open(&world.database, 1).await;
    let mut tx = db.system(SystemReason::TenantLifecycle).await?;
    assert_eq!(tx.execute(sql).await?, 1);
    publish_access_change(&mut tx, changed).await?;
    tx.commit().await?;
    db.close().await;
    Ok(())
}

/// The token of a member of A.
fn token(world: &World, who: Who) -> String {
    let issued = world.tokens.issue(A.user(who), A.tenant());
    issued.expect("the key signs").token
}

async fn actor(access: &Access, token: &str) -> Result<Arc<Actor>> {
    access.actor(token, &Origin::process("test")).await
}
