//! The `dev` command: starts everything, loads the demo, serves, and stops everything.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::TimeDelta;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    DevError,
    datadir::{Contents, DataDir},
    hook, people,
    postgres::{Postgres, PostgresOptions},
    redis::Redis,
    token::{DATABASE, choose, token_settings, vault},
};
use crate::{
    access::Subject,
    api::{Plan, explorer, limits::Limits},
    base::{clock::Clock, error::Error},
    crm,
    db::{
        Logins, PoolOptions, SystemReason,
        migrate::{self, MigrateError, OWNER},
    },
    organization::{
        accounts::{self, HashCost, Hasher, Settings},
        auth::TokenError,
        identities::Identities,
        members::provision,
    },
    platform::{
        Progress, Vault,
        mail::{Post, Way},
        outbound::OutboundSettings,
        telemetry::TraceParents,
    },
    tools::{
        app::{App, Serving, Setup, StartError},
        demo::{self, Person},
    },
};

/// Whose token is shown as an example, and in which tenant.
const EXAMPLE: (&str, &str) = ("admin@maven.example", "maven");

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct DevOptions {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// How many servers, on that port and the next ones.
    pub servers: u8,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Whether to begin anew.
    pub fresh: bool,
    /// The folder of Postgres' programs, if not a usual one.
    pub pg_bin: Option<PathBuf>,
    /// The limits on requests.
    pub limits: Limits,
    /// The limits of plans.
    pub plans: BTreeMap<String, Plan>,
}

/// Why a development command ended, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The cluster.
    #[error("{0}")]
    Cluster(#[from] DevError),
    /// The port is taken.
    #[error("port {0} on 127.0.0.1 is in use, choose another one with --port")]
    PortInUse(u16),
    /// The port can't be opened.
    #[error("can't listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    /// The schema.
    #[error("{0}")]
    Migrate(#[from] MigrateError),
    /// The database would not protect its rows or does not answer, or its keys don't sign.
    #[error("{0}")]
    Start(#[from] StartError),
    /// Tokens can't be made.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// The demo data.
    #[error("the demo data could not be loaded: {0}")]
    Demo(String),
    /// The product refused something.
    #[error("{0}")]
    Product(#[from] Error),
    /// There is no cluster.
    #[error("no Dealgraph runs on {0}, start it with `make run` first")]
    NotRunning(PathBuf),
    /// Nobody has this address.
    #[error("nobody here has the address {0}")]
    NoSuchPerson(String),
    /// The person is in several tenants.
    #[error("name one of the tenants of {email} with --tenant: {tenants}")]
    WhichTenant {
        /// The person.
        email: String,
        /// The person's tenants.
        tenants: String,
    },
    /// The server broke.
    #[error("the server ended: {0}")]
    Serve(#[from] std::io::Error),
}

/// Runs until Ctrl-C, SIGTERM, or the death of a server it started.
///
/// # Errors
/// [`Failure`], one clear sentence.
pub async fn run(options: DevOptions) -> Result<(), Failure> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let work = start_and_serve(&options, stop.clone());
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => done,
        _ = interrupted.recv() => { stop.cancel(); say("stopping"); work.await }
        _ = terminated.recv() => { stop.cancel(); work.await }
    }
}

async fn start_and_serve(options: &DevOptions, stop: CancellationToken) -> Result<(), Failure> {
    let mut listeners = Vec::new();
    for port in options.port..options.port.saturating_add(options.servers.into()) {
        listeners.push(listen(port).await?);
    }
    let contents = if options.fresh {
        Contents::Fresh
    } else {
        Contents::Keep
    };
    let services = Services::start(options, contents).await?;
    let served = tokio::select! {
        served = serve(options, &services, listeners, stop.clone()) => served,
        // While it starts, a stop is noticed here; once it serves, it drains by itself.
        () = stopped_before_serving(&stop) => Ok(()),
        died = services.postgres.wait_died() => Err(died.into()),
        died = services.redis.wait_died() => Err(died.into()),
    };
    services.stop().await;
    served
}

/// What a server of this machine needs beside itself.
struct Services {
    data: DataDir,
    postgres: Postgres,
    redis: Redis,
}

impl Services {
    async fn start(options: &DevOptions, contents: Contents) -> Result<Self, Failure> {
        let data = DataDir::open(&options.data_dir, contents, &say).await?;
        let postgres_options = PostgresOptions {
            bin_dir: options.pg_bin.clone(),
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(&data, &postgres_options, &say).await?;
        let redis = match Redis::start(&data, &say).await {
            Ok(redis) => redis,
            Err(error) => {
                postgres.stop().await;
                return Err(error.into());
            }
        };
        Ok(Self {
            data,
            postgres,
            redis,
        })
    }

    async fn stop(self) {
        self.redis.stop().await;
        self.postgres.stop().await;
    }
}

/// A server that drains has twenty seconds; a start-up that is interrupted ends at once after them.
async fn stopped_before_serving(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(std::time::Duration::from_secs(25)).await;
}

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AddrInUse => Failure::PortInUse(port),
            _ => Failure::Listen(address, error),
        })
}

