//! The real binary as a process of its own, with the stacks and the defaults that it has in production.
//!
//! A stack overflow or an abort ends a process and cannot be caught in it, so only a child can show that it did not.

use std::{
    net::{SocketAddr, TcpListener},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue};
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{self, Command},
};
use url::Url;

use crate::harness::{A, AUDIENCE, Database, ISSUER, Who, World, encryption_key};

/// Nothing that the server does takes as long as this, unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Another process may take a port between its choice and its use.
const PORT_TRIES: u32 = 5;

/// A running `dealgraph serve`.
pub(crate) struct Child {
    process: process::Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
    token: String,
    http: reqwest::Client,
}

/// What a server answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Child {
    /// Serves a database of the world and waits until it listens.
    pub(crate) async fn serve(world: &World, settings: &[(&str, &str)]) -> Self {
        for _ in 0..PORT_TRIES {
            if let Some(child) = Self::try_serve(world, settings).await {
                return child;
            }
        }
        panic!("{PORT_TRIES} ports were taken by others");
    }

    async fn try_serve(world: &World, settings: &[(&str, &str)]) -> Option<Self> {
        let address = free_address();
        let mut command =
            serve_command(&world.database, ("dealgraph_app", "dealgraph_system")).await;
        command
            .env("DEALGRAPH_LISTEN", address.to_string())
            .envs(settings.iter().copied());
        let mut process = command.spawn().expect("the binary starts");
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        loop {
            let line = tokio::time::timeout(PATIENCE, lines.next_line())
                .await
                .expect("the server starts in time");
            let Some(line) = line.expect("the log is text") else {
                break;
            };
            keep(&log, &line);
            if line.contains("listening") {
                let kept = Arc::clone(&log);
                tokio::spawn(async move {
                    while let Ok(Some(line)) = lines.next_line().await {
                        keep(&kept, &line);
                    }
                });
                let token = world
                    .tokens
                    .issue(A.user(Who::Admin), A.tenant())
                    .expect("the key signs")
                    .token;
                // Otherwise the faults of a document have the status 200, for clients of the time before the protocol.
                let accept = HeaderValue::from_static("application/graphql-response+json");
                let headers = HeaderMap::from_iter([(ACCEPT, accept)]);
                let http = reqwest::Client::builder()
                    .timeout(PATIENCE)
                    .default_headers(headers)
                    .build();
                let http = http.expect("an HTTP client");
                return Some(Self {
                    process,
                    address,
                    log,
                    token,
                    http,
                });
            }
        }
        let text = text(&log);
        assert!(text.contains("in use"), "the server ended: {text}");
        None
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where GraphQL is served.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/graphql", self.address)
    }

    /// The token of an administrator of tenant A.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A client without any credentials.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// All that it has logged so far.
    pub(crate) fn log(&self) -> String {
        text(&self.log)
    }

    /// Posts a body of JSON as the administrator.
    pub(crate) async fn post(&self, body: &Value) -> Reply {
        self.send(self.http.post(self.url()).json(body)).await
    }

    /// Posts a document as the administrator.
    pub(crate) async fn query(&self, document: &str) -> Reply {
        self.post(&json!({ "query": document })).await
    }

    /// Begins a GET with these parameters in the address.
    pub(crate) fn get(&self, parameters: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let url = Url::parse_with_params(&self.url(), parameters).expect("an address");
        self.http.get(url)
    }

    /// Sends any request as the administrator.
    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("the server answers");
        let status = response.status().as_u16();
        let body = response.text().await.expect("the answer ends");
        assert!(body.len() < 64 * 1024, "an answer of {} bytes", body.len());
        Reply {
            status,
            body: serde_json::from_str(&body).unwrap_or(Value::String(body)),
        }
    }

    /// Fails unless the process is alive and answers with data of the database.
    pub(crate) async fn expect_well(&mut self, after: &str) {
        let ended = self.process.try_wait().expect("a child can be asked");
        assert!(
            ended.is_none(),
            "the server ended ({ended:?}) after {after}: {}",
            self.log()
        );
        let reply = self.query("{ viewer { user { id } } }").await;
        let expected = json!({ "viewer": { "user": { "id": A.user(Who::Admin).to_string() } } });
        let answered = (reply.status, &reply.body["data"]);
        assert_eq!(answered, (200, &expected), "after {after}: {}", reply.body);
    }

    /// The most memory it has ever used, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let id = self.process.id().expect("it has not been waited for");
        let status =
            std::fs::read_to_string(format!("/proc/{id}/status")).expect("the system says");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("it has the line");
        let kilobytes: u64 = line
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .expect("a number");
        kilobytes * 1024
    }

    /// Ends it as a machine that loses its power does.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.expect("it runs");
    }

    /// Asks it to end as an operator would, and waits for it.
    pub(crate) async fn stop(mut self) -> ExitStatus {
        let id = self.process.id().expect("it has not been waited for");
        let id = nix::unistd::Pid::from_raw(i32::try_from(id).expect("process ids are small"));
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("it is ours");
        let ended = tokio::time::timeout(PATIENCE, self.process.wait())
            .await
            .expect("it drains in time");
        ended.expect("a child can be waited for")
    }
}

impl Reply {
    /// The code of the first error, or nothing.
    pub(crate) fn code(&self) -> &str {
        self.body
            .pointer("/errors/0/extensions/code")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// The binary, with nothing of this process' environment.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dealgraph"));
    let kept = ["PATH", "DEALGRAPH_PG_BIN"]
        .into_iter()
        .filter_map(|name| Some((name, std::env::var_os(name)?)));
    command.env_clear().envs(kept.collect::<Vec<_>>());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// `dealgraph serve` on a database, with the logins of requests and of the system.
pub(crate) async fn serve_command(database: &Database, (app, system): (&str, &str)) -> Command {
    let mut command = binary();
    command
        .arg("serve")
        .env("DEALGRAPH_ENCRYPTION_KEYS", encryption_key().await);
    command
        .env("DEALGRAPH_AUTH_ISSUER", ISSUER)
        .env("DEALGRAPH_AUTH_AUDIENCE", AUDIENCE);
    command.env("DEALGRAPH_DATABASE_URL", url(&database.options(app).await));
    command.env(
        "DEALGRAPH_SYSTEM_DATABASE_URL",
        url(&database.options(system).await),
    );
    command
}

/// A database as an address, the way operators write it.
pub(crate) fn url(options: &PgConnectOptions) -> String {
    let socket = options
        .get_socket()
        .expect("the cluster is on a socket")
        .to_string_lossy()
        .into_owned();
    let database = options.get_database().expect("a database is named");
    let mut url = Url::parse(&format!(
        "postgresql://{}@localhost/{database}",
        options.get_username()
    ))
    .expect("an address");
    url.query_pairs_mut()
        .append_pair("host", &socket)
        .append_pair("port", &options.get_port().to_string());
    url.into()
}

/// A port that was free a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

fn keep(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.push_str(line);
    log.push('\n');
}

fn text(log: &Mutex<String>) -> String {
    log.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
