//! Serving: on one machine with everything, or over databases of one's own.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use crate::{
    api::{Plan, PlansError, Trusted, explorer, http::Origins, limits::Limits},
    base::clock::Clock,
    crm,
    jobs::WorkerSettings,
    organization::{
        accounts::{self, HashCost, Hasher, Settings},
        auth::TokenOptions,
        identities::{Identities, IdentityFile},
    },
    platform::{
        Vault,
        mail::{Post, Way},
        server::ServerLimits,
        telemetry,
    },
    tools::{
        app::{App, Drain, Listeners, Serving, Setup, TokenSettings},
        config::{Config, Purpose, ServerConfig},
        dev::{self, DevOptions},
    },
};
use chrono::TimeDelta;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    Outcome,
    databases::{logins, pool, replica},
};

pub(crate) async fn run_dev(port: u16, servers: u8, data_dir: PathBuf, fresh: bool) -> Outcome {
    let config = Config::from_env(Purpose::Develop)?;
    let _telemetry = telemetry::init(&config.telemetry)?;
    let limits = Limits::from(&config.limits);
    let options = DevOptions {
        port,
        servers,
        data_dir,
        fresh,
        pg_bin: config.pg_bin,
        limits,
        plans: plans(&config.server)?,
    };
    Ok(dev::run(options).await?)
}

pub(crate) async fn serve() -> Outcome {
    let config = Config::from_env(Purpose::Serve)?;
    let _telemetry = telemetry::init(&config.telemetry)?;
    let vault = vault(&config)?;
    let setup = Setup {
        logins: logins(&config)?,
        replica: replica(&config)?,
        pool: pool(&config),
        redis_url: config.redis.url.as_ref().map(|url| url.expose().clone()),
        vault: Arc::clone(&vault),
        tokens: token_settings(&config)?,
        limits: Limits {
            introspection: config.server.introspection,
            server_timing: config.server.server_timing,
            trusted_documents_only: config.server.documents_only,
            ..Limits::from(&config.limits)
        },
        clock: Clock::system(),
        trace_parents: config.telemetry.trace_parents,
        outbound: config.outbound.clone(),
        accounts: accounts_setup(&config, vault)?,
        serving: serving(&config)?,
    };
    let mut app = App::new(setup).await?;
    if config.server.explorer {
        app = app.with(explorer::router().merge(accounts::pages::router()));
    }
    let public = tokio::net::TcpListener::bind(config.server.listen).await?;
    let operator = match config.server.metrics_listen {
        Some(address) => Some(tokio::net::TcpListener::bind(address).await?),
        None => None,
    };
    if config.accounts.mail_url.is_none() {
        tracing::warn!("no mails are sent: DEALGRAPH_MAIL_URL is not set");
    }
    if config.outbound.allows_loopback {
        tracing::warn!(
            "tenants may name servers on this machine: DEALGRAPH_OUTBOUND_ALLOW_LOOPBACK is on"
        );
    }
    let operator_address = operator
        .as_ref()
        .and_then(|operator| operator.local_addr().ok());
    tracing::info!(
        address = %public.local_addr()?,
        metrics = operator_address.map(tracing::field::display),
        pool = config.database.pool_size,
        tenant_connections = config.database.tenant_connections,
        "listening"
    );
    let stop = CancellationToken::new();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let serving = app.serve(Listeners { public, operator }, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return Ok(served?),
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    tracing::info!("draining");
    stop.cancel();
    // Whoever asks twice does not want to wait.
    tokio::select! {
        served = serving => Ok(served?),
        _ = interrupted.recv() => Err("stopped at once, requests in flight were cut off".into()),
        _ = terminated.recv() => Err("stopped at once, requests in flight were cut off".into()),
    }
}

fn serving(config: &Config) -> Result<Serving, Box<dyn std::error::Error>> {
    let set = &config.server;
    let trusted = match &set.documents {
        Some(path) => Trusted::read(path)?,
        None if set.documents_only => {
            return Err("DEALGRAPH_DOCUMENTS_ONLY is on and DEALGRAPH_DOCUMENTS lists none".into());
        }
        None => Trusted::default(),
    };
    let origins = set.allowed_origins.iter().chain([&config.accounts.app_url]);
    Ok(Serving {
        server: ServerLimits {
            max_connections: set.connections,
            max_connections_per_ip: set.connections_per_address,
            ..ServerLimits::default()
        },
        origins: Origins::of(origins),
        event_days: set.event_days,
        cache_bytes: config.cache.bytes,
        cache_from_points: config.cache.from_points,
        trusted: Arc::new(trusted),
        plans: plans(set)?,
        operations: set.operations.clone(),
        jobs: WorkerSettings {
            slots: set.job_slots,
            ..WorkerSettings::default()
        },
        drain: Drain {
            wait: set.drain_wait,
        },
        ..Serving::default()
    })
}

/// The limits of plans, from the operator's file.
fn plans(set: &ServerConfig) -> Result<BTreeMap<String, Plan>, PlansError> {
    match &set.plans {
        Some(path) => Plan::read_all(path),
        None => Ok(BTreeMap::new()),
    }
}

pub(crate) fn accounts_setup(
    config: &Config,
    vault: Arc<Vault>,
) -> Result<accounts::Setup, Box<dyn std::error::Error>> {
    let set = &config.accounts;
    let way = match &set.mail_url {
        Some(url) => Way::parse(url.expose())?,
        None => Way::Nowhere,
    };
    Ok(accounts::Setup {
        furnish: crm::furnish,
        vault,
        post: Post {
            way,
            from: set.mail_from.clone(),
        },
        hasher: Hasher::new(HashCost::default())?,
        identities: Arc::new(identities(config)?),
        settings: Settings {
            registration: set.registration,
            session_ttl: TimeDelta::from_std(set.session_ttl)?,
            app_url: set.app_url.clone(),
            trusted_proxies: config.server.trusted_proxies,
        },
    })
}

pub(crate) fn identities(config: &Config) -> Result<Identities, Box<dyn std::error::Error>> {
    let file = match &config.auth.identity_file {
        Some(file) => IdentityFile::read(file)?,
        None => IdentityFile::default(),
    };
    let ours = &config.auth.issuer;
    if file
        .issuers
        .iter()
        .any(|issuer| issuer.issuer.as_str() == ours)
    {
        return Err(
            format!("the identity file names our own issuer as an outside one: {ours}").into(),
        );
    }
    Ok(Identities::new(file, Clock::system())?)
}

pub(crate) fn vault(config: &Config) -> Result<Arc<Vault>, Box<dyn std::error::Error>> {
    let keys = config.auth.encryption_keys.as_ref();
    let keys = keys.ok_or("DEALGRAPH_ENCRYPTION_KEYS is not set")?;
    Ok(Arc::new(Vault::new(keys.expose())?))
}

pub(crate) fn token_settings(config: &Config) -> Result<TokenSettings, Box<dyn std::error::Error>> {
    let auth = &config.auth;
    Ok(TokenSettings {
        options: TokenOptions {
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            lifetime: TimeDelta::from_std(auth.token_ttl)?,
        },
        hs256_secret: auth.hs256_secret.clone(),
    })
}