async fn serve(
    options: &DevOptions,
    services: &Services,
    listeners: Vec<TcpListener>,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let addresses = listeners.iter().map(TcpListener::local_addr);
    let addresses = addresses.collect::<Result<Vec<_>, _>>()?;
    let address = addresses[0];
    let prepared = prepare(options, services, address);
    let app = tokio::select! {
        prepared = prepared => prepared?,
        () = stop.cancelled() => return Ok(()),
    };
    let tokens = Arc::clone(app.tokens());
    let mut tx = app.db().system(SystemReason::SignIn).await?;
    let known = provision::known_people(&mut tx).await?;
    drop(tx);
    let example = choose(&known, EXAMPLE.0, Some(EXAMPLE.1))?;
    greet(
        address,
        services.data.root(),
        &tokens.issue(example.user_id, example.tenant_id)?.token,
    );
    let who = Subject::Person(example.user_id, None);
    let admin = app.authority().actor(example.tenant_id, who).await?;
    let hooks = match admin {
        Some(admin) => {
            let vault = &app.accounts().vault;
            Some(hook::Receiver::set_up(app.db(), vault, &admin, address).await?)
        }
        None => None,
    };
    let mut apps = vec![app];
    while apps.len() < listeners.len() {
        let setup = setup(options, services, address)?;
        apps.push(App::new(setup).await?);
    }
    let mut serving = JoinSet::new();
    for (app, listener) in apps.into_iter().zip(listeners) {
        let routes = people::router(app.db().clone(), Arc::clone(&tokens))
            .merge(explorer::router())
            .merge(accounts::pages::router())
            .merge(hooks.clone().map(hook::router).unwrap_or_default());
        serving.spawn(app.with(routes).serve(listener, stop.clone()));
    }
    for address in addresses {
        println!("ready http://{address}/graphql");
    }
    while let Some(served) = serving.join_next().await {
        // One that ends by itself takes the others with it.
        stop.cancel();
        served.map_err(std::io::Error::other)??;
    }
    Ok(())
}

async fn prepare(
    options: &DevOptions,
    services: &Services,
    address: SocketAddr,
) -> Result<App, Failure> {
    let postgres = &services.postgres;
    migrate::prepare_cluster(&postgres.connect_options("postgres", "postgres"), DATABASE).await?;
    say("bringing the database to this version");
    migrate::run(&postgres.connect_options(OWNER, DATABASE)).await?;
    let app = App::new(setup(options, services, address)?).await?;
    demo::load(app.db(), &Progress::on_stderr())
        .await
        .map_err(|error| Failure::Demo(error.to_string()))?;
    demo::set_passwords(app.accounts()).await?;
    migrate::analyze(&postgres.connect_options(OWNER, DATABASE)).await?;
    Ok(app)
}

fn setup(options: &DevOptions, services: &Services, address: SocketAddr) -> Result<Setup, Failure> {
    let Services {
        data,
        postgres,
        redis,
    } = services;
    let vault = vault(data.root())?;
    Ok(Setup {
        replica: None,
        logins: Logins::by_name(|login| postgres.connect_options(login, DATABASE)),
        pool: PoolOptions::default(),
        redis_url: Some(redis.url()),
        vault: Arc::clone(&vault),
        tokens: token_settings(),
        limits: options.limits.clone(),
        clock: Clock::system(),
        trace_parents: TraceParents::Ignored,
        outbound: OutboundSettings {
            allows_loopback: true,
            ..OutboundSettings::default()
        },
        accounts: accounts_setup(data.root(), address, vault),
        serving: Serving {
            plans: options.plans.clone(),
            ..Serving::default()
        },
    })
}

fn accounts_setup(data: &Path, address: SocketAddr, vault: Arc<Vault>) -> accounts::Setup {
    let app_url = format!("http://{address}");
    let from = "Dealgraph <no-reply@dealgraph.example>";
    accounts::Setup {
        furnish: crm::furnish,
        vault,
        post: Post {
            way: Way::Folder(data.join("mail")),
            from: from.parse().expect("an address"),
        },
        hasher: Hasher::new(HashCost::default()).expect("the usual cost"),
        identities: Arc::new(Identities::none()),
        settings: Settings {
            registration: true,
            session_ttl: TimeDelta::days(30),
            app_url: app_url.parse().expect("a web address"),
            trusted_proxies: 0,
        },
    }
}

fn greet(address: SocketAddr, data: &Path, token: &str) {
    println!("\nDealgraph keeps its data in {}\n", data.display());
    for Person {
        email,
        role,
        tenant,
        about,
        ..
    } in demo::PEOPLE
    {
        let role = async_graphql::resolver_utils::enum_value(*role).to_string();
        println!("  {email:<30} {role:<10} {tenant:<8} {about}");
    }
    println!("\n  password   {} for everyone", demo::PASSWORD);
    println!("  explorer   http://{address}/");
    println!("  mails      {}", data.join("mail").display());
    println!(
        "  webhooks   of deals and leads of maven arrive at http://{address}{}",
        hook::PATH
    );
    println!("  a token    dealgraph token --email {}", EXAMPLE.0);
    println!(
        "  a query    curl -s http://{address}/graphql -H 'content-type: application/json' \\"
    );
    println!("               -H 'authorization: Bearer {token}' \\");
    println!(
        "               -d '{{\"query\":\"{{ viewer {{ user {{ name }} role tenant {{ name }} }} }}\"}}'\n"
    );
}

fn say(what: &str) {
    eprintln!("· {what}");
}
