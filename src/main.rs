//! The one executable.

use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc};

use chrono::TimeDelta;
use clap::{Parser, Subcommand};
use dealgraph::{
    accounts::{self, HashCost, Hasher, Settings},
    app::{App, Setup},
    auth::{Keys, Tokens, Vault},
    clock::Clock,
    config::{self, Config, Purpose},
    db::{PoolOptions, migrate},
    dev::{self, DevOptions},
    graphql::{self, explorer, limits::Limits},
    import,
    mail::{Post, Way},
    telemetry,
    tenants::command::{self, TenantCommand},
};
use sqlx::postgres::PgConnectOptions;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A GraphQL, multi-tenant CRM platform under Postgres row-level security.
#[derive(Parser)]
#[command(version, after_help = config::listing())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs everything on this machine: a private Postgres and Redis, the demo tenants, the server, the explorer.
    Dev {
        /// The port on 127.0.0.1.
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Where everything is kept.
        #[arg(long, default_value = ".dealgraph")]
        data_dir: PathBuf,
        /// Removes what an earlier run kept and begins anew.
        #[arg(long)]
        fresh: bool,
    },
    /// Serves the API over a database of yours; configured by DEALGRAPH_ variables.
    Serve,
    /// Brings a database to this version: migrations, then policies.
    Migrate,
    /// Prints the schema of the API.
    Schema,
    /// Prints an access token for a person of a development cluster, and nothing else.
    Token {
        /// Whose token.
        #[arg(long)]
        email: String,
        /// In which tenant, by its slug; needed when the person is in several.
        #[arg(long)]
        tenant: Option<String>,
        /// The development cluster's folder.
        #[arg(long, default_value = ".dealgraph")]
        data_dir: PathBuf,
    },
    /// Manages tenants, for the operator of the platform.
    Tenant {
        #[command(subcommand)]
        command: TenantCommand,
        /// The development cluster's folder; without it the database of DEALGRAPH_SYSTEM_DATABASE_URL is used, and for
        /// `purge` that of DEALGRAPH_OWNER_DATABASE_URL.
        #[arg(long, global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Imports data into a tenant.
    Import {
        #[command(subcommand)]
        source: Source,
    },
}

