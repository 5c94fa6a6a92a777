//! A world: a database of the two tenants, the product serving it over real HTTP, and clients that act for people.
//!
//! A client of tenant A fails the test when anything of tenant B reaches it: in a body, in a header, in an error.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::TimeDelta;
use dealgraph::{
    api::limits::Limits,
    base::{clock::Clock, ids::UserId},
    db::{Db, Logins, PoolOptions, journal::Hints},
    integrations::provider::{BelongsTo, Budget, Providers},
    organization::{
        accounts::{self, Accounts, HashCost, Hasher, Settings},
        auth::{KeyRing, TokenOptions, Tokens},
        identities::Identities,
    },
    platform::{
        mail::{Post, Way},
        outbound::{Outbound, OutboundSettings},
        telemetry::TraceParents,
    },
    tools::app::{App, ServerParts, Serving},
};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    Database, Planner, Rolodex, RolodexProvider, Side, Who,
    database::vault,
    declared::undeclared,
    factory::CANARY,
    logs::Logs,
    rolodex::Plain,
    secrets::{Secrets, everything_kept},
    statements::{Statements, asks_planner, judge},
};

/// Who makes the tokens of all worlds.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// Whom they are for.
pub(crate) const AUDIENCE: &str = "dealgraph-under-test";

/// Nothing that a test does takes as long as this, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two tenants and a server.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) db: Db,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) statements: Statements,
    /// What must not be stored or revealed; tests add what reaches a client in another way, by mail for example.
    pub(crate) secrets: Secrets,
    errors: Arc<Mutex<String>>,
    pub(crate) accounts: Arc<Accounts>,
    mails: PathBuf,
    pub(crate) logs: Logs,
    /// A service elsewhere, which accounts of can be connected.
    pub(crate) rolodex: Rolodex,
    http: reqwest::Client,
    url: String,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

