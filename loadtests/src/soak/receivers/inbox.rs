//! What an endpoint was sent.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering};

use bytes::Bytes;
use dealgraph::{
    base::clock::Clock,
    platform::standard_webhooks::{SigningKey, Unverified, verify},
};
use hyper::{HeaderMap, StatusCode};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::moods::Moods;
use crate::{
    receiver::Reply,
    soak::{
        history::{Arrival, Message, Received, Violation},
        kind::{Kind, known_word, uuid_of},
        subscribers::{SharedState, track},
    },
};

pub(crate) struct Inbox {
    /// Names the endpoint in reports.
    pub(crate) name: String,
    pub(super) is_masked: bool,
    /// Whether the clocks of servers can be wrong, so that what they sign may be of another time.
    pub(super) has_false_clocks: bool,
    pub(super) key: OnceLock<SigningKey>,
    pub(super) shared: Arc<SharedState>,
    pub(super) kept: Mutex<Kept>,
}

pub(super) struct Kept {
    pub(super) moods: Moods,
    pub(super) arrivals: Vec<Arrival>,
}

impl Inbox {
    /// Takes something that came.
    pub(super) fn take(&self, headers: &HeaderMap, body: &Bytes) -> Reply {
        let header = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default()
        };
        let id = header("webhook-id");
        let verified = self.verify(
            (id, header("webhook-timestamp")),
            header("webhook-signature"),
            body,
        );
        let message = verified.and_then(|()| self.read(body));
        let message = message.map_err(|wrong| {
            let text = String::from_utf8_lossy(body);
            self.shared
                .stats
                .complain(format!("{} was sent {wrong}: {text}", self.name));
        });
        let mut kept = self.kept();
        let reply = match self.shared.is_calm.load(Ordering::Relaxed) {
            true => Reply::Now(StatusCode::NO_CONTENT),
            false => kept.moods.reply(),
        };
        let is_taken = match reply {
            Reply::Now(status) | Reply::After(_, status) => status.is_success(),
            Reply::Cut => false,
        };
        // What can't be read was complained of.
        if let Ok(message) = message {
            kept.arrivals.push(Arrival {
                id: id.to_owned(),
                digest: Sha256::digest(body).into(),
                message,
                is_taken,
            });
        }
        let how = match reply {
            Reply::Now(status) => format!("webhooks answered {}", status.as_u16()),
            Reply::After(..) => "webhooks answered late".to_owned(),
            Reply::Cut => "webhooks cut off".to_owned(),
        };
        self.shared.stats.count(&how);
        reply
    }

    /// All that came, which is forgotten here.
    pub(crate) fn empty(&self) -> Vec<Arrival> {
        std::mem::take(&mut self.kept().arrivals)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verify(
        &self,
        (id, timestamp): (&str, &str),
        signature: &str,
        body: &Bytes,
    ) -> Result<(), Violation> {
        let Some(key) = self.key.get() else {
            return Err("something before it had a secret".to_owned());
        };
        let keys = std::slice::from_ref(key);
        let at = |now| verify(keys, id, timestamp, signature, body, now);
        let verified = match at(Clock::system().now()) {
            Err(Unverified::Untimely) if self.has_false_clocks => {
                let theirs = timestamp.parse().ok();
                let theirs =
                    theirs.and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0));
                theirs.map_or(Err(Unverified::Malformed), at)
            }
            verified => verified,
        };
        verified.map_err(|error| format!("what it can't verify ({error})"))
    }

    fn read(&self, body: &Bytes) -> Result<Message, Violation> {
        let json: Json = serde_json::from_slice(body).map_err(|_| "no JSON")?;
        if json.get("errors").is_some() {
            return Err("errors".to_owned());
        }
        let data = &json["data"];
        if self.is_masked && tells_amounts(data) {
            return Err("an amount".to_owned());
        }
        let seq = json["cursor"].as_str().and_then(track::place);
        let id = data["recordId"].as_str().unwrap_or_default();
        let kind = id.split_once(':').and_then(|(kind, _)| Kind::read(kind));
        let (seq, kind) = (seq.ok_or("no cursor")?, kind.ok_or("another record")?);
        let word = data["kind"].as_str().and_then(known_word);
        let number = |value: &Json| value.as_i64().and_then(|value| i32::try_from(value).ok());
        Ok(Message {
            tenant: uuid_of(&json["tenantId"]),
            of: json["type"].as_str().unwrap_or_default().to_owned(),
            said: Received {
                seq,
                word: word.ok_or("another kind")?,
                id: uuid_of(&data["recordId"]),
                version: number(&data["version"]),
                shown: number(&data[kind.word()]["version"]),
            },
        })
    }
}

/// Whether an amount is anywhere, be it of the record or of what was changed.
fn tells_amounts(data: &Json) -> bool {
    match data {
        Json::Object(fields) => {
            let is_of_amount = |name: &str| {
                let field = fields.get(name).and_then(Json::as_str);
                field.is_some_and(|field| field.to_lowercase().contains("amount"))
            };
            let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
            let is_told = is_of_amount("field") && (has("before") || has("after"));
            is_told || has("amountMinor") || fields.values().any(tells_amounts)
        }
        Json::Array(items) => items.iter().any(tells_amounts),
        _ => false,
    }
}