#[derive(Subcommand)]
enum Source {
    /// The "CRM Sales Opportunities" data set of Maven Analytics: a folder of four CSV files.
    Maven {
        /// The folder.
        dir: PathBuf,
        /// Into which tenant, by its slug.
        #[arg(long)]
        tenant: String,
        /// The development cluster's folder; without it the database of DEALGRAPH_DATABASE_URL is used.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Dev {
            port,
            data_dir,
            fresh,
        } => run_dev(port, data_dir, fresh).await,
        Command::Serve => serve().await,
        Command::Migrate => run_migrations().await,
        Command::Schema => {
            print(&graphql::sdl());
            Ok(())
        }
        Command::Token {
            email,
            tenant,
            data_dir,
        } => token(email, tenant, data_dir).await,
        Command::Tenant { command, data_dir } => manage_tenants(command, data_dir).await,
        Command::Import {
            source:
                Source::Maven {
                    dir,
                    tenant,
                    data_dir,
                },
        } => import_maven(dir, tenant, data_dir).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dealgraph: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to a reader that may have gone away, such as `head`.
fn print(text: &str) {
    _ = std::io::stdout().write_all(text.as_bytes());
}

async fn run_dev(port: u16, data_dir: PathBuf, fresh: bool) -> Outcome {
    let config = Config::from_env(Purpose::Develop)?;
    let _telemetry = telemetry::init(&config.telemetry)?;
    let limits = Limits::from(&config.limits);
    let options = DevOptions {
        port,
        data_dir,
        fresh,
        pg_bin: config.pg_bin,
        limits,
    };
    Ok(dev::run(options).await?)
}

async fn serve() -> Outcome {
    let config = Config::from_env(Purpose::Serve)?;
    let _telemetry = telemetry::init(&config.telemetry)?;
    let tokens = Arc::new(tokens(&config)?);
    let setup = Setup {
        logins: logins(&config)?,
        pool: pool(&config),
        redis_url: config.redis.url.as_ref().map(|url| url.expose().clone()),
        tokens,
        limits: Limits {
            introspection: config.server.introspection,
            ..Limits::from(&config.limits)
        },
        clock: Clock::system(),
        trace_parents: config.telemetry.trace_parents,
        accounts: accounts_setup(&config)?,
    };
    let mut app = App::new(setup).await?;
    if config.server.explorer {
        app = app.with(explorer::router());
    }
    let listener = tokio::net::TcpListener::bind(config.server.listen).await?;
    tracing::info!(address = %listener.local_addr()?, "listening");
    let stop = CancellationToken::new();
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let serving = app.serve(listener, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return Ok(served?),
        _ = interrupted.recv() => {}
        _ = terminated.recv() => {}
    }
    tracing::info!("draining");
    stop.cancel();
    Ok(serving.await?)
}

async fn run_migrations() -> Outcome {
    let config = Config::from_env(Purpose::Migrate)?;
    let _telemetry = telemetry::init(&config.telemetry)?;
    let url = config
        .database
        .owner_url
        .as_ref()
        .ok_or("DEALGRAPH_OWNER_DATABASE_URL is not set")?;
    let report = migrate::run(&url.expose().parse()?).await?;
    match report.policies_applied.as_slice() {
        [] => println!("the database is at this version; no policy changed"),
        applied => println!(
            "the database is at this version; policies applied: {}",
            applied.join(", ")
        ),
    }
    Ok(())
}

async fn token(email: String, tenant: Option<String>, data_dir: PathBuf) -> Outcome {
    println!(
        "{}",
        dev::token(&data_dir, &email, tenant.as_deref())
            .await?
            .token
    );
    Ok(())
}

async fn import_maven(dir: PathBuf, tenant: String, data_dir: Option<PathBuf>) -> Outcome {
    let hints = dealgraph::events::Hints::default();
    let db = match data_dir {
        Some(data_dir) => dev::connect(&data_dir, hints)?,
        None => {
            let config = Config::from_env(Purpose::Import)?;
            dealgraph::db::Db::open(logins(&config)?, &pool(&config), Clock::system(), hints)
        }
    };
    let summary = import::maven::import(&db, &dir, &tenant, import::Progress::on_stderr()).await?;
    print(&summary.to_string());
    Ok(())
}

async fn manage_tenants(command: TenantCommand, data_dir: Option<PathBuf>) -> Outcome {
    let config = Config::from_env(Purpose::Develop)?;
    let (name, url) = match command.is_owners() {
        true => ("DEALGRAPH_OWNER_DATABASE_URL", &config.database.owner_url),
        false => ("DEALGRAPH_SYSTEM_DATABASE_URL", &config.database.system_url),
    };
    let hints = dealgraph::events::Hints::default();
    let db = match (data_dir, url) {
        (Some(data_dir), _) if command.is_owners() => dev::connect_as_owner(&data_dir, hints)?,
        (Some(data_dir), _) => dev::connect(&data_dir, hints)?,
        (None, Some(url)) => {
            let login: PgConnectOptions = url.expose().parse()?;
            let logins = (login.clone(), login);
            dealgraph::db::Db::open(logins, &pool(&config), Clock::system(), hints)
        }
        (None, None) => return Err(format!("{name} is not set").into()),
    };
    let line = |line: String| print(&(line + "\n"));
    command::run(command, &db, config.accounts.app_url.as_str(), line).await?;
    db.close().await;
    Ok(())
}

fn logins(
    config: &Config,
) -> Result<(PgConnectOptions, PgConnectOptions), Box<dyn std::error::Error>> {
    let database = &config.database;
    let app = database
        .app_url
        .as_ref()
        .ok_or("DEALGRAPH_DATABASE_URL is not set")?;
    let system = database
        .system_url
        .as_ref()
        .ok_or("DEALGRAPH_SYSTEM_DATABASE_URL is not set")?;
    let options = |url: &str| -> Result<PgConnectOptions, sqlx::Error> {
        Ok(url
            .parse::<PgConnectOptions>()?
            .statement_cache_capacity(database.statement_cache))
    };
    Ok((options(app.expose())?, options(system.expose())?))
}

fn pool(config: &Config) -> PoolOptions {
    PoolOptions {
        size: config.database.pool_size,
        system_size: config.database.system_pool_size,
        acquire_timeout: config.database.acquire_timeout,
        prepared: config.database.statement_cache > 0,
    }
}

fn accounts_setup(config: &Config) -> Result<accounts::Setup, Box<dyn std::error::Error>> {
    let set = &config.accounts;
    let way = match &set.mail_url {
        Some(url) => Way::parse(url.expose())?,
        None => {
            tracing::warn!("no mails are sent: DEALGRAPH_MAIL_URL is not set");
            Way::Nowhere
        }
    };
    Ok(accounts::Setup {
        vault: Arc::new(Vault::new(&Vault::generate_key())?),
        post: Post {
            way,
            from: set.mail_from.clone(),
        },
        hasher: Hasher::new(HashCost::default())?,
        settings: Settings {
            registration: set.registration,
            session_ttl: TimeDelta::from_std(set.session_ttl)?,
            app_url: set.app_url.clone(),
            trusted_proxies: config.server.trusted_proxies,
        },
    })
}

fn tokens(config: &Config) -> Result<Tokens, Box<dyn std::error::Error>> {
    let auth = &config.auth;
    let secret = auth
        .hs256_secret
        .as_ref()
        .map(|secret| secret.expose().as_bytes());
    let keys = match (&auth.keys_file, secret) {
        (Some(folder), secret) => Keys::from_folder(folder, secret)?,
        (None, Some(secret)) => Keys::hs256(secret),
        (None, None) => {
            return Err("set DEALGRAPH_AUTH_KEYS_FILE or DEALGRAPH_AUTH_HS256_SECRET".into());
        }
    };
    let lifetime = TimeDelta::from_std(auth.token_ttl)?;
    Ok(Tokens::new(
        keys,
        (auth.issuer.clone(), auth.audience.clone()),
        lifetime,
        Clock::system(),
    )?)
}
