//! The service itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// Somebody that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) first: String,
    pub(crate) last: String,
    pub(crate) email: Option<String>,
    pub(crate) gone: bool,
    /// When it last changed, by the service's own count.
    changed: u64,
}

/// The service.
#[derive(Clone)]
pub(crate) struct Rolodex {
    pub(crate) url: String,
    inner: Arc<Mutex<Inner>>,
}

/// What it knows and how it behaves.
#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) people: BTreeMap<String, Person>,
    count: u64,
    /// The account that whoever comes next has.
    pub(crate) account: String,
    codes: BTreeMap<String, (String, String)>,
    pub(crate) access: BTreeSet<String>,
    refresh: BTreeSet<String>,
    /// How long access tokens are said to be good.
    pub(crate) lasts_s: u64,
    /// Answers of people that are to be given first, one each: a status, and for how long to wait.
    pub(crate) answers: Vec<(u16, Option<u64>)>,
    /// How long each answer of people takes.
    pub(crate) takes: Duration,
    /// Cursors before this one are not known any more.
    pub(crate) known_from: u64,
    /// How often it was asked for what.
    pub(crate) asked: BTreeMap<&'static str, u32>,
    written: BTreeMap<String, String>,
    /// Whether it gives the same page for ever.
    pub(crate) repeats: bool,
}

