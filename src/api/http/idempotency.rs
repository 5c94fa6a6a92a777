//! The `Idempotency-Key` header: a mutation that is sent again after its answer was lost gets that answer, and is done
//! once, also at another server and after a crash
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
//!
//! Where a server died between the write and the keeping of its answer, the answer is rebuilt: the request is run once more
//! in a way in which nothing can be written, and its payload is made of the record as it is now.
//!
//! What did not write is not kept: a request with something to mend may come again, mended, under the same key.

use async_graphql::{ServerError, Value};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Arrival, answer::Answer, problem::Problem, written};
use crate::{
    access::Actor,
    api::{Api, documents::Prepared},
    base::{error::Error, ids::Typed as _},
    db::journal::{Claimed, IdempotencyClaim, IdempotencyKey, RequestWork, idempotency},
};
use async_graphql::parser::types::{OperationType, Selection};
use std::sync::Arc;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer to what was done before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// On one of those that shows the record as it was when the answer was rebuilt, and not as the mutation left it.
const REBUILT: HeaderName = HeaderName::from_static("idempotency-rebuilt");
const LONGEST: usize = 255;
/// Bytes of a larger answer are not kept.
const LARGEST_ANSWER: usize = 1 << 20;
/// What a client does whose answer was sealed by a key that is gone.
const UNOPENED: &str = "read what came of it";
/// How much longer a request may take than the server allows it, with clocks that differ.
const SLACK: TimeDelta = TimeDelta::seconds(5);

/// Mutations on a person's own account and sessions, which go past tenants, where keys belong to, and carry secrets; and
/// those about the end of a tenant, where nothing else can be written, and a second one is refused by itself.
pub const WITHOUT_KEY: [&str; 23] = [
    "acceptInvitation",
    "beginProviderSignIn",
    "completeProviderSignIn",
    "completeSecondFactor",
    "confirmSecondFactor",
    "disableSecondFactor",
    "emailVerificationResend",
    "passwordChange",
    "refreshSession",
    "register",
    "renewRecoveryCodes",
    "requestPasswordReset",
    "resetPassword",
    "sessionRevoke",
    "sessionRevokeAll",
    "setUpSecondFactor",
    "signIn",
    "signOut",
    "switchTenant",
    "tenantCancelDeletion",
    "tenantScheduleDeletion",
    "verifyEmail",
    "viewerUpdate",
];

/// What is to be done with a request under its key.
pub(super) enum Keyed {
    /// There is no key.
    Without,
    /// It is run, or its answer rebuilt, and the answer is kept.
    Run(RequestWork),
    /// It was run before.
    Replay(Answer),
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The text of `data`.
    data: Option<String>,
    errors: Vec<ServerError>,
    #[serde(default)]
    is_rebuilt: bool,
}

/// Looks for the request's key, and claims it.
///
/// # Errors
/// 400 for a key that is none, or with which the request can't be run; 409 while it runs, or when its answer can't be
/// opened; 422 for a key that another request has; the database.
pub(super) async fn begin(
    arrival: &Arrival<'_>,
    actor: Option<&Arc<Actor>>,
    prepared: &Prepared,
) -> Result<Keyed, Problem> {
    let Arrival {
        api, parts, origin, ..
    } = arrival;
    if prepared.operation().ty != OperationType::Mutation {
        return Ok(Keyed::Without);
    }
    let Some(key) = key(&parts.headers)? else {
        return Ok(Keyed::Without);
    };
    let field = only_field(prepared)?;
    let Some(actor) = actor.filter(|_| !WITHOUT_KEY.contains(&field)) else {
        let message = "an idempotency key goes with what is done in a tenant, not with accounts, sessions and the end of a tenant";
        return Err(refused("IDEMPOTENCY_UNSUPPORTED", message));
    };
    let key = IdempotencyKey {
        key,
        request: fingerprint(prepared),
    };
    let lease = TimeDelta::from_std(api.limits().timeout).unwrap_or(SLACK) + SLACK;
    let claimed = api.db.write(actor, origin, async |tx| {
        idempotency::claim(tx, key, lease).await
    });
    match claimed.await? {
        Claimed::New(claim) => Ok(Keyed::Run(RequestWork::under(Some(claim)))),
        Claimed::Committed(claim, committed) => {
            Ok(Keyed::Run(RequestWork::committed(claim, committed)))
        }
        Claimed::Answered(sealed) => replay(api, actor, &key.key, &sealed).map(Keyed::Replay),
        Claimed::Running => {
            let message = "a request with this idempotency key is running, ask again in a moment";
            let mut problem = conflict(Error::TakenOver.code(), message.to_owned());
            problem
                .headers
                .push((header::RETRY_AFTER, HeaderValue::from_static("1")));
            Err(problem)
        }
        Claimed::Another => Err(Problem::request(
            StatusCode::UNPROCESSABLE_ENTITY,
            "IDEMPOTENCY_KEY_REUSED",
            "this idempotency key came with another request before: a new request needs a new key",
        )),
    }
}

/// What becomes of a key once its request is through.
enum Settled {
    /// The answer is kept.
    Kept(Vec<u8>),
    /// The key is let go of: nothing was written.
    LetGo,
    /// What has become of it is found out by whoever comes next with the key.
    Open,
}

