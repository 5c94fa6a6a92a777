//! The composition root: from connections and keys to a router, and from listeners to a running server.
//!
//! - `request`: what every request gets before and after it is routed.
//! - `health`: how the server and what it depends on are.
//! - `operator`: what only operators reach, on a listener of its own.
//! - `serve`: running, and shutting down without losing a request.

mod health;
mod operator;
mod request;
mod serve;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Router, middleware};
use sqlx::postgres::PgConnectOptions;

use crate::{
    api::{
        self, Api, ApiParts, CacheSettings, Outward, Plan, Plans, Spending, Trusted, http::Origins,
        limits::Limits, live::Sources,
    },
    base::{clock::Clock, secret::Secret},
    crm::{
        self,
        lead_forms::{Captcha, Capture, ForgetSubmissionsHandler, InboundLeads},
    },
    db::{
        self, Db, Logins, PoolOptions, StartupError,
        journal::{Hints, Recorder, Recording},
    },
    events::Hub,
    integrations::{
        accounts::{Connector, DisconnectHandler, Synchronizer},
        provider::Providers,
        sync::{ForgetRunsHandler, InboundSync, Pushing, SyncHandler},
    },
    jobs::{Authority, Handlers, Worker, WorkerSettings, consumers::Following},
    organization::{
        accounts::{self, Accounts},
        auth::{Access, KeyError, KeyRing, TokenError, TokenOptions, Tokens, keys},
        inbound::{ForgetHandler, Inbound, InboundHandlerKind, InboundHandlers, ProcessHandler},
        members::reassignment::ReassignmentHandler,
        webhooks::{Renderer, RendererHandle, WebhookParts, Webhooks},
    },
    platform::{
        Vault,
        mail::{Mailer, Sending},
        outbound::{BadOutbound, Outbound, OutboundSettings},
        redis::{DocumentStore, Presences, RedisAddress, Throttle, TieredCache},
        server::ServerLimits,
        telemetry::{TraceParents, metrics::Metrics},
    },
};
use health::Health;
use request::RequestLayer;
pub use serve::{Drain, Listeners};

/// What a server is put together from.
pub struct Setup {
    /// The logins to the database.
    pub logins: Logins,
    /// The login of people's requests at a replica, if there is one.
    pub replica: Option<PgConnectOptions>,
    /// How many connections it may use.
    pub pool: PoolOptions,
    /// Redis, if there is one.
    pub redis_url: Option<String>,
    /// What seals secrets in the database.
    pub vault: Arc<Vault>,
    /// How tokens are made and checked.
    pub tokens: TokenSettings,
    /// What a request may ask for.
    pub limits: Limits,
    /// The time.
    pub clock: Clock,
    /// Whether callers' traces are continued.
    pub trace_parents: TraceParents,
    /// How servers that tenants name may be asked.
    pub outbound: OutboundSettings,
    /// How accounts are kept.
    pub accounts: accounts::Setup,
    /// How connections are served.
    pub serving: Serving,
}

/// What a server over an open database is put together from.
pub struct ServerParts {
    /// What makes and checks its tokens.
    pub tokens: Arc<Tokens>,
    /// What a request may ask for.
    pub limits: Limits,
    /// Whether callers' traces are continued.
    pub trace_parents: TraceParents,
    /// What asks servers that tenants name.
    pub outbound: Outbound,
    /// The services that records can be kept in step with.
    pub providers: Providers,
    /// How connections are served.
    pub serving: Serving,
}

/// How connections are served, and how far back those that stay open can resume.
#[derive(Debug, Clone)]
pub struct Serving {
    /// What clients may do to connections.
    pub server: ServerLimits,
    /// Whose pages may open sockets, beside the server's own.
    pub origins: Origins,
    /// How many days events are kept.
    pub event_days: u16,
    /// How often `SYNCED` goes to subscribers who are up to date. They are promised it every 30 s.
    pub pulse: Duration,
    /// How many bytes of answers are kept in this process; none with 0.
    pub cache_bytes: u64,
    /// What answers cost at least that are kept, in points.
    pub cache_from_points: u64,
    /// The documents that the operator has listed.
    pub trusted: Arc<Trusted>,
    /// The limits of plans.
    pub plans: BTreeMap<String, Plan>,
    /// The operations that metrics tell apart by name, beside those of the listed documents.
    pub operations: Vec<String>,
    /// How the server shuts down.
    pub drain: Drain,
    /// How the server does jobs.
    pub jobs: WorkerSettings,
}

