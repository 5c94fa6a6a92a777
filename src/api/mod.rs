//! The service: the schema put together, and all that stands between a socket and a resolver: HTTP, WebSockets, reading
//! documents, their cost, the response cache, subscriptions.
//!
//! Nothing here knows a rule of the business.

mod anonymous;
pub mod audit;
mod documents;
mod execute;
pub mod explorer;
pub mod http;
pub mod inbound;
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
mod staleness;
mod webhooks;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use http::router;
pub use node::{DECLARED, Node};
pub use schema::{Schema, sdl};
pub use spending::{Spend, Spending};

use crate::{
    access::Actor,
    base::error::Result,
    db::{
        Db,
        journal::{Origin, Recorder},
    },
    events::VersionReader,
    organization::{
        accounts::Accounts,
        auth::{Access, Tokens},
    },
    platform::{Vault, redis::DocumentStore},
};
use documents::Documents;
pub use documents::{Trusted, TrustedError};
use http::Origins;
use limits::Limits;
use live::{ConnectionLimits, ConnectionPermit, Failure, Live, Runtime, Sources};
pub use plans::{Plan, Plans, PlansError};
pub use response_cache::CacheSettings;
use response_cache::ResponseCache;
pub use schema::Outward;
use shape::SchemaShape;
use stages::StageCounts;

/// How much longer the long-lived connections take to close for each of them: four hundred come back in a second.
const SPREAD_PER_CONNECTION: Duration = Duration::from_micros(2_500);
/// They are closed within this, however many there are.
const LONGEST_SPREAD: Duration = Duration::from_secs(8);

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
    /// How servers elsewhere are asked.
    pub outward: Outward,
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
            outward,
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
            outward,
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
}
