//! The service: the schema put together, and all that stands between a socket and a resolver: HTTP, WebSockets, reading
//! documents, their cost, the response cache, subscriptions.
//!
//! Nothing here knows a rule of the business.

mod anonymous;
pub mod audit;
mod documents;
pub mod explorer;
pub mod http;
pub mod limits;
pub mod live;
pub(crate) mod node;
mod operation;
mod plans;
pub mod presence;
mod probes;
mod response_cache;
pub mod scan;
mod schema;
pub mod shape;
mod socket;
mod spending;
mod stages;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_graphql::{Response, ServerError};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

pub use http::router;
pub use node::{DECLARED, Node};
pub use schema::{Schema, sdl};
pub use spending::{Spend, Spending};

use crate::{
    access::Actor,
    base::error::{Error, Result},
    db::{
        Db,
        journal::{Origin, Recorder},
    },
    events::VersionReader,
    graphql::{RequestContext, RequestParts},
    organization::{
        accounts::Accounts,
        auth::{Access, Tokens},
    },
    platform::{
        Vault,
        redis::DocumentStore,
        telemetry::{self, OperationKind, Phase},
    },
};
use documents::{Documents, Prepared};
pub use documents::{Trusted, TrustedError};
use http::Origins;
use limits::{Limits, Refusal};
use live::{ConnectionLimits, ConnectionPermit, Failure, Live, Runtime, Sources};
pub use plans::{Plan, Plans, PlansError};
use probes::RootFields;
pub use response_cache::CacheSettings;
use response_cache::{CacheDirective, CacheRequest, CacheStatus, ResponseCache};
use shape::SchemaShape;
use stages::StageCounts;

/// How much longer the long-lived connections take to close for each of them: four hundred come back in a second.
const SPREAD_PER_CONNECTION: Duration = Duration::from_micros(2_500);
/// They are closed within this, however many there are.
const LONGEST_SPREAD: Duration = Duration::from_secs(8);

/// How often an operation is run that collides with others each time.
const COLLIDED_TRIES: u32 = 4;
/// About how long it waits before the second time; three times as long before each further one.
const COLLIDED_PAUSE: Duration = Duration::from_millis(10);

/// What the HTTP layer hands requests to.
pub struct Api {
    schema: Schema,
    shape: Arc<SchemaShape>,
    plans: Arc<Plans>,
    db: Db,
    access: Arc<Access>,
    recorder: Recorder,
    trusted_proxies: usize,
    vault: Arc<Vault>,
    live: Arc<Live>,
    connection_limits: ConnectionLimits,
    spending: Arc<Spending>,
    documents: Documents,
    response_cache: ResponseCache,
    stages: StageCounts,
    origins: Origins,
    connections: TaskTracker,
    closing: CancellationToken,
    /// Milliseconds within which they close then.
    spread_ms: AtomicU64,
}

/// What an API is built from.
pub struct ApiParts {
    /// The database.
    pub db: Db,
    /// Verifies access tokens.
    pub tokens: Arc<Tokens>,
    /// The limits of plans.
    pub plans: Arc<Plans>,
    /// Records refusals in audit logs.
    pub recorder: Recorder,
    /// The accounts.
    pub accounts: Arc<Accounts>,
    /// What subscriptions read from.
    pub sources: Sources,
    /// Accounts for the points of requests.
    pub spending: Spending,
    /// What of responses is cached.
    pub cache: CacheSettings,
    /// The documents that clients have registered.
    pub registered: DocumentStore,
    /// The documents that the operator has listed.
    pub trusted: Arc<Trusted>,
    /// The origins that may open sockets.
    pub origins: Origins,
}

impl Api {
    /// Builds the schema over a database.
    #[must_use]
    pub fn new(parts: ApiParts) -> Self {
        let ApiParts {
            db,
            tokens,
            plans,
            recorder,
            accounts,
            sources,
            spending,
            cache,
            registered,
            trusted,
            origins,
        } = parts;
        let Sources {
            hub,
            presences,
            metrics,
            heartbeat,
        } = sources;
        let trusted_proxies = accounts.settings.trusted_proxies;
        let vault = Arc::clone(&accounts.vault);
        let identities = Arc::clone(&accounts.identities);
        let throttle = accounts.throttle.clone();
        let spending = Arc::new(spending);
        let schema = schema::build(
            plans.widest(),
            accounts,
            Arc::clone(&presences),
            Arc::clone(&spending),
        );
        let sdl = sdl();
        let shape = SchemaShape::from_sdl(&sdl).expect("the schema's own text is a schema");
        let shape = Arc::new(shape);
        let progress = VersionReader::new(db.clone());
        let stages = StageCounts::new(db.clone(), progress.clone());
        let response_cache = ResponseCache::new(
            cache,
            progress,
            Arc::clone(&metrics),
            Arc::clone(&shape),
            &sdl,
        );
        let access = Access::new(db.clone(), recorder.clone(), tokens, identities, throttle);
        let runtime = Runtime {
            schema: schema.clone(),
            limits: plans.widest().clone(),
            db: db.clone(),
            recorder: recorder.clone(),
            spending: Arc::clone(&spending),
            metrics,
            heartbeat,
        };
        Self {
            schema,
            shape,
            plans,
            db,
            access: Arc::new(access),
            recorder,
            trusted_proxies,
            vault,
            live: Live::new(runtime, hub, presences),
            connection_limits: ConnectionLimits::default(),
            spending,
            documents: Documents::new(registered, trusted),
            response_cache,
            stages,
            origins,
            connections: TaskTracker::new(),
            closing: CancellationToken::new(),
            spread_ms: AtomicU64::new(0),
        }
    }