/// A caller.
#[derive(Clone)]
pub(crate) struct Client<'w> {
    world: &'w World,
    side: Side,
    token: Option<String>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl World {
    pub(super) async fn new(database: Database, logs: Logs, identities: Identities) -> Self {
        let statements = Statements::default();
        let db = open(&database, 4).await;
        let observed = statements.clone();
        let db = db.observed(move |sql| observed.record(sql));
        let tokens = tokens_over(&db).await;
        let rolodex = Rolodex::start().await;
        let parts = ServerParts {
            tokens: Arc::clone(&tokens),
            limits: Limits::default(),
            trace_parents: TraceParents::Ignored,
            outbound: outbound_here(),
            providers: providers(&rolodex.url),
            // All that can be kept is kept, so that all tests are tests of the cache as well.
            serving: Serving {
                cache_from_points: 1,
                ..Serving::default()
            },
        };
        let mails = mail_folder();
        let setup = accounts_setup(&mails, identities).await;
        let app = App::over(db.clone(), None, parts, setup)
            .await
            .expect("the logins are plain");
        let accounts = Arc::clone(app.accounts());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!(
            "http://{}/graphql",
            listener.local_addr().expect("an address")
        );
        let stop = CancellationToken::new();
        let server = tokio::spawn(app.serve(listener, stop.clone()));
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .expect("an HTTP client");
        Self {
            database,
            db,
            tokens,
            statements,
            secrets: Secrets::default(),
            errors: Arc::default(),
            accounts,
            mails,
            logs,
            rolodex,
            http,
            url,
            stop,
            server,
        }
    }

    /// A member of tenant A.
    pub(crate) fn a(&self, who: Who) -> Client<'_> {
        self.member(Side::A, who)
    }

    /// A member of tenant B.
    pub(crate) fn b(&self, who: Who) -> Client<'_> {
        self.member(Side::B, who)
    }

    /// A member of either tenant.
    pub(crate) fn member(&self, side: Side, who: Who) -> Client<'_> {
        let issued = self
            .tokens
            .issue(side.user(who), side.tenant())
            .expect("the key signs");
        Client {
            world: self,
            side,
            token: Some(issued.token),
        }
    }

    /// A caller with a token of the test's making, or without one.
    pub(crate) fn stranger(&self, token: Option<String>) -> Client<'_> {
        Client {
            world: self,
            side: Side::A,
            token,
        }
    }

    /// A caller who may see both tenants.
    pub(crate) fn anybody(&self, token: Option<String>) -> Client<'_> {
        Client {
            world: self,
            side: Side::B,
            token,
        }
    }

    /// Judges what the test did by the way, and takes the world down.
    pub(super) async fn finish(mut self) {
        self.stop.cancel();
        let served = tokio::time::timeout(PATIENCE, &mut self.server)
            .await
            .expect("the server stops when asked to");
        served
            .expect("the server does not panic")
            .expect("the server ends well");
        self.db.close().await;
        _ = std::fs::remove_dir_all(&self.mails);

        let statements: BTreeSet<String> = self.statements.all().into_iter().collect();
        for sql in &statements {
            let faults = judge(sql);
            assert!(faults.is_empty(), "{faults:?} in\n{sql}");
        }
        for sql in &statements {
            assert!(
                !asks_planner(sql),
                "what the planner expects follows from the rows of all tenants:\n{sql}"
            );
        }
        Planner::judge(&statements, &self.statements.by_chance()).await;
        let leaking = self
            .logs
            .text()
            .lines()
            .filter(|line| line.contains(CANARY))
            .map(str::to_owned)
            .collect::<Vec<_>>();
        assert_eq!(leaking, [""; 0], "the log gives data away");
        self.judge_secrets().await;
        let undeclared = undeclared(&mut self.database.superuser().await).await;
        assert_eq!(
            undeclared,
            BTreeSet::new(),
            "the logs have names that nobody declared"
        );
        self.database.drop().await;
    }

    /// Nothing secret stands in the log (spans are in it), in an error, or in a row of any table.
    async fn judge_secrets(&self) {
        let mut superuser = self.database.superuser().await;
        let kept = everything_kept(&mut superuser).await;
        drop(superuser);
        for mail in self.mails() {
            let secrets = mail.text.split("#token=").skip(1);
            let end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-');
            secrets.for_each(|rest| self.secrets.add(rest.split(end).next().unwrap_or_default()));
        }
        let errors = self
            .errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for (place, text) in [
            ("the log", self.logs.text()),
            ("an error", errors),
            ("a table", kept),
        ] {
            let lines = self.secrets.given_away_by(&text);
            assert_eq!(lines, [""; 0], "{place} gives a secret away");
        }
    }

    /// Keeps what an answer says went wrong.
    fn keep_errors(&self, body: &Value) {
        let mut errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let payloads = body["data"].as_object().into_iter().flatten();
        let reported = payloads.map(|(_, payload)| &payload["userErrors"]);
        for reported in reported
            .chain([&body["errors"]])
            .filter(|reported| !reported.is_null())
        {
            _ = writeln!(errors, "{reported}");
        }
    }

    /// Where its WebSockets are.
    pub(crate) fn socket_url(&self) -> String {
        self.url.replace("http:", "ws:")
    }

    /// Fails when there is anything of B in what a client of A got over another way than a request.
    pub(crate) fn refuse_leaks(&self, side: Side, got: &str, sent: &str) {
        if side == Side::A {
            refuse_leaks(got, sent);
        }
    }

    /// What its metrics say of one, if they have it.
    pub(crate) fn metric(&self, name: &str) -> Option<String> {
        let text = self.db.metrics().text();
        let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
        text.lines().find_map(value)
    }

    /// What anybody gets at a path of the server.
    pub(crate) async fn fetch(&self, path: &str) -> Value {
        let url = self.url.replace("/graphql", path);
        let response = self.http.get(url).send().await;
        let response = response.expect("the server answers");
        response.json().await.expect("it is JSON")
    }

    /// Begins a request to a path of the server, by nobody in particular.
    pub(crate) fn to(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.address_of(path))
    }

    /// Where a path of the server is.
    pub(crate) fn address_of(&self, path: &str) -> String {
        self.url.replace("/graphql", path)
    }

    /// Where the product's mails are.
    pub(super) fn mail_folder(&self) -> &Path {
        &self.mails
    }

    /// Gives a person a password, as if they had set one.
    pub(crate) async fn set_password(&self, user: UserId, password: &str) {
        let hash = self.accounts.hasher.hash(password).await.expect("a hash");
        let mut superuser = self.database.superuser().await;
        sqlx::query("UPDATE users SET password_hash = $1 WHERE user_id = $2")
            .bind(hash)
            .bind(user)
            .execute(&mut superuser)
            .await
            .expect("the person is there");
    }

    /// The lines that were logged so far.
    pub(crate) fn log(&self) -> String {
        self.logs.text()
    }
}

/// The services that worlds know.
pub(crate) fn providers(rolodex: &str) -> Providers {
    let thrifty = RolodexProvider::new("thrifty", rolodex, BelongsTo::Tenant).within(Budget {
        burst: 6,
        every: Duration::from_secs(3_600),
    });
    Providers::default()
        .with(Plain::default())
        .with(RolodexProvider::new("rolodex", rolodex, BelongsTo::Tenant))
        .with(RolodexProvider::new("mailbox", rolodex, BelongsTo::Person))
        .with(thrifty)
}

/// What worlds ask servers with that tenants name: tests listen on this machine.
pub(crate) fn outbound_here() -> Outbound {
    let settings = OutboundSettings {
        allows_loopback: true,
        ..OutboundSettings::default()
    };
    Outbound::new(settings).expect("a client")
}

/// How worlds keep accounts: quick hashes, and mails in a folder.
pub(crate) async fn accounts_setup(mails: &Path, identities: Identities) -> accounts::Setup {
    let cost = HashCost {
        memory_kib: 256,
        passes: 1,
        lanes: 1,
        at_once: 2,
        waiting: 200,
    };
    accounts::Setup {
        furnish: dealgraph::crm::furnish,
        vault: vault(),
        post: Post {
            way: Way::Folder(mails.to_owned()),
            from: "Dealgraph <no-reply@dealgraph.example>"
                .parse()
                .expect("an address"),
        },
        hasher: Hasher::new(cost).expect("a cost"),
        identities: Arc::new(identities),
        settings: Settings {
            registration: true,
            session_ttl: TimeDelta::days(30),
            app_url: "https://app.example".parse().expect("a web address"),
            trusted_proxies: 1,
        },
    }
}

