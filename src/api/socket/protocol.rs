//! The messages of graphql-transport-ws, and the codes that a socket is closed with
//! (<https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md>). Beyond the protocol there is one message of a
//! client, `refreshToken`, which is answered by a `pong`, since clients close on types that they do not know.

use serde_json::{Map, Value as Json, json};

/// The subprotocol.
pub(super) const NAME: &str = "graphql-transport-ws";

/// What a client says.
#[derive(Debug, PartialEq)]
pub(super) enum Incoming {
    /// The first message, with the token.
    Init(Option<String>),
    /// Begins an operation.
    Subscribe(String, Map<String, Json>),
    /// Ends one.
    Complete(String),
    /// Asks for a sign of life.
    Ping(Option<Json>),
    /// A sign of life.
    Pong,
    /// Goes on by another token.
    Refresh(String),
}

/// Why a socket is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Close {
    pub(super) code: u16,
    pub(super) reason: String,
}

impl Close {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        // A close frame takes 123 bytes.
        let mut reason = reason.into();
        let end = reason
            .char_indices()
            .map(|(at, c)| at + c.len_utf8())
            .take_while(|end| *end <= 123)
            .last();
        reason.truncate(end.unwrap_or(0));
        Self { code, reason }
    }

    pub(super) fn bad_message(why: &str) -> Self {
        Self::new(4400, format!("Invalid message: {why}"))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(4401, "Unauthorized: say connection_init first")
    }

    pub(super) fn forbidden(why: impl std::fmt::Display) -> Self {
        Self::new(4403, format!("Forbidden: {why}"))
    }

    pub(super) fn bad_subprotocol() -> Self {
        Self::new(4406, "Subprotocol not acceptable: use graphql-transport-ws")
    }

    pub(super) fn init_timeout() -> Self {
        Self::new(4408, "Connection initialisation timeout")
    }

    pub(super) fn taken(id: &str) -> Self {
        Self::new(4409, format!("Subscriber for {id} already exists"))
    }

    pub(super) fn too_many_inits() -> Self {
        Self::new(4429, "Too many initialisation requests")
    }

    pub(super) fn too_many(what: impl Into<String>) -> Self {
        Self::new(4429, what)
    }

    pub(super) fn too_big() -> Self {
        Self::new(1009, "Message too big")
    }

    pub(super) fn try_later() -> Self {
        Self::new(1013, "The server can't reach its database, try again later")
    }

    pub(super) fn restarting(retry_ms: u64) -> Self {
        Self::new(1012, format!("Service restart: come back in {retry_ms} ms"))
    }
}

/// Reads a message.
///
/// # Errors
/// 4400 for whatever is not one.
pub(super) fn read(text: &str) -> Result<Incoming, Close> {
    let Ok(Json::Object(mut message)) = serde_json::from_str(text) else {
        return Err(Close::bad_message("expected a JSON object"));
    };
    let kind = match message.remove("type") {
        Some(Json::String(kind)) => kind,
        _ => return Err(Close::bad_message("expected a type")),
    };
    let payload = message
        .remove("payload")
        .filter(|payload| !payload.is_null());
    let id = match message.remove("id") {
        Some(Json::String(id)) if !id.is_empty() && id.len() <= 128 => Some(id),
        None => None,
        _ => return Err(Close::bad_message("expected an id of 1 to 128 characters")),
    };
    match (kind.as_str(), id, payload) {
        ("connection_init", None, None) => Ok(Incoming::Init(None)),
        ("connection_init", None, Some(Json::Object(payload))) => {
            Ok(Incoming::Init(token(&payload)))
        }
        ("subscribe", Some(id), Some(Json::Object(payload))) => {
            Ok(Incoming::Subscribe(id, payload))
        }
        ("complete", Some(id), None) => Ok(Incoming::Complete(id)),
        ("ping", None, payload) => Ok(Incoming::Ping(payload)),
        ("pong", None, _) => Ok(Incoming::Pong),
        ("refreshToken", None, Some(Json::Object(payload))) => match token(&payload) {
            Some(token) => Ok(Incoming::Refresh(token)),
            None => Err(Close::bad_message("expected a token in the payload")),
        },
        _ => Err(Close::bad_message("expected a message of the protocol")),
    }
}

/// The token of a payload: `{ "token": "…" }`, or as the header is written, `{ "authorization": "Bearer …" }`.
fn token(payload: &Map<String, Json>) -> Option<String> {
    let text = |name: &str| payload.get(name).and_then(Json::as_str);
    let header = || {
        let (scheme, token) = text("authorization")
            .or_else(|| text("Authorization"))?
            .split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    };
    let token = text("token").or_else(header)?.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// `connection_ack`, with when the token ends.
pub(super) fn ack(token_expires_at: &str) -> String {
    json!({ "type": "connection_ack", "payload": { "tokenExpiresAt": token_expires_at } })
        .to_string()
}

/// `pong`, with the payload of the ping.
pub(super) fn pong(payload: Option<Json>) -> String {
    match payload {
        Some(payload) => json!({ "type": "pong", "payload": payload }).to_string(),
        None => r#"{"type":"pong"}"#.to_owned(),
    }
}

/// `next`, around an answer that is JSON already.
pub(super) fn next(id: &str, payload: &str) -> String {
    let id = Json::from(id).to_string();
    let mut message = String::with_capacity(payload.len() + id.len() + 40);
    message.push_str(r#"{"id":"#);
    message.push_str(&id);
    message.push_str(r#","type":"next","payload":"#);
    message.push_str(payload);
    message.push('}');
    message
}

/// `complete`, which ends an operation.
pub(super) fn complete(id: &str) -> String {
    json!({ "id": id, "type": "complete" }).to_string()
}

/// `error`, which ends an operation.
pub(super) fn error(id: &str, errors: Json) -> String {
    json!({ "id": id, "type": "error", "payload": errors }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_anything_else_closes_with_4400() {
        let init = read(r#"{"type":"connection_init","payload":{"authorization":"bearer abc"}}"#);
        assert_eq!(init, Ok(Incoming::Init(Some("abc".to_owned()))));
        let init = read(r#"{"type":"connection_init","payload":{"token":" abc "}}"#);
        assert_eq!(init, Ok(Incoming::Init(Some("abc".to_owned()))));
        assert_eq!(
            read(r#"{"type":"connection_init"}"#),
            Ok(Incoming::Init(None))
        );
        assert_eq!(read(r#"{"type":"ping"}"#), Ok(Incoming::Ping(None)));
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"start","id":"1","payload":{}}"#,
            r#"{"type":"subscribe","payload":{}}"#,
            r#"{"type":"subscribe","id":"","payload":{}}"#,
            r#"{"type":"subscribe","id":1,"payload":{}}"#,
            r#"{"type":"subscribe","id":"1"}"#,
            r#"{"type":"complete"}"#,
            r#"{"type":"next","id":"1","payload":{}}"#,
            r#"{"type":"refreshToken","payload":{}}"#,
        ] {
            assert_eq!(read(bad).map_err(|close| close.code), Err(4400), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_wrapped_as_it_is() {
        let text = next("a\"b", r#"{"data":{"x":1}}"#);
        let message: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!(
            message,
            json!({ "id": "a\"b", "type": "next", "payload": { "data": { "x": 1 } } })
        );
    }

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        let close = Close::forbidden("é".repeat(200));
        assert!(close.reason.len() <= 123 && close.reason.len() > 110);
    }
}
