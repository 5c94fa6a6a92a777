//! The `doctor` command: looks at a configuration from end to end, as a server would use it, and says what to do.
//!
//! Each topic is a file with one `check`. They run side by side, each within a time of its own, whatever the others find.
//! Nothing is changed, and no secret is in what they say: only what Postgres, Redis and the others say of themselves.

mod citus;
mod clocks;
mod configuration;
mod identities;
mod keys;
mod logins;
mod mail;
mod pool;
mod pooler;
mod postgres;
mod redis_server;
mod replica;
mod report;
mod schema;

use std::{sync::Arc, time::Duration};

use futures_util::future::{BoxFuture, join_all};
use sqlx::postgres::PgConnectOptions;

use crate::{
    base::{clock::Clock, secret::Secret},
    db::{Db, Logins, PoolOptions, journal::Hints},
    platform::{Vault, redis::RedisAddress},
    tools::config::{Config, Problem},
};
pub use report::{Finding, Level, Report};

/// How long a topic may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the operator says beside the configuration.
#[derive(Debug, Clone)]
pub struct Asked {
    /// How many servers are to run with this configuration.
    pub servers: u32,
    /// To whom a mail is sent; to nobody otherwise.
    pub mail_to: Option<String>,
}

/// What is looked at.
struct Subject<'a> {
    config: &'a Config,
    problems: &'a [Problem],
    asked: &'a Asked,
    clock: &'a Clock,
    app: Option<PgConnectOptions>,
    system: Option<PgConnectOptions>,
    owner: Option<PgConnectOptions>,
    replica: Option<PgConnectOptions>,
    /// Both logins of the server, with which the product's own parts work.
    db: Option<Db>,
    redis: RedisAddress,
    vault: Option<Arc<Vault>>,
}

impl<'a> Subject<'a> {
    fn new(
        (config, problems): (&'a Config, &'a [Problem]),
        asked: &'a Asked,
        clock: &'a Clock,
    ) -> Self {
        let set = &config.database;
        let login = |url: &Option<Secret<String>>| url.as_ref()?.expose().parse().ok();
        let (app, system): (Option<PgConnectOptions>, Option<PgConnectOptions>) =
            (login(&set.app_url), login(&set.system_url));
        let cached =
            |login: &PgConnectOptions| login.clone().statement_cache_capacity(set.statement_cache);
        let db = app.as_ref().zip(system.as_ref()).map(|(app, system)| {
            let pools = PoolOptions {
                size: 1,
                system_size: 2,
                acquire_timeout: PATIENCE,
                prepared: set.statement_cache > 0,
                ..PoolOptions::default()
            };
            let logins = Logins {
                app: cached(app),
                system: cached(system),
            };
            Db::open(logins, &pools, clock.clone(), Hints::default())
        });
        let redis_url = config.redis.url.as_ref().map(|url| url.expose().clone());
        let keys = config.auth.encryption_keys.as_ref();
        Self {
            owner: login(&set.owner_url),
            replica: login(&set.replica_url),
            redis: RedisAddress::from(redis_url),
            vault: keys.and_then(|keys| Vault::new(keys.expose()).ok().map(Arc::new)),
            config,
            problems,
            asked,
            clock,
            app,
            system,
            db,
        }
    }
}

/// Looks at everything. `problems` are what could not be read of the configuration.
pub async fn examine(config: (&Config, &[Problem]), asked: &Asked, clock: &Clock) -> Report {
    let subject = Subject::new(config, asked, clock);
    let s = &subject;
    let topics: Vec<(&str, BoxFuture<'_, Vec<Finding>>)> = vec![
        ("configuration", Box::pin(configuration::check(s))),
        ("logins", Box::pin(logins::check(s))),
        ("schema", Box::pin(schema::check(s))),
        ("postgres", Box::pin(postgres::check(s))),
        ("replica", Box::pin(replica::check(s))),
        ("pooler", Box::pin(pooler::check(s))),
        ("pool", Box::pin(pool::check(s))),
        ("citus", Box::pin(citus::check(s))),
        ("clocks", Box::pin(clocks::check(s))),
        ("redis", Box::pin(redis_server::check(s))),
        ("mail", Box::pin(mail::check(s))),
        ("keys", Box::pin(keys::check(s))),
        ("identities", Box::pin(identities::check(s))),
    ];
    let findings = join_all(topics.into_iter().map(async |(topic, check)| {
        let found = tokio::time::timeout(PATIENCE, check).await;
        found.unwrap_or_else(|_| vec![slow(topic)])
    }));
    let findings = findings.await.into_iter().flatten().collect();
    if let Some(db) = &subject.db {
        // One that hangs does not keep the answer back.
        _ = tokio::time::timeout(Duration::from_secs(1), db.close()).await;
    }
    Report { findings }
}

fn slow(topic: &'static str) -> Finding {
    let found = format!("no answer within {} s", PATIENCE.as_secs());
    let advice = "look whether the address is right and nothing between drops what is sent to it";
    Finding::error(topic, found, advice)
}