/// A folder for mails that no other world has.
pub(crate) fn mail_folder() -> PathBuf {
    let name = format!("mail-{:032x}", fastrand::u128(..));
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What makes and checks tokens by the keys of a database.
pub(crate) async fn tokens_over(db: &Db) -> Arc<Tokens> {
    let ring = KeyRing::open(db.clone(), vault(), None)
        .await
        .expect("the keys can be read");
    let options = TokenOptions {
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        lifetime: TimeDelta::minutes(10),
    };
    let tokens = Tokens::new(ring, options, db.clock().clone());
    Arc::new(tokens.expect("the keys sign"))
}

/// The product's own access to a database, with so many connections for people.
pub(crate) async fn open(database: &Database, size: u32) -> Db {
    let logins = Logins {
        app: database.options("dealgraph_app").await,
        system: database.options("dealgraph_system").await,
    };
    let options = PoolOptions {
        size,
        // A test that keeps all of them busy is no tenant that floods.
        tenant_share: size,
        system_size: 2,
        acquire_timeout: PATIENCE,
        ..PoolOptions::default()
    };
    Db::open(logins, &options, Clock::system(), Hints::default())
}

impl<'w> Client<'w> {
    /// The service elsewhere.
    pub(crate) fn rolodex(&self) -> &'w Rolodex {
        &self.world.rolodex
    }

    /// In which world, and for which tenant.
    pub(crate) fn place(&self) -> (&'w World, Side) {
        (self.world, self.side)
    }

    /// The token that is sent.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same client with another token.
    pub(crate) fn with_token(mut self, token: String) -> Self {
        self.token = Some(token);
        self
    }

    /// Sends a document with its variables, by POST.
    pub(crate) async fn send(&self, document: &str, variables: Value) -> Answer {
        let body = json!({ "query": document, "variables": variables });
        self.send_request(
            self.world.http.post(&self.world.url).json(&body),
            &body.to_string(),
        )
        .await
    }

    /// Sends a document without variables and expects data.
    pub(crate) async fn query(&self, document: &str) -> Value {
        self.send(document, json!({})).await.data()
    }

    /// Sends a document with its variables and expects data.
    pub(crate) async fn query_with(&self, document: &str, variables: Value) -> Value {
        self.send(document, variables).await.data()
    }

    /// Sends a document without variables that is to be answered by asking the database.
    pub(crate) async fn ask_anew(&self, document: &str) -> Answer {
        let body = json!({ "query": document });
        let request = self.post().header("cache-control", "no-store").json(&body);
        self.send_request(request, &body.to_string()).await
    }

    /// Begins a request that the test puts together itself, for [`Self::send_request`].
    pub(crate) fn post(&self) -> RequestBuilder {
        self.world.http.post(&self.world.url)
    }

    /// Sends a request as this person; `sent` is all that the client says, since it may be shown that again.
    pub(crate) async fn send_request(&self, request: RequestBuilder, sent: &str) -> Answer {
        let secrets = &self.world.secrets;
        if let Ok(sent) = serde_json::from_str(sent) {
            secrets.learn(&sent);
        }
        let request = match &self.token {
            Some(token) => {
                secrets.add(token);
                request.bearer_auth(token)
            }
            None => request,
        };
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("the answer ends");
        if self.side == Side::A {
            refuse_leaks(&format!("{headers:?} {body}"), sent);
        }
        let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
        secrets.learn(&body["data"]);
        self.world.keep_errors(&body);
        Answer {
            status,
            headers,
            body,
        }
    }
}

/// Fails when there is anything of tenant B in what tenant A got, other than what A said itself.
fn refuse_leaks(got: &str, sent: &str) {
    assert!(
        !got.contains(CANARY),
        "tenant A got data of tenant B: {got}"
    );
    for (at, _) in got.match_indices(&Side::B.id_start()) {
        let id: String = got[at..].chars().take(36).collect();
        assert!(
            sent.contains(&id),
            "tenant A got the id {id} of tenant B: {got}"
        );
    }
}

impl Answer {
    /// The data of an answer without errors.
    pub(crate) fn data(&self) -> Value {
        assert!(
            self.body.get("errors").is_none(),
            "{} {}",
            self.status,
            self.body
        );
        self.body["data"].clone()
    }

    /// The code of the first error, or nothing.
    pub(crate) fn code(&self) -> &str {
        self.body
            .pointer("/errors/0/extensions/code")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The code of the first user error and the field it is about, of the payload of a mutation.
    pub(crate) fn user_error(&self, mutation: &str) -> (String, String) {
        let errors = &self.data()[mutation]["userErrors"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let path = errors[0]["field"]
            .as_array()
            .into_iter()
            .flatten()
            .map(text)
            .collect::<Vec<_>>();
        (text(&errors[0]["code"]), path.join("."))
    }
}