/// Keeps the answer to a request that has written, and lets go of the key of one that has not. What fails here leaves the
/// key as it is: that the request has written stands there already.
///
/// # Errors
/// 409 when the answer to what was done before can't be rebuilt.
pub(super) async fn settle(
    arrival: &Arrival<'_>,
    actor: &Arc<Actor>,
    work: &RequestWork,
    response: &mut async_graphql::Response,
) -> Result<(), Problem> {
    let Some(claim) = &work.claim else {
        return Ok(());
    };
    let Arrival { api, origin, .. } = arrival;
    let is_rebuilt = work.to_rebuild().is_some();
    let is_open = match is_rebuilt {
        // It can be rebuilt again.
        true => !response.errors.is_empty(),
        // The database was asked to commit and did not answer: only it knows.
        false => work.is_in_doubt(),
    };
    let settled = if is_open {
        Settled::Open
    } else if is_rebuilt || work.has_written() {
        let sealed = sealed(api, actor, claim, (response, is_rebuilt));
        sealed.map_or(Settled::Open, Settled::Kept)
    } else {
        Settled::LetGo
    };
    let written = api.db.write(actor, origin, async |tx| match &settled {
        Settled::Kept(answer) => idempotency::settle(tx, claim, Some(answer.clone())).await,
        Settled::LetGo => idempotency::settle(tx, claim, None).await,
        Settled::Open => idempotency::lapse(tx, claim).await,
    });
    if let Err(error) = written.await {
        tracing::warn!(%error, "the answer under an idempotency key was not kept");
    }
    if let Some(committed) = work.to_rebuild() {
        if let Some(why) = work.lost() {
            return Err(lost(committed.subject.as_ref(), why));
        }
        mark(response, is_rebuilt);
    }
    Ok(())
}

/// Says that an answer is one to what was done before.
fn mark(response: &mut async_graphql::Response, is_rebuilt: bool) {
    let yes = HeaderValue::from_static("true");
    let headers = &mut response.http_headers;
    headers.insert(REPLAYED, yes.clone());
    if is_rebuilt {
        headers.insert(REBUILT, yes);
    }
}

fn sealed(
    api: &Api,
    actor: &Actor,
    claim: &IdempotencyClaim,
    (response, is_rebuilt): (&async_graphql::Response, bool),
) -> Option<Vec<u8>> {
    let data = String::from_utf8(written::text(&response.data).to_vec()).ok()?;
    let kept = Kept {
        data: (response.data != Value::Null).then_some(data),
        errors: response.errors.clone(),
        is_rebuilt,
    };
    let text = serde_json::to_vec(&kept).ok()?;
    if text.len() > LARGEST_ANSWER {
        tracing::info!(
            bytes = text.len(),
            "an answer is too large to be kept under its idempotency key"
        );
        return None;
    }
    api.vault
        .seal_passing(&place(actor, claim.key()), &text)
        .ok()
}

fn replay(api: &Api, actor: &Actor, key: &[u8; 32], sealed: &[u8]) -> Result<Answer, Problem> {
    let opened = api.vault.open_passing(&place(actor, key), sealed);
    let kept = opened.and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
    // Sealed by a key that the configuration does not have any more.
    let kept = kept.ok_or_else(|| lost(None, UNOPENED))?;
    let data = kept
        .data
        .map_or(Value::Null, |text| Value::Binary(text.into()));
    let mut response = async_graphql::Response::new(data);
    response.errors = kept.errors;
    mark(&mut response, kept.is_rebuilt);
    Ok(Answer::executed(response))
}

/// What an answer is sealed for: it opens nowhere else.
fn place(actor: &Actor, key: &[u8; 32]) -> String {
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("idempotency {} {} {key}", actor.tenant.uuid(), actor.author)
}

/// SHA-256 of what the client calls its request: a text in quotes, as the draft says, or as it stands.
fn key(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let mut sent = headers.get_all(HEADER).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| sent.next().is_none());
    let text = text.map(|text| {
        let quoted = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        quoted.unwrap_or(text)
    });
    let is_key = |text: &&str| {
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let text = text.filter(is_key).ok_or_else(|| {
        let message =
            "an idempotency key is one header of 1 to 255 visible ASCII characters, such as a UUID";
        refused("IDEMPOTENCY_KEY_INVALID", message)
    })?;
    Ok(Some(Sha256::digest(text).into()))
}

/// The one field of a mutation. Several would be done one after the other, and a crash could leave half of them.
fn only_field(prepared: &Prepared) -> Result<&str, Problem> {
    match prepared.operation().selection_set.node.items.as_slice() {
        [item] => match &item.node {
            Selection::Field(field) => Ok(field.node.name.node.as_str()),
            _ => Err(several()),
        },
        _ => Err(several()),
    }
}

fn several() -> Problem {
    let message = "with an idempotency key a mutation has one field, and no fragment in its place: send several requests";
    refused("IDEMPOTENCY_ONE_FIELD", message)
}

/// SHA-256 of what is asked for.
fn fingerprint(prepared: &Prepared) -> [u8; 32] {
    let mut digest = Sha256::new_with_prefix(prepared.document.hash);
    let name = prepared.operation_name.as_deref().unwrap_or_default();
    digest.update(name);
    digest.update([0]);
    // Maps of variables are sorted.
    digest.update(serde_json::to_vec(&prepared.variables).unwrap_or_default());
    digest.finalize().into()
}

fn refused(code: &'static str, message: &str) -> Problem {
    Problem::request(StatusCode::BAD_REQUEST, code, message)
}

fn conflict(code: &'static str, message: String) -> Problem {
    Problem::request(StatusCode::CONFLICT, code, message)
}

/// It was done, and its answer can't be had again.
fn lost(about: Option<&(String, uuid::Uuid)>, why: &'static str) -> Problem {
    let record = match about {
        Some((kind, id)) => format!(" (it is about the {kind} {id})"),
        None => String::new(),
    };
    let error = Error::AnswerLost(why);
    conflict(error.code(), format!("{error}{record}"))
}
