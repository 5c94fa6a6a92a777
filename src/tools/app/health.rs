//! Health: whether the process answers, whether it should get requests, and how each of its dependencies is, since when.
//!
//! Readiness asks for what no request can do without: the database at a version that this server knows. Without Redis
//! servers learn of each other's changes later, so that is degraded and ready. So is a replica that can't be read from:
//! the primary does its work.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    db::{self, Db, Out, ReplicaState, SchemaState},
    events::{Hub, redis_answers},
    platform::redis::RedisAddress,
};

/// How long a check waits for a dependency.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long a database may be too busy to answer a check, and requests still be sent here. When a thousand sockets come
/// back at once all servers are that busy for a moment; none of them in the balancer would make it an outage.
const LATE: Duration = Duration::from_secs(5);
/// For how long what was found is told again: however often anybody asks, dependencies are not asked more often.
const FRESH: Duration = Duration::from_millis(500);
/// How often the dependencies are asked while nobody does, so that `since` is true.
const CHECKED_EVERY: Duration = Duration::from_secs(5);

/// How a dependency is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Condition {
    Healthy,
    /// Requests are answered, but something is slower or later than it should be.
    Degraded,
    /// No request can be answered.
    Unhealthy,
}

impl Condition {
    fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// What was found of a dependency.
#[derive(Debug, Clone)]
struct Found {
    state: Condition,
    detail: &'static str,
}

impl Found {
    fn healthy(detail: &'static str) -> Self {
        let state = Condition::Healthy;
        Self { state, detail }
    }

    fn degraded(detail: &'static str) -> Self {
        let state = Condition::Degraded;
        Self { state, detail }
    }

    fn unhealthy(detail: &'static str) -> Self {
        let state = Condition::Unhealthy;
        Self { state, detail }
    }
}

/// The last check.
struct Checked {
    at: Instant,
    /// When the database answered in time the last time.
    answered_at: Option<Instant>,
    found: BTreeMap<&'static str, (Found, DateTime<Utc>)>,
}

/// The health of a server.
pub(super) struct Health {
    db: Db,
    redis: RedisAddress,
    hub: Arc<Hub>,
    started_at: DateTime<Utc>,
    is_draining: AtomicBool,
    checked: Mutex<Option<Checked>>,
}

impl Health {
    pub(super) fn new(db: Db, redis: RedisAddress, hub: Arc<Hub>) -> Self {
        Self {
            started_at: db.clock().now(),
            db,
            redis,
            hub,
            is_draining: AtomicBool::new(false),
            checked: Mutex::default(),
        }
    }

    /// Says not to be ready from now on.
    pub(super) fn drain(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
        let service = &self.db.metrics().service;
        service.draining.set(1);
        service.ready.set(0);
    }

    fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Relaxed)
    }

    /// Asks the dependencies now and then.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        loop {
            let check = stop.run_until_cancelled(self.check()).await;
            let pause = stop.run_until_cancelled(tokio::time::sleep(CHECKED_EVERY));
            if check.is_none() || pause.await.is_none() {
                return;
            }
        }
    }

    /// How the dependencies are, and since when.
    async fn check(&self) -> BTreeMap<&'static str, (Found, DateTime<Utc>)> {
        // Whoever asks meanwhile waits for the same answer.
        let mut last = self.checked.lock().await;
        if let Some(fresh) = last.as_ref().filter(|last| last.at.elapsed() < FRESH) {
            return fresh.found.clone();
        }
        let answered_at = last.as_ref().and_then(|last| last.answered_at);
        let database = self.database(answered_at);
        let (database, schema, redis) = tokio::join!(database, self.schema(), self.redis());
        let answered_at = match database.state {
            Condition::Healthy => Some(Instant::now()),
            _ => answered_at,
        };
        let now = self.db.clock().now();
        let before = last.take().map(|last| last.found).unwrap_or_default();
        let since = |(name, found): (&'static str, Found)| {
            let before = before.get(name);
            let same = before.filter(|(before, _)| before.state == found.state);
            let since = same.map_or(now, |(_, since)| *since);
            if let Some((was, _)) = before.filter(|(was, _)| was.state != found.state) {
                let (was, is) = (was.state.word(), found.state.word());
                tracing::warn!(
                    dependency = name,
                    was,
                    is,
                    found.detail,
                    "health has changed"
                );
            }
            (name, (found, since))
        };
        let found = [
            ("database", database),
            ("schema", schema),
            ("redis", redis),
            ("events", self.events()),
        ];
        let replica = self.replica().map(|found| ("replica", found));
        let found: BTreeMap<_, _> = found.into_iter().chain(replica).map(since).collect();
        let service = &self.db.metrics().service;
        for (name, (found, _)) in &found {
            service.note_dependency(name, found.state == Condition::Healthy);
        }
        let is_up = found
            .values()
            .all(|(found, _)| found.state < Condition::Unhealthy);
        service.ready.set((is_up && !self.is_draining()).into());
        *last = Some(Checked {
            at: Instant::now(),
            answered_at,
            found: found.clone(),
        });
        found
    }

    async fn database(&self, answered_at: Option<Instant>) -> Found {
        match timeout(PATIENCE, self.db.answers()).await {
            Ok(true) => Found::healthy("it answers"),
            Ok(false) => Found::unhealthy("it does not answer, or refuses the login"),
            Err(_) if answered_at.is_some_and(|at| at.elapsed() < LATE) => {
                Found::degraded("it does not answer within a second")
            }
            Err(_) => {
                Found::unhealthy("it does not answer within a second, for five seconds by now")
            }
        }
    }

    /// Whether the tables are those of a version that this one can serve. While the database does not answer that is not
    /// known, and said of the database.
    async fn schema(&self) -> Found {
        match timeout(PATIENCE, db::schema_state(&self.db)).await {
            Ok(Ok(state)) if !state.serves() => Found::unhealthy(
                "it is of a version that this server can't serve: the log of its start says which",
            ),
            Ok(Ok(SchemaState::Newer { .. })) => {
                Found::healthy("it is of a newer version, which this one can serve")
            }
            Ok(Ok(_)) => Found::healthy("it is of this version"),
            Ok(Err(_)) | Err(_) => {
                Found::healthy("it is not known, since the database does not answer")
            }
        }
    }

    async fn redis(&self) -> Found {
        match self.redis.url() {
            None => Found::healthy("none is configured: this is the only server"),
            Some(url) if redis_answers(url).await => Found::healthy("it answers"),
            Some(_) => Found::degraded(
                "it does not answer: changes of other servers arrive by polling, limits and caches are per server",
            ),
        }
    }

    /// How the replica is, if there is to be one.
    fn replica(&self) -> Option<Found> {
        Some(match self.db.replica_state()? {
            ReplicaState::InUse => Found::healthy("it is read from"),
            ReplicaState::Lagging => {
                Found::degraded("it is more than 30 seconds behind the primary")
            }
            ReplicaState::Out(Out::Unknown) => {
                Found::healthy("it is not known, since nobody has looked at it yet")
            }
            ReplicaState::Out(Out::Away) => {
                Found::degraded("it does not answer, or refuses the login: the primary is read")
            }
            ReplicaState::Out(Out::NoStandby) => Found::degraded(
                "it is no standby, it was promoted or never was one: the primary is read",
            ),
            ReplicaState::Out(Out::OtherHistory) => Found::degraded(
                "it does not follow this primary, or does not say so yet: the primary is read",
            ),
            ReplicaState::Out(Out::Unbound) => Found::degraded(
                "its login is not dealgraph_app, or could bypass row-level security: the primary is read",
            ),
        })
    }

    fn events(&self) -> Found {
        match self.hub.is_reading() {
            true => Found::healthy("the event log is read"),
            false => Found::degraded("the event log can't be read: subscriptions wait"),
        }
    }

    /// Whether the server should get requests, and the whole of it in a word.
    async fn summary(
        &self,
    ) -> (
        StatusCode,
        Condition,
        BTreeMap<&'static str, (Found, DateTime<Utc>)>,
    ) {
        let found = self.check().await;
        let worst = found.values().map(|(found, _)| found.state).max();
        let worst = worst.unwrap_or(Condition::Healthy);
        let is_ready = worst < Condition::Unhealthy && !self.is_draining();
        let code = match is_ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        (code, worst, found)
    }
}

/// What orchestrators and balancers ask.
pub(super) fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .with_state(health)
}

/// What operators ask.
pub(super) fn operator_router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/health", get(whole))
        .with_state(health)
}

/// The process answers. It asks nothing else, so that no outage of a database restarts servers.
async fn live() -> Json<Value> {
    Json(json!({ "status": "healthy" }))
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let (code, worst, found) = health.summary().await;
    let status = match health.is_draining() {
        true => "draining",
        false => worst.word(),
    };
    let mut body = json!({ "status": status });
    for (name, (found, _)) in found {
        body[name] = found.state.word().into();
    }
    (code, Json(body)).into_response()
}

async fn whole(State(health): State<Arc<Health>>) -> Response {
    let (code, worst, found) = health.summary().await;
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
    let dependencies: Vec<_> = found
        .into_iter()
        .map(|(name, (found, since))| {
            json!({
                "name": name,
                "status": found.state.word(),
                "since": time(since),
                "detail": found.detail,
            })
        })
        .collect();
    let body = json!({
        "status": worst.word(),
        "draining": health.is_draining(),
        "version": env!("CARGO_PKG_VERSION"),
        "startedAt": time(health.started_at),
        "dependencies": dependencies,
    });
    (code, Json(body)).into_response()
}