    /// The subscriptions.
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// The origins that may open sockets.
    fn origins(&self) -> &Origins {
        &self.origins
    }

    /// What requests cost.
    fn spending(&self) -> &Spending {
        &self.spending
    }

    /// How many stages pipelines have.
    fn stages(&self) -> &StageCounts {
        &self.stages
    }

    /// The documents that are known.
    fn documents(&self) -> &Documents {
        &self.documents
    }

    /// A permit for a long-lived connection.
    fn admit(&self, actor: &Actor) -> std::result::Result<ConnectionPermit, Failure> {
        let metrics = self.live.metrics();
        self.connection_limits
            .acquire(actor, self.limits(), metrics)
    }

    /// The long-lived connections.
    fn connections(&self) -> &TaskTracker {
        &self.connections
    }

    /// Resolves when a long-lived connection has to close: once the server shuts down, for each at another moment.
    async fn leaving(&self) {
        self.closing.cancelled().await;
        let spread = self.spread_ms.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..=spread))).await;
    }

    /// Closes all long-lived connections, each with when to reconnect, and ends their subscriptions. The more there are
    /// the longer it takes, for the sake of the servers that they come back to.
    pub(crate) async fn close(&self) {
        let spread =
            SPREAD_PER_CONNECTION * u32::try_from(self.connections.len()).unwrap_or(u32::MAX);
        let spread = spread.min(LONGEST_SPREAD).as_millis() as u64;
        self.spread_ms.store(spread, Ordering::Relaxed);
        self.closing.cancel();
        self.connections.close();
        self.connections.wait().await;
        self.live.finish().await;
    }

    /// How many proxies in front of the server are trusted for the address of a client.
    #[must_use]
    pub fn trusted_proxies(&self) -> usize {
        self.trusted_proxies
    }

    /// The limits on requests before their actor is known.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.plans.widest()
    }

    /// The limits of actors, by their tenants' plans.
    fn plans(&self) -> &Plans {
        &self.plans
    }

    /// Records refusals in audit logs.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The schema as static analysis uses it.
    #[must_use]
    pub fn shape(&self) -> &SchemaShape {
        &self.shape
    }

    /// Resolves tokens and keys to actors.
    #[must_use]
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Verifies a bearer token and resolves its actor; `None` without a token.
    ///
    /// # Errors
    /// `Unauthenticated` or `Unavailable`.
    pub async fn authenticate(
        &self,
        bearer: Option<&str>,
        origin: &Origin,
    ) -> Result<Option<Arc<Actor>>> {
        match bearer {
            Some(token) => self.access.actor(token, origin).await.map(Some),
            None => Ok(None),
        }
    }

    /// Answers a prepared request, from the response cache where that holds. An anonymous caller may only run what
    /// signing in takes.
    async fn answer(
        &self,
        actor: Option<Arc<Actor>>,
        prepared: &Prepared,
        price: u64,
        directive: CacheDirective,
        origin: &Origin,
    ) -> Answered {
        let Some(actor) = actor else {
            return Answered::uncached(self.execute_anonymous(prepared, origin).await, 0);
        };
        let kind = prepared.operation().ty.into();
        telemetry::note_operation(kind, prepared.operation_name.as_deref());
        telemetry::note_person(actor.tenant, actor.person());
        if kind != OperationKind::Query {
            let executed = self.execute(&actor, prepared, origin).await;
            return Answered::uncached(executed.response, executed.points);
        }
        let request = CacheRequest {
            actor: &actor,
            prepared,
            price,
            directive,
        };
        let execute = || self.execute(&actor, prepared, origin);
        self.response_cache.respond(request, execute).await
    }

    /// Runs an operation. One that has collided with others and written nothing is run again, a few times.
    async fn execute(&self, actor: &Arc<Actor>, prepared: &Prepared, origin: &Origin) -> Executed {
        let mut pause = COLLIDED_PAUSE;
        for _ in 1..COLLIDED_TRIES {
            let executed = self.execute_once(actor, prepared, origin).await;
            let has_written = origin.work.as_ref().is_none_or(|work| work.has_written());
            if has_written || !executed.has_collided() {
                return executed;
            }
            self.db.metrics().database.retried.inc();
            // Each after another time, or those that have collided would do so again.
            tokio::time::sleep(pause.mul_f32(0.5 + fastrand::f32())).await;
            pause *= 3;
        }
        self.execute_once(actor, prepared, origin).await
    }

    async fn execute_once(
        &self,
        actor: &Arc<Actor>,
        prepared: &Prepared,
        origin: &Origin,
    ) -> Executed {
        let executable = match prepared.executable() {
            Ok(executable) => executable,
            Err(faults) => return Executed::refused(faults),
        };
        let context = Arc::new(RequestContext::new(
            Arc::clone(actor),
            RequestParts {
                db: self.db.clone(),
                recorder: self.recorder.clone(),
                origin: origin.clone(),
                response_bytes: self.limits().response_bytes,
            },
        ));
        let run = async {
            let mut answering = executable.answering();
            while let Some(request) = answering.next() {
                let mut request = request.data(origin.clone()).data(Arc::clone(&context));
                if !self.limits().introspection {
                    request = request.disable_introspection();
                }
                answering.take(self.schema.execute(request).await);
            }
            answering.finish()
        };
        let (document, operation) = (&prepared.document, prepared.operation());
        let name = prepared.operation_name.as_deref();
        let span = telemetry::operation_span(operation.ty.into(), name, &document.text);
        // Tokio would make a long poll yield in the middle of a level, which would split its batches.
        let work = tokio::task::unconstrained(run);
        let response = work.instrument(span).await;
        let fields = RootFields::of(&document.parsed, operation, &prepared.variables);
        let is_personal = fields.note(&context, &response);
        telemetry::note_statements(context.statements());
        let (connecting, reading) = context.read_times();
        telemetry::note_phase(Phase::Connection, connecting);
        telemetry::note_phase(Phase::Database, reading);
        if context.is_too_large() {
            let bytes = context.size();
            tracing::info!(bytes, "an answer is larger than allowed and was given up");
            return Executed::aborted(self.limits().too_large());
        }
        let texts = shape::came_to(prepared.measure.texts, context.size());
        Executed {
            points: spending::spent(
                &prepared.measure,
                spending::objects(&response.data) + context.written_objects(),
            )
            .saturating_add(texts as u64),
            response,
            is_personal,
        }
    }

    async fn execute_anonymous(&self, prepared: &Prepared, origin: &Origin) -> Response {
        let (document, operation) = (&prepared.document.parsed, prepared.operation());
        let name = prepared.operation_name.as_deref();
        if anonymous::is_open(document, name) {
            telemetry::note_operation(operation.ty.into(), name);
            let executable = match prepared.executable() {
                Ok(executable) => executable,
                Err(faults) => return Response::from_errors(faults),
            };
            let mut answering = executable.answering();
            while let Some(request) = answering.next() {
                let request = request.data(origin.clone()).disable_introspection();
                answering.take(self.schema.execute(request).await);
            }
            return answering.finish();
        }
        let error = Error::Unauthenticated(
            "sign in first: send an access token as `Authorization: Bearer …`",
        );
        let mut error = async_graphql::Error::from(error).into_server_error(Default::default());
        error.locations.clear();
        Response::from_errors(vec![error])
    }
}

