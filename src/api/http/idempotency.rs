//! The `Idempotency-Key` header: a mutation that is sent again after its answer was lost gets that answer, and is done
//! once, also at another server and after a crash
//! (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>).
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
    base::ids::Typed as _,
    db::journal::{Claimed, IdempotencyClaim, IdempotencyKey, idempotency},
};
use async_graphql::parser::types::{OperationType, Selection};
use std::sync::Arc;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that was kept.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const LONGEST: usize = 255;
/// Bytes of a larger answer are not kept.
const LARGEST_ANSWER: usize = 1 << 20;
/// How much longer a request may take than the server allows it, with clocks that differ.
const SLACK: TimeDelta = TimeDelta::seconds(5);

/// Mutations on a person's own account and sessions. They go past tenants, where keys belong to, and carry secrets.
pub const WITHOUT_KEY: [&str; 21] = [
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
    "verifyEmail",
    "viewerUpdate",
];

/// What is to be done with a request under its key.
pub(super) enum Keyed {
    /// There is no key.
    Without,
    /// It is run, and its answer kept.
    Run(IdempotencyClaim),
    /// It was run before.
    Replay(Answer),
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    /// The text of `data`.
    data: Option<String>,
    errors: Vec<ServerError>,
}

/// Looks for the request's key, and claims it.
///
/// # Errors
/// 400 for a key that is none, or with which the request can't be run; 409 while it runs, or when its answer is lost;
/// 422 for a key that another request has; the database.
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
        let message =
            "an idempotency key goes with what is done in a tenant, not with accounts and sessions";
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
        Claimed::New(claim) => Ok(Keyed::Run(claim)),
        Claimed::Answered(sealed) => replay(api, actor, &key.key, &sealed).map(Keyed::Replay),
        Claimed::Running => {
            let message = "a request with this idempotency key is running, ask again in a moment";
            let mut problem = conflict("IDEMPOTENCY_IN_PROGRESS", message.to_owned());
            problem
                .headers
                .push((header::RETRY_AFTER, HeaderValue::from_static("1")));
            Err(problem)
        }
        Claimed::Written(about) => Err(lost(about)),
        Claimed::Another => Err(Problem::request(
            StatusCode::UNPROCESSABLE_ENTITY,
            "IDEMPOTENCY_KEY_REUSED",
            "this idempotency key came with another request before: a new request needs a new key",
        )),
    }
}

/// Keeps the answer to a request that has written, and lets go of the key of one that has not. What fails here leaves the
/// key as it is: that the request has written stands there already.
pub(super) async fn settle(
    arrival: &Arrival<'_>,
    actor: &Arc<Actor>,
    claim: &IdempotencyClaim,
    response: Option<&async_graphql::Response>,
) {
    let Arrival { api, origin, .. } = arrival;
    let answer = match response {
        None => None,
        Some(response) => match sealed(api, actor, claim, response) {
            Some(sealed) => Some(sealed),
            None => return,
        },
    };
    let settled = api.db.write(actor, origin, async |tx| {
        idempotency::settle(tx, claim, answer.clone()).await
    });
    if let Err(error) = settled.await {
        tracing::warn!(%error, "the answer under an idempotency key was not kept");
    }
}

fn sealed(
    api: &Api,
    actor: &Actor,
    claim: &IdempotencyClaim,
    response: &async_graphql::Response,
) -> Option<Vec<u8>> {
    let data = String::from_utf8(written::text(&response.data).to_vec()).ok()?;
    let kept = Kept {
        data: (response.data != Value::Null).then_some(data),
        errors: response.errors.clone(),
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
    let kept = kept.ok_or_else(|| lost(None))?;
    let data = kept
        .data
        .map_or(Value::Null, |text| Value::Binary(text.into()));
    let mut response = async_graphql::Response::new(data);
    response.errors = kept.errors;
    response
        .http_headers
        .insert(REPLAYED, HeaderValue::from_static("true"));
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

/// The server died after it had written and before it had kept its answer.
fn lost(about: Option<(String, uuid::Uuid)>) -> Problem {
    let record = match about {
        Some((kind, id)) => format!(" It is about the {kind} {id}."),
        None => String::new(),
    };
    let message = format!(
        "this was done, and will not be done again, but its answer is lost: read what came of it.{record}"
    );
    conflict("IDEMPOTENCY_ANSWER_LOST", message)
}
