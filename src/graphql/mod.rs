//! The thin shell around the domains: the schema, a request's context, limits, and the HTTP side.
//!
//! Nothing here knows a rule of the business. A resolver of a domain translates its arguments, calls one verb of
//! its domain and translates the answer.

mod anonymous;
mod attempts;
mod can;
pub mod connection;
mod context;
mod errors;
pub mod explorer;
pub mod filters;
pub mod http;
pub mod limits;
pub mod live;
mod loaders;
pub(crate) mod node;
mod order;
pub mod patch;
pub(crate) mod projection;
pub mod scalars;
pub mod scan;
mod schema;
pub mod shape;
mod socket;
mod spending;

use std::sync::Arc;

use async_graphql::{Request, Response};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument as _;

pub use can::RecordRights;
pub use connection::{Connection, ListArgs, Listing, page_request};
pub use context::{ContextExt, RequestContext};
pub use errors::{DeletePayload, UserError, answer};
pub use filters::Filter;
pub use http::router;
pub use loaders::Batch;
pub use node::Node;
pub use schema::{Schema, sdl};
pub use spending::{RateLimit, Spend, Spending};

use crate::{
    accounts::Accounts,
    audit::{Origin, Recorder},
    auth::{Access, Actor, Tokens},
    db::Db,
    error::{Error, Result},
    telemetry::{self, OperationKind},
};
use attempts::Asked;
use http::Origins;
use limits::Limits;
use live::{Admission, Failure, Live, Pass, Sources};
use order::Order;
use shape::SchemaShape;

/// The API: what the HTTP side hands requests to.
pub struct Api {
    schema: Schema,
    shape: SchemaShape,
    limits: Limits,
    db: Db,
    access: Arc<Access>,
    recorder: Recorder,
    trusted_proxies: usize,
    live: Arc<Live>,
    admission: Admission,
    spending: Arc<Spending>,
    origins: Origins,
    connections: TaskTracker,
    closing: CancellationToken,
}

impl Api {
    /// Builds the schema over a database.
    #[must_use]
    pub fn new(
        db: Db,
        tokens: Arc<Tokens>,
        limits: Limits,
        recorder: Recorder,
        accounts: Arc<Accounts>,
        (sources, spending, origins): (Sources, Spending, Origins),
    ) -> Self {
        let trusted_proxies = accounts.settings.trusted_proxies;
        let outside = Arc::clone(&accounts.identities);
        let spending = Arc::new(spending);
        let schema = schema::build(
            &limits,
            (
                accounts,
                Arc::clone(&sources.presences),
                Arc::clone(&spending),
            ),
        );
        let shape = SchemaShape::from_sdl(&sdl()).expect("the schema's own text is a schema");
        let access = Arc::new(Access::new(db.clone(), tokens, recorder.clone(), outside));
        let live = Live::new(
            schema.clone(),
            (db.clone(), recorder.clone()),
            limits.clone(),
            sources,
        );
        Self {
            schema,
            shape,
            limits,
            db,
            access,
            recorder,
            trusted_proxies,
            live,
            admission: Admission::default(),
            spending,
            origins,
            connections: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    /// The subscriptions.
    pub(crate) fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// Whose pages may open a socket.
    fn origins(&self) -> &Origins {
        &self.origins
    }

    /// What requests cost.
    fn spending(&self) -> &Spending {
        &self.spending
    }

    /// A pass for a connection that stays open.
    fn admit(&self, actor: &Actor) -> std::result::Result<Pass, Failure> {
        let metrics = self.live.metrics();
        self.admission.enter(actor, &self.limits, metrics)
    }

    /// The connections that stay open.
    fn connections(&self) -> &TaskTracker {
        &self.connections
    }

    /// Cancelled when these have to end.
    fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Closes all connections that stay open, each with word of when to come back, and ends their subscriptions.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        self.connections.close();
        self.connections.wait().await;
        self.live.finish().await;
    }

    /// How many proxies in front of the server are trusted to say where a request comes from.
    #[must_use]
    pub fn trusted_proxies(&self) -> usize {
        self.trusted_proxies
    }

    /// The limits on requests.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Where refusals are noted.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What the limits know of the schema.
    #[must_use]
    pub fn shape(&self) -> &SchemaShape {
        &self.shape
    }

    /// Who somebody is, by their token or key.
    #[must_use]
    pub fn access(&self) -> &Arc<Access> {
        &self.access
    }

    /// Verifies a bearer token and resolves whom it stands for; `None` without a token.
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

    /// Runs a request whose document was scanned, parsed and measured; tells how many objects the answer has too.
    /// Without an actor only what signing in takes is answered.
    pub async fn execute(
        &self,
        actor: Option<Arc<Actor>>,
        mut request: Request,
    ) -> (Response, u64) {
        let Some(actor) = actor else {
            return (self.execute_anonymous(request).await, 0);
        };
        let origin = request
            .data
            .get(&std::any::TypeId::of::<Origin>())
            .and_then(|origin| origin.downcast_ref::<Origin>())
            .cloned()
            .unwrap_or_else(|| Origin::process(crate::ids::mint().to_string()));
        let context = Arc::new(RequestContext::new(
            (self.db.clone(), self.recorder.clone()),
            actor,
            origin,
        ));
        request = request.data(Arc::clone(&context));
        if !self.limits.introspection {
            request = request.disable_introspection();
        }
        let (kind, order, asked) = prepare(&mut request);
        telemetry::note_operation(kind, request.operation_name.as_deref());
        telemetry::note_person(context.actor().tenant, context.actor().person());
        let span =
            telemetry::operation_span(kind, request.operation_name.as_deref(), &request.query);
        // Tokio would make a long poll give way in the middle of a level, and its batches would fall apart.
        let work = tokio::task::unconstrained(self.schema.execute(request));
        let mut response = work.instrument(span).await;
        order.arrange(&mut response.data);
        asked.note(&context, &response);
        telemetry::note_statements(context.statements());
        let objects = spending::objects(&response.data) + context.written_objects();
        (response, objects)
    }

    async fn execute_anonymous(&self, mut request: Request) -> Response {
        let name = request.operation_name.clone();
        let is_open = request
            .parsed_query()
            .is_ok_and(|document| anonymous::is_open(document, name.as_deref()));
        if is_open {
            let (kind, order, _) = prepare(&mut request);
            telemetry::note_operation(kind, request.operation_name.as_deref());
            let mut response = self.schema.execute(request.disable_introspection()).await;
            order.arrange(&mut response.data);
            return response;
        }
        let error = Error::Unauthenticated(
            "sign in first: send an access token as `Authorization: Bearer …`",
        );
        let mut error = async_graphql::Error::from(error).into_server_error(Default::default());
        error.locations.clear();
        Response::from_errors(vec![error])
    }
}

/// What the operation that will run does, the order of its answer, and the ids that it names.
fn prepare(request: &mut Request) -> (OperationKind, Order, Asked) {
    let name = request.operation_name.clone();
    let variables = std::mem::take(&mut request.variables);
    let Ok(document) = request.parsed_query() else {
        request.variables = variables;
        return (OperationKind::Query, Order::default(), Asked::default());
    };
    let prepared = match shape::select_operation(document, name.as_deref()) {
        Ok((_, operation)) => (
            operation.node.ty.into(),
            Order::of(document, &operation.node),
            Asked::of(document, &operation.node, &variables),
        ),
        Err(_) => (OperationKind::Query, Order::default(), Asked::default()),
    };
    request.variables = variables;
    prepared
}