impl Rolodex {
    pub(crate) async fn start() -> Self {
        let inner = Inner {
            account: "account-1".to_owned(),
            lasts_s: 3_600,
            ..Inner::default()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let rolodex = Self {
            url: format!("http://{address}/"),
            inner: Arc::new(Mutex::new(inner)),
        };
        let router = Router::new()
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/me", get(me))
            .route("/people", get(people).post(write))
            .route("/people/{id}", post(rewrite))
            .route("/revoke", post(revoke))
            .with_state(rolodex.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        rolodex
    }

    /// What it knows, to look at and to change.
    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds somebody, or changes them.
    pub(crate) fn put(&self, id: &str, first: &str, last: &str, email: Option<&str>) {
        let mut inner = self.inner();
        inner.count += 1;
        let person = Person {
            first: first.to_owned(),
            last: last.to_owned(),
            email: email.map(str::to_owned),
            gone: false,
            changed: inner.count,
        };
        inner.people.insert(id.to_owned(), person);
    }

    /// Says that somebody is gone.
    pub(crate) fn lose(&self, id: &str) {
        let mut inner = self.inner();
        inner.count += 1;
        let count = inner.count;
        let person = inner.people.get_mut(id).expect("they are there");
        (person.gone, person.changed) = (true, count);
    }

    /// Ends all access tokens that it gave.
    pub(crate) fn end_access(&self) {
        self.inner().access.clear();
    }

    /// Ends all tokens that it gave.
    pub(crate) fn end_all(&self) {
        let mut inner = self.inner();
        inner.access.clear();
        inner.refresh.clear();
    }

    pub(crate) fn asked(&self, what: &str) -> u32 {
        self.inner().asked.get(what).copied().unwrap_or_default()
    }

    /// Sends a person to an address of its, who agrees: the `state` and the `code` that they come back with.
    pub(crate) async fn agree(&self, address: &str) -> (String, String) {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        let answer = http.get(address).send().await.expect("it answers");
        let back = answer.headers().get("location").expect("it sends back");
        let back: Url = back.to_str().expect("a text").parse().expect("an address");
        let pairs: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
        (pairs["state"].clone(), pairs["code"].clone())
    }
}

impl Inner {
    fn note(&mut self, what: &'static str) {
        *self.asked.entry(what).or_default() += 1;
    }

    /// New tokens of the account, of which only the latest to refresh by is good.
    fn tokens(&mut self) -> Value {
        self.count += 1;
        let (access, refresh) = (
            format!("rolo-access-{}", self.count),
            format!("rolo-refresh-{}", self.count),
        );
        self.access.insert(access.clone());
        self.refresh.insert(refresh.clone());
        json!({
            "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": self.lasts_s,
        })
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let sent = headers
            .get("authorization")
            .and_then(|sent| sent.to_str().ok());
        let token = sent.and_then(|sent| sent.strip_prefix("Bearer "));
        token.is_some_and(|token| self.access.contains(token))
    }
}

type Pairs = Query<BTreeMap<String, String>>;

async fn authorize(State(rolodex): State<Rolodex>, Query(asked): Pairs) -> Response {
    let mut inner = rolodex.inner();
    inner.note("authorize");
    let is_known = asked["client_id"] == "dealgraph"
        && asked["code_challenge_method"] == "S256"
        && asked["response_type"] == "code";
    if !is_known {
        return StatusCode::BAD_REQUEST.into_response();
    }
    inner.count += 1;
    let code = format!("rolo-code-{}", inner.count);
    let redirect = asked["redirect_uri"].clone();
    inner.codes.insert(
        code.clone(),
        (asked["code_challenge"].clone(), redirect.clone()),
    );
    let mut back: Url = redirect.parse().expect("an address");
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked["state"]);
    (StatusCode::FOUND, [("location", back.to_string())]).into_response()
}

async fn token(State(rolodex): State<Rolodex>, body: String) -> Response {
    let pairs: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let mut inner = rolodex.inner();
    let refused = || {
        let error = json!({ "error": "invalid_grant" });
        (StatusCode::BAD_REQUEST, Json(error)).into_response()
    };
    match pairs["grant_type"].as_str() {
        "authorization_code" => {
            inner.note("code");
            let Some((challenge, redirect)) = inner.codes.remove(&pairs["code"]) else {
                return refused();
            };
            let proven = URL_SAFE_NO_PAD.encode(Sha256::digest(&pairs["code_verifier"]));
            if proven != challenge || pairs["redirect_uri"] != redirect {
                return refused();
            }
        }
        _ => {
            inner.note("refresh");
            // Each is good once: two who refresh at once would lock each other out.
            if !inner.refresh.remove(&pairs["refresh_token"]) {
                inner.refresh.clear();
                return refused();
            }
        }
    }
    Json(inner.tokens()).into_response()
}

async fn me(State(rolodex): State<Rolodex>, headers: HeaderMap) -> Response {
    let mut inner = rolodex.inner();
    inner.note("me");
    match inner.knows(&headers) {
        true => Json(json!({ "id": inner.account, "name": "The rolodex" })).into_response(),
        false => StatusCode::UNAUTHORIZED.into_response(),
    }
}

async fn people(
    State(rolodex): State<Rolodex>,
    Query(asked): Pairs,
    headers: HeaderMap,
) -> Response {
    let takes = rolodex.inner().takes;
    tokio::time::sleep(takes).await;
    let mut inner = rolodex.inner();
    inner.note("people");
    if !inner.knows(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if !inner.answers.is_empty() {
        let (status, wait) = inner.answers.remove(0);
        let status = StatusCode::from_u16(status).expect("a status");
        return match wait {
            Some(wait) => (status, [("retry-after", wait.to_string())]).into_response(),
            None => status.into_response(),
        };
    }
    let after: u64 = asked["after"].parse().unwrap_or_default();
    let limit: usize = asked["limit"].parse().expect("a number");
    if after != 0 && after < inner.known_from {
        return StatusCode::GONE.into_response();
    }
    let changed = inner
        .people
        .iter()
        .filter(|(_, person)| person.changed > after);
    let mut changed: Vec<_> = changed.collect();
    changed.sort_by_key(|(_, person)| person.changed);
    let more = changed.len() > limit || inner.repeats;
    changed.truncate(limit);
    let cursor = match changed.last() {
        Some((_, person)) if !inner.repeats => person.changed,
        _ => after,
    };
    let listed: Vec<_> = changed
        .into_iter()
        .map(|(id, person)| {
            json!({ "id": id, "first": person.first, "last": person.last, "email": person.email, "gone": person.gone })
        })
        .collect();
    Json(json!({ "people": listed, "cursor": cursor.to_string(), "more": more })).into_response()
}

async fn write(state: State<Rolodex>, headers: HeaderMap, body: Json<Value>) -> Response {
    put(&state.0, None, &headers, &body.0)
}

async fn rewrite(
    state: State<Rolodex>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Json<Value>,
) -> Response {
    put(&state.0, Some(id), &headers, &body.0)
}

fn put(rolodex: &Rolodex, id: Option<String>, headers: &HeaderMap, body: &Value) -> Response {
    let mut inner = rolodex.inner();
    inner.note("write");
    if !inner.knows(headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let key = headers.get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok()).expect("each has one");
    if let Some(known) = inner.written.get(key) {
        return Json(json!({ "id": known })).into_response();
    }
    if body["last"] == "Unwanted" {
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    }
    inner.count += 1;
    let id = id.unwrap_or_else(|| format!("new-{}", inner.count));
    inner.written.insert(key.to_owned(), id.clone());
    drop(inner);
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    rolodex.put(&id, &text("first"), &text("last"), body["email"].as_str());
    Json(json!({ "id": id })).into_response()
}

async fn revoke(State(rolodex): State<Rolodex>, headers: HeaderMap) -> Response {
    let mut inner = rolodex.inner();
    inner.note("revoke");
    if inner.knows(&headers) {
        inner.access.clear();
        inner.refresh.clear();
    }
    StatusCode::NO_CONTENT.into_response()
}