impl Default for Serving {
    fn default() -> Self {
        Self {
            server: ServerLimits::default(),
            origins: Origins::default(),
            event_days: 7,
            pulse: Duration::from_secs(25),
            cache_bytes: 64 << 20,
            cache_from_points: 60,
            trusted: Arc::default(),
            plans: BTreeMap::new(),
            operations: Vec::new(),
            drain: Drain::default(),
            jobs: WorkerSettings::default(),
        }
    }
}

/// How tokens are made and checked.
#[derive(Clone)]
pub struct TokenSettings {
    /// What all tokens have in common.
    pub options: TokenOptions,
    /// The secret of tokens that another issuer signs by HS256, if there are any.
    pub hs256_secret: Option<Secret<String>>,
}

impl TokenSettings {
    /// Opens the keys of a database.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(self, db: &Db, vault: &Arc<Vault>) -> Result<Arc<Tokens>, StartError> {
        let secret = self.hs256_secret.as_ref();
        let secret = secret.map(|secret| secret.expose().as_bytes());
        let ring = KeyRing::open(db.clone(), Arc::clone(vault), secret).await?;
        let tokens = Tokens::new(ring, self.options, db.clock().clone())?;
        Ok(Arc::new(tokens))
    }
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database would not protect its rows, or does not answer.
    #[error("{0}")]
    Database(#[from] StartupError),
    /// There are no keys to sign with.
    #[error("{0}")]
    Keys(#[from] KeyError),
    /// Servers that tenants name can't be asked as set.
    #[error("{0}")]
    Outbound(#[from] BadOutbound),
    /// The keys don't sign.
    #[error("{0}")]
    Tokens(#[from] TokenError),
}

/// A server that is ready to listen.
pub struct App {
    db: Db,
    tokens: Arc<Tokens>,
    access: Arc<Access>,
    worker: Arc<Worker>,
    api: Arc<Api>,
    hub: Arc<Hub>,
    presences: Arc<Presences>,
    router: Router,
    layer: RequestLayer,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    server: ServerLimits,
    drain: Drain,
    recording: Recording,
    accounts: Arc<Accounts>,
    sending: Sending,
}

impl App {
    /// Puts a server together and refuses a database that would not protect its rows.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn new(setup: Setup) -> Result<Self, StartError> {
        let hints = Hints::default();
        let db = Db::open(setup.logins, &setup.pool, setup.clock, hints);
        let db = match setup.replica {
            Some(login) => db.with_replica(login),
            None => db,
        };
        db::check(&db).await?;
        let tokens = setup.tokens.open(&db, &setup.vault).await?;
        let parts = ServerParts {
            tokens,
            limits: setup.limits,
            trace_parents: setup.trace_parents,
            outbound: Outbound::new(setup.outbound)?,
            providers: Providers::default(),
            serving: setup.serving,
        };
        Ok(Self::over(db, setup.redis_url, parts, setup.accounts).await?)
    }

    /// Puts a server together over a database that is open already.
    ///
    /// # Errors
    /// [`StartupError`].
    pub async fn over(
        db: Db,
        redis_url: Option<String>,
        parts: ServerParts,
        setup: accounts::Setup,
    ) -> Result<Self, StartupError> {
        let ServerParts {
            tokens,
            limits,
            trace_parents,
            outbound,
            providers,
            serving,
        } = parts;
        db::check(&db).await?;
        let metrics = Arc::clone(db.metrics());
        metrics
            .graphql
            .know(serving.trusted.operation_names().chain(serving.operations));
        let redis = RedisAddress::from(redis_url).counted_in(Arc::clone(&metrics));
        let (recorder, recording) = Recorder::start(db.clone());
        let (mailer, sending) = Mailer::start(
            setup.post.clone(),
            db.clock().clone(),
            db.metrics().service.clone(),
        );
        let accounts = Arc::new(Accounts::new(
            db.clone(),
            setup,
            Arc::clone(&tokens),
            mailer.clone(),
            Throttle::new(&redis),
            recorder.clone(),
        ));
        let hub = Arc::new(Hub::new(
            db.clone(),
            redis.clone(),
            Arc::clone(&metrics),
            serving.event_days,
        ));
        let presences = Arc::new(Presences::new(&redis));
        let sources = Sources {
            hub: Arc::clone(&hub),
            presences: Arc::clone(&presences),
            metrics: Arc::clone(&metrics),
            heartbeat: serving.pulse,
        };
        let plans = Arc::new(Plans::new(limits, &serving.plans));
        let spending = Spending::new(Arc::clone(&plans), &redis);
        let entries = |bytes| TieredCache::new(bytes, &redis, Arc::clone(&accounts.vault));
        let cache = CacheSettings {
            entries: (serving.cache_bytes > 0).then(|| entries(serving.cache_bytes)),
            from_points: serving.cache_from_points,
        };
        let renderer = RendererHandle::default();
        let connector = Arc::new(Connector::new(
            db.clone(),
            providers.clone(),
            outbound.clone(),
            accounts.throttle.clone(),
            Arc::clone(&accounts.vault),
        ));
        let api = Api::new(ApiParts {
            db: db.clone(),
            tokens: Arc::clone(&tokens),
            plans,
            recorder,
            accounts: Arc::clone(&accounts),
            sources,
            spending,
            cache,
            registered: DocumentStore::new(&redis),
            trusted: serving.trusted,
            origins: serving.origins,
            outward: Outward {
                outbound: outbound.clone(),
                renderer: renderer.clone(),
                connector: Arc::clone(&connector),
            },
        });
        let api = Arc::new(api);
        let rendering: Arc<dyn Renderer> = Arc::clone(&api) as Arc<dyn Renderer>;
        renderer.set(Arc::downgrade(&rendering));
        let access = Arc::clone(api.access());
        let authority = Arc::clone(&access) as Arc<dyn Authority>;
        let vault = Arc::clone(&accounts.vault);
        let webhooks = Webhooks::new(WebhookParts {
            renderer,
            outbound: outbound.clone(),
            vault,
            authority: Arc::clone(&authority),
            mailer: mailer.clone(),
            app_url: accounts.settings.app_url.to_string(),
        });
        let synchronizer = Arc::new(Synchronizer::new(
            connector,
            Arc::clone(&authority),
            mailer,
            accounts.settings.app_url.to_string(),
        ));
        let worker = Worker::new(
            db.clone(),
            handlers(&db, &synchronizer, providers).with(Following(webhooks)),
            authority,
            serving.jobs,
        );
        let inbound = Arc::new(Inbound::new(
            db.clone(),
            Arc::clone(&accounts.vault),
            accounts.throttle.clone(),
        ));
        let capture = Arc::new(Capture::new(
            db.clone(),
            Arc::clone(&accounts.vault),
            accounts.throttle.clone(),
            Captcha::new(outbound),
        ));
        let health = Arc::new(Health::new(db.clone(), redis, Arc::clone(&hub)));
        let router = api::router(Arc::clone(&api))
            .merge(keys::router(Arc::clone(&tokens)))
            .merge(api::inbound::hooks(inbound, api.trusted_proxies()))
            .merge(api::inbound::capture(capture, api.trusted_proxies()))
            .merge(health::router(Arc::clone(&health)));
        Ok(Self {
            db,
            tokens,
            access,
            worker: Arc::new(worker),
            api,
            hub,
            presences,
            router,
            layer: RequestLayer {
                trace_parents,
                metrics: Arc::clone(&metrics),
            },
            metrics,
            health,
            server: serving.server,
            drain: serving.drain,
            recording,
            accounts,
            sending,
        })
    }

    /// The database.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The accounts.
    #[must_use]
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// Who has the rights of people and programs.
    #[must_use]
    pub fn authority(&self) -> &dyn Authority {
        &*self.access
    }

    /// What makes and checks its tokens.
    #[must_use]
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Adds routes, of the explorer for example.
    #[must_use]
    pub fn with(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// All routes, each of whose requests has an id, a span, a log line and its place in the metrics.
    fn routes(&self) -> Router {
        let layer = middleware::from_fn_with_state(self.layer.clone(), request::run);
        self.router.clone().layer(layer)
    }
}

/// The kinds of jobs that a server does.
fn handlers(db: &Db, synchronizer: &Arc<Synchronizer>, providers: Providers) -> Handlers {
    Handlers::default()
        .with(ReassignmentHandler::new(db.clone(), &crm::OWNED))
        .with(ProcessHandler::new(inbound_handlers(providers)))
        .with(ForgetHandler)
        .with(ForgetSubmissionsHandler)
        .with(SyncHandler::new(Arc::clone(synchronizer)))
        .with(Following(Pushing::new(Arc::clone(synchronizer))))
        .with(DisconnectHandler::new(Arc::clone(synchronizer)))
        .with(ForgetRunsHandler)
}

/// What is done with messages that other services send.
fn inbound_handlers(providers: Providers) -> InboundHandlers {
    InboundHandlers::default()
        .with(InboundHandlerKind::LeadForm, InboundLeads)
        .with(InboundHandlerKind::Integration, InboundSync::new(providers))
}