/// The answer to a request.
struct Answered {
    response: Response,
    /// What it came to, in points.
    points: u64,
    /// What the response cache did for a query.
    cache: Option<CacheStatus>,
}

impl Answered {
    /// One that the response cache had no part in.
    fn uncached(response: Response, points: u64) -> Self {
        Self {
            response,
            points,
            cache: None,
        }
    }
}

/// What the executor has answered.
struct Executed {
    response: Response,
    /// What it came to, in points: its objects, and what it costs beside them.
    points: u64,
    /// Whether something was recorded of the actor, so that the response is no other's.
    is_personal: bool,
}

impl Executed {
    /// Whether it failed because Postgres could not fit it between other transactions.
    fn has_collided(&self) -> bool {
        let is_collision = |error: &ServerError| matches!(error.source(), Some(Error::Collided));
        self.response.errors.iter().any(is_collision)
    }

    /// A request that was not run at all.
    fn refused(faults: Vec<ServerError>) -> Self {
        Self {
            response: Response::from_errors(faults),
            points: 0,
            is_personal: false,
        }
    }

    /// A response that was aborted for a limit. Nothing of what it was to cost is refunded.
    fn aborted(why: Refusal) -> Self {
        let mut error = ServerError::new(why.message, None);
        error
            .extensions
            .get_or_insert_default()
            .set("code", why.code);
        Self {
            response: Response::from_errors(vec![error]),
            points: u64::MAX,
            is_personal: false,
        }
    }
}
