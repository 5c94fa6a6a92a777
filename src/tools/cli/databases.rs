//! The databases that commands work with: a development cluster's, or those that the environment names.

use std::path::PathBuf;

use crate::{
    base::{clock::Clock, secret::Secret},
    db::{Db, Logins, PoolOptions, journal::Hints},
    tools::{
        config::{Config, Purpose},
        dev,
    },
};
use sqlx::postgres::PgConnectOptions;

/// The database of a development cluster, or the one that the environment names.
pub(crate) fn open(data_dir: Option<PathBuf>) -> Result<Db, Box<dyn std::error::Error>> {
    let hints = Hints::default();
    Ok(match data_dir {
        Some(data_dir) => dev::connect(&data_dir, hints)?,
        None => {
            let config = Config::from_env(Purpose::Import)?;
            Db::open(logins(&config)?, &pool(&config), Clock::system(), hints)
        }
    })
}

/// A database that is only worked with as the one login of a variable.
pub(crate) fn as_login(
    config: &Config,
    variable: &str,
    url: Option<&Secret<String>>,
) -> Result<Db, Box<dyn std::error::Error>> {
    let url = url.ok_or_else(|| format!("{variable} is not set"))?;
    let login: PgConnectOptions = url.expose().parse()?;
    Ok(Db::open(
        Logins::only(login),
        &pool(config),
        Clock::system(),
        Hints::default(),
    ))
}

pub(crate) fn logins(config: &Config) -> Result<Logins, Box<dyn std::error::Error>> {
    let database = &config.database;
    let app = database
        .app_url
        .as_ref()
        .ok_or("DEALGRAPH_DATABASE_URL is not set")?;
    let system = database
        .system_url
        .as_ref()
        .ok_or("DEALGRAPH_SYSTEM_DATABASE_URL is not set")?;
    Ok(Logins {
        app: login(config, app)?,
        system: login(config, system)?,
    })
}

/// The login of requests at the replica, if there is one.
pub(crate) fn replica(config: &Config) -> Result<Option<PgConnectOptions>, sqlx::Error> {
    let url = config.database.replica_url.as_ref();
    url.map(|url| login(config, url)).transpose()
}

fn login(config: &Config, url: &Secret<String>) -> Result<PgConnectOptions, sqlx::Error> {
    let login: PgConnectOptions = url.expose().parse()?;
    Ok(login.statement_cache_capacity(config.database.statement_cache))
}

pub(crate) fn pool(config: &Config) -> PoolOptions {
    PoolOptions {
        size: config.database.pool_size,
        tenant_share: config.database.tenant_connections,
        system_size: config.database.system_pool_size,
        acquire_timeout: config.database.acquire_timeout,
        slow: config.database.slow,
        explains_slow: config.database.explains_slow,
        prepared: config.database.statement_cache > 0,
    }
}
