//! The composition root: from connections and keys to a router, and from a listener to a running server.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::json;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    api::{
        self, Api, ApiParts, CacheSettings, Plan, Plans, Spending, Trusted,
        http::{Origins, Outcome},
        limits::Limits,
        live::Sources,
    },
    base::{clock::Clock, secret::Secret},
    crm,
    db::{
        self, Db, PoolOptions, StartupError,
        journal::{Hints, Recorder, Recording},
    },
    events::{Hub, redis_answers},
    organization::{
        accounts::{self, Accounts},
        auth::{Access, KeyError, KeyRing, TokenError, TokenOptions, Tokens, keys},
        members::reassignment,
    },
    platform::{
        Vault,
        mail::{Mailer, Sending},
        redis::{DocumentStore, Presences, RedisAddress, Throttle, TieredCache},
        server::{self, ServerLimits},
        telemetry::{
            self, RequestLine, TraceParents,
            metrics::{self, Metrics},
        },
    },
};

/// How long a health check waits for a dependency.
const HEALTH_PATIENCE: Duration = Duration::from_secs(1);

/// What a server is put together from.
pub struct Setup {
    /// The login of people's requests, and the system's.
    pub logins: (PgConnectOptions, PgConnectOptions),
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
    /// How accounts are kept.
    pub accounts: accounts::Setup,
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
    /// The keys don't sign.
    #[error("{0}")]
    Tokens(#[from] TokenError),
}

/// A server that is ready to listen.
pub struct App {
    db: Db,
    tokens: Arc<Tokens>,
    access: Arc<Access>,
    api: Arc<Api>,
    hub: Arc<Hub>,
    presences: Arc<Presences>,
    router: Router,
    server: ServerLimits,
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
        db::check(&db).await?;
        let tokens = setup.tokens.open(&db, &setup.vault).await?;
        let parts = (tokens, setup.limits, setup.trace_parents, setup.serving);
        Ok(Self::over(db, setup.redis_url, parts, setup.accounts).await?)
    }

    /// Puts a server together over a database that is open already.
    ///
    /// # Errors
    /// [`StartupError`].
    pub async fn over(
        db: Db,
        redis_url: Option<String>,
        (tokens, limits, trace_parents, serving): (Arc<Tokens>, Limits, TraceParents, Serving),
        setup: accounts::Setup,
    ) -> Result<Self, StartupError> {
        db::check(&db).await?;
        let redis = RedisAddress::from(redis_url);
        let (recorder, recording) = Recorder::start(db.clone());
        let (mailer, sending) = Mailer::start(setup.post.clone(), db.clock().clone());
        let accounts = Arc::new(Accounts::new(
            db.clone(),
            setup,
            (Arc::clone(&tokens), mailer),
            (Throttle::new(&redis), recorder.clone()),
        ));
        let metrics = Arc::<Metrics>::default();
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
        });
        let api = Arc::new(api);
        let access = Arc::clone(api.access());
        let health = Health {
            db: db.clone(),
            redis,
        };
        let router = api::router(Arc::clone(&api))
            .merge(keys::router(Arc::clone(&tokens)))
            .route(
                "/health/live",
                get(async || Json(json!({ "status": "healthy" }))),
            )
            .route("/health/ready", get(ready).with_state(health))
            .route("/metrics", get(counts).with_state(metrics))
            .layer(middleware::from_fn_with_state(
                trace_parents,
                one_line_per_request,
            ));
        Ok(Self {
            db,
            tokens,
            access,
            api,
            hub,
            presences,
            router,
            server: serving.server,
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

    /// What makes and checks its tokens.
    #[must_use]
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }

    /// Adds routes, of the explorer for example.
    #[must_use]
    pub fn with(mut self, routes: Router) -> Self {
        self.router = self.router.merge(routes);
        self
    }

    /// Serves until it is to stop, then lets requests in flight end.
    ///
    /// # Errors
    /// The listener broke.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> std::io::Result<()> {
        let tasks = TaskTracker::new();
        let after = CancellationToken::new();
        let (hub, until) = (self.hub, after.clone());
        tasks.spawn(async move { hub.run(&until).await });
        let (presences, until) = (self.presences, after.clone());
        tasks.spawn(async move { presences.run(&until).await });
        tasks.spawn(reassignment::run(
            self.db.clone(),
            &crm::OWNED,
            after.clone(),
        ));
        let (access, until) = (self.access, after.clone());
        tasks.spawn(async move { access.run(until).await });
        tasks.spawn(Arc::clone(&self.accounts).sweep(after.clone()));
        tasks.close();
        let close = async {
            stop.cancelled().await;
            self.api.close().await;
        };
        let serve = server::serve(listener, self.router, self.server, stop.clone());
        let (served, ()) = tokio::join!(serve, close);
        after.cancel();
        tasks.wait().await;
        self.accounts.finish().await;
        self.sending.finish().await;
        self.recording.finish().await;
        self.db.close().await;
        served
    }
}

/// Every request has an id, a span and exactly one log line.
async fn one_line_per_request(
    State(trace_parents): State<TraceParents>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = api::http::request_id(request.headers());
    if let Ok(value) = HeaderValue::from_str(&id) {
        request.headers_mut().insert("x-request-id", value);
    }
    let span = telemetry::request_span(request.method().as_str(), request.uri().path(), &id);
    let parent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    trace_parents.adopt(&span, parent);
    let line = RequestLine::begin(&id, span);
    let response = line.run(next.run(request)).await;
    let outcome = response
        .extensions()
        .get::<Outcome>()
        .and_then(|outcome| outcome.code.clone());
    line.finish(
        response.status().as_u16(),
        outcome.unwrap_or_else(|| "OK".to_owned()),
    );
    response
}

async fn counts(State(metrics): State<Arc<Metrics>>) -> Response {
    (
        [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)],
        metrics.text(),
    )
        .into_response()
}

#[derive(Clone)]
struct Health {
    db: Db,
    redis: RedisAddress,
}

/// Ready when the database answers; without Redis the server works, but other servers learn of changes later: degraded.
async fn ready(State(health): State<Health>) -> Response {
    let database = tokio::time::timeout(HEALTH_PATIENCE, health.db.answers())
        .await
        .unwrap_or(false);
    let redis = match health.redis.url() {
        None => "off",
        Some(url) if redis_answers(url).await => "healthy",
        Some(_) => "unhealthy",
    };
    let (code, status) = match (database, redis) {
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unhealthy"),
        (true, "unhealthy") => (StatusCode::OK, "degraded"),
        (true, _) => (StatusCode::OK, "healthy"),
    };
    let database = if database { "healthy" } else { "unhealthy" };
    (
        code,
        Json(json!({ "status": status, "database": database, "redis": redis })),
    )
        .into_response()
}
