//! The service: the schema put together, and all that stands between a socket and a resolver: HTTP, WebSockets, reading
//! documents, their cost, the response cache, subscriptions.
//!
//! Nothing here knows a rule of the business.

mod anonymous;
mod attempts;
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
mod response_cache;
pub mod scan;
mod schema;
pub mod shape;
mod socket;
mod spending;
mod stages;

use std::sync::Arc;

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
    events::Progress,
    graphql::RequestContext,
    organization::{
        accounts::Accounts,
        auth::{Access, Tokens},
    },
    platform::{
        redis::Texts,
        telemetry::{self, OperationKind},
    },
};
use attempts::Asked;
use documents::{Documents, Prepared};
pub use documents::{Trusted, TrustedError};
use http::Origins;
use limits::{Limits, Refusal};
use live::{Admission, Failure, Live, Pass, Sources};
pub use plans::{Plan, Plans, PlansError};
pub use response_cache::Caching;
use response_cache::{Cached, Question, Usage, Wish};
use shape::SchemaShape;
use stages::Stages;

/// The API: what the HTTP side hands requests to.
pub struct Api {
    schema: Schema,
    shape: SchemaShape,
    plans: Arc<Plans>,
    db: Db,
    access: Arc<Access>,
    recorder: Recorder,
    trusted_proxies: usize,
    live: Arc<Live>,
    admission: Admission,
    spending: Arc<Spending>,
    documents: Documents,
    cached: Cached,
    stages: Stages,
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
        plans: Arc<Plans>,
        recorder: Recorder,
        accounts: Arc<Accounts>,
        (sources, spending, caching, (texts, trusted)): (
            Sources,
            Spending,
            Caching,
            (Texts, Arc<Trusted>),
        ),
        origins: Origins,
    ) -> Self {
        let trusted_proxies = accounts.settings.trusted_proxies;
        let outside = Arc::clone(&accounts.identities);
        let throttle = accounts.throttle.clone();
        let spending = Arc::new(spending);
        let schema = schema::build(
            plans.widest(),
            (
                accounts,
                Arc::clone(&sources.presences),
                Arc::clone(&spending),
            ),
        );
        let sdl = sdl();
        let shape = SchemaShape::from_sdl(&sdl).expect("the schema's own text is a schema");
        let metrics = Arc::clone(&sources.metrics);
        let progress = Progress::new(db.clone());
        let stages = Stages::new(db.clone(), progress.clone());
        let cached = Cached::new(caching, (progress, metrics), &sdl);
        let access = Access::new((db.clone(), recorder.clone()), tokens, outside, throttle);
        let access = Arc::new(access);
        let live = Live::new(
            schema.clone(),
            (db.clone(), recorder.clone()),
            (plans.widest().clone(), Arc::clone(&spending)),
            sources,
        );
        Self {
            schema,
            shape,
            plans,
            db,
            access,
            recorder,
            trusted_proxies,
            live,
            admission: Admission::default(),
            spending,
            documents: Documents::new(texts, trusted),
            cached,
            stages,
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

    /// How many stages pipelines have.
    fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Documents that were read before.
    fn documents(&self) -> &Documents {
        &self.documents
    }

    /// A pass for a connection that stays open.
    fn admit(&self, actor: &Actor) -> std::result::Result<Pass, Failure> {
        let metrics = self.live.metrics();
        self.admission.enter(actor, self.limits(), metrics)
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

    /// The limits on requests, as long as it is not known who sends them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.plans.widest()
    }

    /// The limits of those who are known.
    fn plans(&self) -> &Plans {
        &self.plans
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

    /// Answers what was prepared: with what is kept, where it holds, or by running it. Without an actor only what signing
    /// in takes is answered.
    async fn answer(
        &self,
        actor: Option<Arc<Actor>>,
        (prepared, price, wish): (&Prepared, u64, Wish),
        origin: &Origin,
    ) -> Answered {
        let Some(actor) = actor else {
            return Answered::unkept(self.execute_anonymous(prepared, origin).await, 0);
        };
        let kind = prepared.operation().ty.into();
        telemetry::note_operation(kind, prepared.operation_name.as_deref());
        telemetry::note_person(actor.tenant, actor.person());
        if kind != OperationKind::Query {
            let ran = self.execute(&actor, prepared, origin).await;
            return Answered::unkept(ran.response, ran.points);
        }
        let question = Question {
            api: self,
            actor: &actor,
            prepared,
            origin,
            price,
        };
        self.cached.answer(question, wish).await
    }

    async fn execute(&self, actor: &Arc<Actor>, prepared: &Prepared, origin: &Origin) -> Ran {
        let executable = match prepared.executable() {
            Ok(executable) => executable,
            Err(faults) => return Ran::refused(faults),
        };
        let context = Arc::new(RequestContext::new(
            (self.db.clone(), self.recorder.clone()),
            Arc::clone(actor),
            (origin.clone(), self.limits().response_bytes),
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
        // Tokio would make a long poll give way in the middle of a level, and its batches would fall apart.
        let work = tokio::task::unconstrained(run);
        let response = work.instrument(span).await;
        let asked = Asked::of(&document.parsed, operation, &prepared.variables);
        let is_personal = asked.note(&context, &response);
        telemetry::note_statements(context.statements());
        if context.is_too_large() {
            let bytes = context.size();
            tracing::info!(bytes, "an answer is larger than allowed and was given up");
            return Ran::given_up(self.limits().too_large());
        }
        let texts = shape::came_to(prepared.measure.texts, context.size());
        Ran {
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

/// What was answered.
struct Answered {
    response: Response,
    /// What was worked out for it, in points.
    points: u64,
    /// What became of a query at the cache.
    usage: Option<Usage>,
}

impl Answered {
    /// What no cache has to do with.
    fn unkept(response: Response, points: u64) -> Self {
        Self {
            response,
            points,
            usage: None,
        }
    }
}

/// What the executor has answered.
struct Ran {
    response: Response,
    /// What was worked out, in points: its objects, and what it costs beside them.
    points: u64,
    /// Whether something was noted of the one who asked.
    is_personal: bool,
}

impl Ran {
    /// What was not run at all.
    fn refused(faults: Vec<ServerError>) -> Self {
        Self {
            response: Response::from_errors(faults),
            points: 0,
            is_personal: false,
        }
    }

    /// An answer that was given up in the middle. Nothing of what it was to cost is given back.
    fn given_up(why: Refusal) -> Self {
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
