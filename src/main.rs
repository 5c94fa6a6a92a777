//! The one executable.

use std::{io::Write as _, path::PathBuf, process::ExitCode, sync::Arc};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use clap::{Parser, Subcommand};
use dealgraph::{
    accounts::{self, HashCost, Hasher, Settings, operator, operator::PersonCommand},
    app::{App, Setup, TokenSettings},
    audit,
    auth::{
        Vault,
        keys::{self, KeyState},
    },
    clock::Clock,
    config::{self, Config, IdentityFile, Purpose, Secret},
    db::{Db, PoolOptions, migrate},
    dev::{self, DevOptions},
    events::Hints,
    graphql::{self, explorer, limits::Limits},
    identities::Identities,
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
    /// Manages people beyond their tenants, for the operator of the platform.
    Person {
        #[command(subcommand)]
        command: PersonCommand,
        /// The development cluster's folder; without it the database of DEALGRAPH_SYSTEM_DATABASE_URL is used.
        #[arg(long, global = true)]
        data_dir: Option<PathBuf>,
    },
    /// Looks after the audit log.
    Audit {
        #[command(subcommand)]
        what: Audit,
    },
    /// Changes the keys that access tokens are signed with, while servers run.
    Keys {
        #[command(subcommand)]
        change: KeyChange,
        /// The development cluster's folder; without it the database of DEALGRAPH_SYSTEM_DATABASE_URL is used.
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
enum Audit {
    /// Proves that audit logs are as they were written, and prints where each ends; keep that elsewhere.
    Verify {
        /// Only this tenant's, by its slug.
        #[arg(long)]
        tenant: Option<String>,
        /// Where the tenant's log ended when it was verified before, as printed then: `seq:hash`.
        #[arg(long, requires = "tenant")]
        head: Option<audit::Head>,
        /// The development cluster's folder; without it the database of DEALGRAPH_DATABASE_URL is used.
        #[arg(long)]
        data_dir: Option<PathBuf>,
    },
}

#[derive(Subcommand)]
enum KeyChange {
    /// Lists the keys and what they do.
    List,
    /// Makes a new key. It signs once all servers know it; the ones of before check until their last token has ended.
    Rotate {
        /// In how many seconds the new key signs.
        #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=86_400))]
        overlap_s: u32,
    },
    /// Ends a key at once, with all tokens that it signed; for a key that got out.
    Retire {
        /// Its id.
        kid: String,
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
        Command::Person { command, data_dir } => manage_people(command, data_dir).await,
        Command::Audit {
            what:
                Audit::Verify {
                    tenant,
                    head,
                    data_dir,
                },
        } => verify_audit(tenant, head, data_dir).await,
        Command::Keys { change, data_dir } => change_keys(change, data_dir).await,
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
    let vault = vault(&config)?;
    let setup = Setup {
        logins: logins(&config)?,
        pool: pool(&config),
        redis_url: config.redis.url.as_ref().map(|url| url.expose().clone()),
        vault: Arc::clone(&vault),
        tokens: token_settings(&config)?,
        limits: Limits {
            introspection: config.server.introspection,
            ..Limits::from(&config.limits)
        },
        clock: Clock::system(),
        trace_parents: config.telemetry.trace_parents,
        accounts: accounts_setup(&config, vault)?,
    };
    let mut app = App::new(setup).await?;
    if config.server.explorer {
        app = app.with(explorer::router().merge(accounts::pages::router()));
    }
    let listener = tokio::net::TcpListener::bind(config.server.listen).await?;
    if config.accounts.mail_url.is_none() {
        tracing::warn!("no mails are sent: DEALGRAPH_MAIL_URL is not set");
    }
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

async fn verify_audit(
    tenant: Option<String>,
    head: Option<audit::Head>,
    data_dir: Option<PathBuf>,
) -> Outcome {
    let db = open(data_dir)?;
    let progress = import::Progress::on_stderr();
    let found = audit::verify(&db, tenant.as_deref(), head.as_ref(), &progress).await?;
    for verified in &found {
        print(&format!("{verified}\n"));
    }
    match found
        .iter()
        .filter(|verified| verified.outcome.is_err())
        .count()
    {
        0 => Ok(()),
        broken => Err(format!(
            "{broken} of {} audit logs are not as they were written",
            found.len()
        )
        .into()),
    }
}

/// The database of a development cluster, or the one that the environment names.
fn open(data_dir: Option<PathBuf>) -> Result<Db, Box<dyn std::error::Error>> {
    let hints = Hints::default();
    Ok(match data_dir {
        Some(data_dir) => dev::connect(&data_dir, hints)?,
        None => {
            let config = Config::from_env(Purpose::Import)?;
            Db::open(logins(&config)?, &pool(&config), Clock::system(), hints)
        }
    })
}

async fn import_maven(dir: PathBuf, tenant: String, data_dir: Option<PathBuf>) -> Outcome {
    let db = open(data_dir)?;
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
    let db = match data_dir {
        Some(data_dir) if command.is_owners() => {
            dev::connect_as_owner(&data_dir, Hints::default())?
        }
        Some(data_dir) => dev::connect(&data_dir, Hints::default())?,
        None => as_login(&config, name, url.as_ref())?,
    };
    command::run(command, &db, config.accounts.app_url.as_str(), print_line).await?;
    db.close().await;
    Ok(())
}

async fn manage_people(command: PersonCommand, data_dir: Option<PathBuf>) -> Outcome {
    let config = Config::from_env(Purpose::Develop)?;
    let db = match data_dir {
        Some(data_dir) => dev::connect(&data_dir, Hints::default())?,
        None => {
            let url = config.database.system_url.as_ref();
            as_login(&config, "DEALGRAPH_SYSTEM_DATABASE_URL", url)?
        }
    };
    operator::run(command, &db, print_line).await?;
    db.close().await;
    Ok(())
}

fn print_line(line: String) {
    print(&(line + "\n"));
}

/// A database that is only worked with as the one login of a variable.
fn as_login(
    config: &Config,
    variable: &str,
    url: Option<&Secret<String>>,
) -> Result<Db, Box<dyn std::error::Error>> {
    let url = url.ok_or_else(|| format!("{variable} is not set"))?;
    let login: PgConnectOptions = url.expose().parse()?;
    let logins = (login.clone(), login);
    Ok(Db::open(
        logins,
        &pool(config),
        Clock::system(),
        Hints::default(),
    ))
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

fn accounts_setup(
    config: &Config,
    vault: Arc<Vault>,
) -> Result<accounts::Setup, Box<dyn std::error::Error>> {
    let set = &config.accounts;
    let way = match &set.mail_url {
        Some(url) => Way::parse(url.expose())?,
        None => Way::Nowhere,
    };
    Ok(accounts::Setup {
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

fn identities(config: &Config) -> Result<Identities, Box<dyn std::error::Error>> {
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

fn vault(config: &Config) -> Result<Arc<Vault>, Box<dyn std::error::Error>> {
    let keys = config.auth.encryption_keys.as_ref();
    let keys = keys.ok_or("DEALGRAPH_ENCRYPTION_KEYS is not set")?;
    Ok(Arc::new(Vault::new(keys.expose())?))
}

fn token_settings(config: &Config) -> Result<TokenSettings, Box<dyn std::error::Error>> {
    let auth = &config.auth;
    Ok(TokenSettings {
        names: (auth.issuer.clone(), auth.audience.clone()),
        lifetime: TimeDelta::from_std(auth.token_ttl)?,
        hs256_secret: auth.hs256_secret.clone(),
    })
}

async fn change_keys(change: KeyChange, data_dir: Option<PathBuf>) -> Outcome {
    let (db, vault, tokens_last) = match data_dir {
        Some(data_dir) => (
            dev::connect(&data_dir, Hints::default())?,
            dev::vault(&data_dir)?,
            dev::token_settings().lifetime,
        ),
        None => {
            let config = Config::from_env(Purpose::Keys)?;
            (
                Db::open(
                    logins(&config)?,
                    &pool(&config),
                    Clock::system(),
                    Hints::default(),
                ),
                vault(&config)?,
                token_settings(&config)?.lifetime,
            )
        }
    };
    match change {
        KeyChange::List => print(&described(&keys::list(&db).await?)),
        KeyChange::Rotate { overlap_s } => {
            let overlap = TimeDelta::seconds(overlap_s.into());
            let kid = keys::rotate(&db, &vault, overlap, tokens_last).await?;
            println!(
                "{kid} signs in {overlap_s} s; the keys of before check until their last token has ended"
            );
        }
        KeyChange::Retire { kid } => match keys::retire(&db, &vault, &kid).await? {
            Some(new) => println!("{kid} is good for nothing any more; {new} signs now"),
            None => println!("{kid} is good for nothing any more"),
        },
    }
    db.close().await;
    Ok(())
}

fn described(keys: &[keys::KnownKey]) -> String {
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let lines = keys.iter().map(|key| {
        let state = match key.state {
            KeyState::Next => "next",
            KeyState::Signing => "signs",
            KeyState::Checking => "checks",
            KeyState::Ended => "ended",
        };
        let until = key.checks_until.map_or_else(|| "-".to_owned(), at);
        format!(
            "{:<34} {state:<7} {:<21} {until}\n",
            key.kid,
            at(key.signs_from)
        )
    });
    let head = format!(
        "{:<34} {:<7} {:<21} {}\n",
        "kid", "state", "signs from", "checks until"
    );
    head + &lines.collect::<String>()
}
