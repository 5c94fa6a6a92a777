//! The product served in this process over a database of the test's choice, with hints and a Redis of its choice.

use std::{collections::VecDeque, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use dealgraph::{
    api::limits::Limits,
    base::clock::Clock,
    db::{Db, Logins, PoolOptions, journal::Hints},
    integrations::provider::Providers,
    organization::{accounts::Accounts, auth::Tokens, identities::Identities},
    platform::telemetry::TraceParents,
    tools::app::{App, Listeners, ServerParts, Serving},
};
use futures_util::{Stream, stream};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::child::PATIENCE;
use crate::harness::{Database, accounts_setup, mail_folder, outbound_here};

/// A server in this process.
pub(crate) struct Served {
    pub(crate) db: Db,
    pub(crate) accounts: Arc<Accounts>,
    /// The folder that its mails go to.
    pub(crate) mails: PathBuf,
    url: String,
    /// Where operators find it.
    pub(crate) operator_url: String,
    http: reqwest::Client,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Served {
    /// Serves a database, telling a Redis of new events if there is one.
    pub(crate) async fn over(
        database: &Database,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
    ) -> Self {
        Self::within(database, tokens, redis_url, Limits::default()).await
    }

    /// The same, keeping all answers that can be kept.
    pub(crate) async fn caching(
        database: &Database,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
    ) -> Self {
        let serving = Serving {
            cache_from_points: 1,
            ..Serving::default()
        };
        Self::open(database, tokens, redis_url, (Limits::default(), serving)).await
    }

    /// The same within other limits.
    pub(crate) async fn within(
        database: &Database,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
        limits: Limits,
    ) -> Self {
        let serving = Serving {
            cache_bytes: 0,
            ..Serving::default()
        };
        Self::open(database, tokens, redis_url, (limits, serving)).await
    }

    /// The same, served in another way.
    pub(crate) async fn open(
        database: &Database,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
        how: (Limits, Serving),
    ) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::at(anywhere, database, tokens, redis_url, how).await
    }

    /// The same at an address.
    pub(crate) async fn at(
        address: SocketAddr,
        database: &Database,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
        how: (Limits, Serving),
    ) -> Self {
        let db = opened(database).await;
        Self::listening(address, db, tokens, redis_url, (how, Providers::default())).await
    }

    /// The same, knowing services elsewhere.
    pub(crate) async fn knowing(
        database: &Database,
        tokens: Arc<Tokens>,
        providers: Providers,
    ) -> Self {
        let db = opened(database).await;
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let serving = Serving {
            cache_bytes: 0,
            ..Serving::default()
        };
        let how = (Limits::default(), serving);
        Self::listening(anywhere, db, tokens, None, (how, providers)).await
    }

    /// The same over connections that are there.
    pub(crate) async fn of(
        db: Db,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
        how: (Limits, Serving),
    ) -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self::listening(anywhere, db, tokens, redis_url, (how, Providers::default())).await
    }

    async fn listening(
        address: SocketAddr,
        db: Db,
        tokens: Arc<Tokens>,
        redis_url: Option<String>,
        ((limits, serving), providers): ((Limits, Serving), Providers),
    ) -> Self {
        // A debug build on a busy machine is no reason to give a request up.
        let limits = Limits {
            timeout: Duration::from_secs(30),
            ..limits
        };
        let parts = ServerParts {
            tokens,
            limits,
            trace_parents: TraceParents::Ignored,
            outbound: outbound_here(),
            providers,
            serving,
        };
        let mails = mail_folder();
        let app = App::over(
            db.clone(),
            redis_url,
            parts,
            accounts_setup(&mails, Identities::none()).await,
        )
        .await
        .expect("the logins are plain");
        let listen = async |address| TcpListener::bind(address).await.expect("a free port");
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let (public, operator) = (listen(address).await, listen(anywhere).await);
        let address = |listener: &TcpListener| listener.local_addr().expect("an address");
        let url = format!("http://{}/graphql", address(&public));
        let operator_url = format!("http://{}", address(&operator));
        let listeners = Listeners {
            public,
            operator: Some(operator),
        };
        let stop = CancellationToken::new();
        let accounts = Arc::clone(app.accounts());
        let server = tokio::spawn(app.serve(listeners, stop.clone()));
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .expect("an HTTP client");
        Self {
            db,
            accounts,
            mails,
            url,
            operator_url,
            http,
            stop,
            server,
        }
    }

    /// Asks it to stop, as a signal does.
    pub(crate) fn begin_to_stop(&self) {
        self.stop.cancel();
    }

    /// Where GraphQL is served.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What a document answers the holder of the token, or a caller without one.
    pub(crate) async fn send(
        &self,
        token: Option<&str>,
        document: &str,
        variables: &Value,
    ) -> Value {
        let body = json!({ "query": document, "variables": variables });
        let mut request = self.http.post(&self.url).json(&body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("the server answers");
        response.json().await.expect("an answer is JSON")
    }

    /// What a body is answered, whatever is in it.
    pub(crate) async fn post(&self, token: Option<&str>, body: &Value) -> Value {
        let mut request = self.http.post(&self.url).json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.expect("the server answers");
        response.json().await.expect("an answer is JSON")
    }

    /// The status of a document's answer, and the answer.
    pub(crate) async fn ask(&self, token: &str, document: &str) -> (u16, Value) {
        let response = self
            .http
            .post(&self.url)
            .bearer_auth(token)
            .header("accept", "application/graphql-response+json")
            .json(&json!({ "query": document }))
            .send()
            .await
            .expect("the server answers");
        let status = response.status().as_u16();
        (status, response.json().await.expect("an answer is JSON"))
    }

    /// What a document answers the holder of the token, and what became of it at the cache; `how` is what the request says
    /// in `cache-control`.
    pub(crate) async fn cached(&self, token: &str, document: &str, how: &str) -> (Value, String) {
        let request = self.http.post(&self.url).bearer_auth(token);
        let request = request.header("cache-control", how);
        let response = request.json(&json!({ "query": document })).send().await;
        let response = response.expect("the server answers");
        let status = response.headers().get("cache-status");
        let status = status.map(|status| status.to_str().expect("text").to_owned());
        let answer: Value = response.json().await.expect("an answer is JSON");
        assert!(answer.get("errors").is_none(), "{answer}");
        (answer["data"].clone(), status.unwrap_or_default())
    }

    /// The status that a stream of events begins with; what is answered instead, if it does not begin.
    pub(crate) async fn stream(&self, token: &str, document: &str) -> (u16, Value) {
        let request = self.http.post(&self.url).bearer_auth(token);
        let request = request.header(
            "accept",
            "text/event-stream, application/graphql-response+json",
        );
        let response = request.json(&json!({ "query": document })).send().await;
        let response = response.expect("the server answers");
        match response.status().as_u16() {
            200 => (200, Value::Null),
            status => (status, response.json().await.expect("an answer is JSON")),
        }
    }

    /// The data of the events of a stream.
    pub(crate) async fn events(
        &self,
        token: &str,
        document: &str,
    ) -> impl Stream<Item = Value> + Unpin + use<> {
        let request = self.http.post(&self.url).bearer_auth(token);
        let request = request.header("accept", "text/event-stream");
        let response = request.json(&json!({ "query": document })).send().await;
        let response = response.expect("the server answers");
        assert_eq!(response.status(), 200);
        let begin = (response, String::new(), VecDeque::new());
        Box::pin(stream::unfold(
            begin,
            async |(mut response, mut text, mut waiting)| {
                while waiting.is_empty() {
                    let part = response.chunk().await.ok()??;
                    text += std::str::from_utf8(&part).expect("text in whole letters");
                    let end = text.rfind("\n\n").map_or(0, |end| end + 2);
                    let whole: String = text.drain(..end).collect();
                    let data = whole.lines().filter_map(|line| line.strip_prefix("data:"));
                    let read = |data: &str| serde_json::from_str::<Value>(data).ok();
                    waiting.extend(data.filter_map(read).map(|mut event| event["data"].take()));
                }
                let next = waiting.pop_front()?;
                Some((next, (response, text, waiting)))
            },
        ))
    }

    /// Where its WebSockets are.
    pub(crate) fn socket_url(&self) -> String {
        self.url.replace("http:", "ws:")
    }

    /// Gets a path without any credentials.
    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let url = self.url.replace("/graphql", path);
        self.http.get(url).send().await.expect("the server answers")
    }

    /// Ends it.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.server)
            .await
            .expect("it stops when asked to");
        ended.expect("no panic").expect("it ends well");
    }
}

/// A server's own connections to a database.
async fn opened(database: &Database) -> Db {
    let logins = Logins {
        app: database.options("dealgraph_app").await,
        system: database.options("dealgraph_system").await,
    };
    let options = PoolOptions {
        size: 4,
        system_size: 2,
        acquire_timeout: PATIENCE,
        ..PoolOptions::default()
    };
    Db::open(logins, &options, Clock::system(), Hints::default())
}
