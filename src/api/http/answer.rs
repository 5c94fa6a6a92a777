//! The response that is sent: the executor's or a problem, encoded, bounded and with the right status.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use async_graphql::{ServerError, Value};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::Outcome;
use super::accept::Media;
use super::cache;
use super::codes::{code, ensure_code, set_code};
use super::head::REQUEST_ID;
use super::position;
use super::problem::{FaultOrigin, Problem, limit_headers, status_of};
use super::written;
use crate::{
    api::{limits::Limits, response_cache::CacheStatus, spending::Spent, staleness::ReadFrom},
    events::Position,
    platform::{
        server::coding::{self, Coding},
        telemetry::PHASES,
    },
};

const LONGEST_MESSAGE: usize = 300;

/// An answer before it is written.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    fault: FaultOrigin,
    /// None when nothing was executed: then the entry is omitted, as the specification says.
    data: Option<Value>,
    errors: Vec<ServerError>,
    extensions: BTreeMap<String, Value>,
    headers: HeaderMap,
    /// The entity tag of a response that the client may cache and revalidate.
    tag: Option<Tag>,
    /// Whether it may be compressed: the length of a compressed secret could reveal it.
    is_compressible: bool,
}

#[derive(Debug)]
struct Tag {
    value: HeaderValue,
    /// Whether the client has this very response.
    is_known: bool,
}

impl Answer {
    /// The answer to a request that a problem has stopped.
    pub(super) fn of(problem: &Problem) -> Self {
        let mut error = ServerError::new(&problem.message, problem.position);
        set_code(&mut error, problem.code);
        if let Some(field) = &problem.field {
            let extensions = error.extensions.get_or_insert_default();
            extensions.set("field", field.as_str());
        }
        Self {
            status: problem.status,
            fault: problem.fault,
            data: None,
            errors: vec![error],
            extensions: BTreeMap::new(),
            headers: problem.headers.iter().cloned().collect(),
            tag: None,
            is_compressible: true,
        }
    }

    /// The executor's response. Errors without a path and no data mean that it refused to begin.
    pub(super) fn executed(mut response: async_graphql::Response) -> Self {
        response.errors.iter_mut().for_each(ensure_code);
        let has_begun = response.data != Value::Null
            || response.errors.iter().any(|error| !error.path.is_empty());
        let refusal = response
            .errors
            .first()
            .filter(|_| !has_begun)
            .map(|error| status_of(&code(error)));
        Self {
            status: refusal.unwrap_or(StatusCode::OK),
            fault: if refusal == Some(StatusCode::BAD_REQUEST) {
                FaultOrigin::Document
            } else {
                FaultOrigin::Request
            },
            data: refusal.is_none().then_some(response.data),
            errors: response.errors,
            extensions: response.extensions,
            headers: response.http_headers,
            tag: None,
            is_compressible: true,
        }
    }

    /// Sends it uncompressed, since the compressed length could reveal a secret in it.
    pub(super) fn disable_compression(&mut self) {
        self.is_compressible = false;
    }

    /// Adds what the cache did for the request; in the response's body only when the client asks for it.
    pub(super) fn set_cache_status(&mut self, status: CacheStatus, is_asked_for: bool) {
        self.headers.insert("cache-status", status.to_header());
        if let Some(age) = status.age() {
            self.headers.insert(header::AGE, HeaderValue::from(age));
        }
        if is_asked_for {
            self.extensions
                .insert("cache".to_owned(), status.to_extension());
        }
    }

    /// Adds how far in the tenant's records it is. Where that is not known, the client learns that too: what it sends
    /// back then is answered by the primary.
    pub(super) fn set_position(&mut self, position: Option<Position>) {
        let value = position.map(|position| HeaderValue::from_str(&position.to_string()));
        let value = value.unwrap_or(Ok(HeaderValue::from_static("unknown")));
        if let Ok(value) = value {
            self.headers.insert(position::HEADER, value);
        }
    }

    /// Adds where it was read.
    pub(super) fn set_read(&mut self, read: ReadFrom) {
        let value = match read {
            ReadFrom::Replica { age } => {
                self.headers.insert(header::AGE, HeaderValue::from(age));
                Ok(HeaderValue::from_static("replica"))
            }
            ReadFrom::Primary(why) => {
                HeaderValue::from_str(&format!("primary; reason={}", why.word()))
            }
        };
        if let Ok(value) = value {
            self.headers.insert(position::READ, value);
        }
    }

    /// Tags a response without errors, and compares it with what the client has.
    pub(super) fn tag(&mut self, sent: &HeaderMap) {
        let Some(data) = self.data.as_ref().filter(|_| self.errors.is_empty()) else {
            return;
        };
        let text = written::text(data);
        let value = cache::tag(&text);
        let is_known = cache::is_known(sent, &value);
        self.data = Some(Value::Binary(text));
        self.tag = Some(Tag { value, is_known });
    }

    /// Adds what the request has cost, and what is left.
    pub(super) fn set_cost(&mut self, spent: &Spent) {
        self.extensions
            .insert("cost".to_owned(), spent.to_extension());
        self.headers.extend(limit_headers(&spent.balance));
    }

    /// Adds what the time of the request went to (<https://www.w3.org/TR/server-timing/>), in milliseconds.
    pub(super) fn set_timing(&mut self, phases: &[Duration; PHASES.len()]) {
        let entries = PHASES.iter().zip(phases).map(|((_, name), took)| {
            let milliseconds = took.as_secs_f64() * 1_000.0;
            format!("{name};dur={milliseconds:.2}")
        });
        let entries: Vec<_> = entries.collect();
        if let Ok(value) = HeaderValue::from_str(&entries.join(", ")) {
            self.headers.insert("server-timing", value);
        }
    }

    fn bound_errors(&mut self, limits: &Limits) {
        let omitted = self.errors.len().saturating_sub(limits.errors);
        if omitted > 0 {
            self.errors.truncate(limits.errors);
            self.extensions
                .insert("errorsOmitted".to_owned(), Value::from(omitted));
        }
        for error in &mut self.errors {
            if let Some((end, _)) = error.message.char_indices().nth(LONGEST_MESSAGE) {
                error.message.truncate(end);
            }
        }
    }

    fn json(&self, limit: usize) -> Option<Vec<u8>> {
        let mut body = Bounded {
            bytes: Vec::with_capacity(1_024),
            limit,
        };
        self.write(&mut body).ok()?;
        Some(body.bytes)
    }

    fn write(&self, body: &mut Bounded) -> std::io::Result<()> {
        let mut lead: &[u8] = b"{";
        if !self.errors.is_empty() {
            body.write_all(b"{\"errors\":")?;
            serde_json::to_writer(&mut *body, &self.errors)?;
            lead = b",";
        }
        if let Some(data) = &self.data {
            body.write_all(lead)?;
            body.write_all(b"\"data\":")?;
            written::write(data, body)?;
            lead = b",";
        }
        if !self.extensions.is_empty() {
            body.write_all(lead)?;
            body.write_all(b"\"extensions\":")?;
            serde_json::to_writer(&mut *body, &self.extensions)?;
            lead = b",";
        }
        body.write_all(if lead == b"{" { b"{}" } else { b"}" })
    }
}

impl Answer {
    /// The answer's text, for a stream. Larger than allowed, it becomes the problem that says so.
    pub(super) fn text(mut self, limits: &Limits) -> String {
        self.bound_errors(limits);
        String::from_utf8(self.body(limits)).expect("JSON is UTF-8")
    }

    fn body(&mut self, limits: &Limits) -> Vec<u8> {
        self.json(limits.response_bytes).unwrap_or_else(|| {
            *self = Self::of(&limits.too_large().into());
            self.json(usize::MAX)
                .expect("one short error has a JSON text")
        })
    }
}

/// Writes the answer. Larger than allowed, it becomes the problem that says so.
pub(super) async fn finish(
    mut answer: Answer,
    media: Media,
    coding: Option<Coding>,
    mut outcome: Outcome,
    limits: &Limits,
) -> Response {
    answer.bound_errors(limits);
    let body = answer.body(limits);
    outcome.code = answer.errors.first().map(code);

    let is_old_client = media == Media::Json && answer.fault == FaultOrigin::Document;
    let is_known = answer.tag.as_ref().is_some_and(|tag| tag.is_known);
    let (status, body) = match (is_known, is_old_client) {
        (true, _) => (StatusCode::NOT_MODIFIED, Vec::new()),
        (false, true) => (StatusCode::OK, body),
        (false, false) => (answer.status, body),
    };
    let coding = coding.filter(|_| answer.is_compressible && body.len() > coding::SHORTEST);
    let (body, coding) = encoded(body, coding).await;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(answer.headers);
    if let Some(coding) = coding {
        headers.insert(header::CONTENT_ENCODING, coding.header());
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(media.content_type()),
    );
    let keeping = match answer.tag {
        // Private, and revalidated before each use: it must never be shown stale.
        Some(tag) => {
            headers.insert(header::ETAG, tag.value);
            "private, no-cache"
        }
        None => "no-store",
    };
    headers.insert(
        header::VARY,
        HeaderValue::from_static("authorization, accept, accept-encoding"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keeping));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let is_later = [
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if is_later.contains(&status) {
        headers
            .entry(header::RETRY_AFTER)
            .or_insert(HeaderValue::from_static("1"));
    }
    if let Ok(id) = HeaderValue::from_str(&outcome.request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response.extensions_mut().insert(outcome);
    response
}

/// The body in a coding, if that makes it smaller, and in which one it is.
async fn encoded(body: Vec<u8>, coding: Option<Coding>) -> (Bytes, Option<Coding>) {
    let body = Bytes::from(body);
    let Some(coding) = coding else {
        return (body, None);
    };
    match coding.encode(body.clone()).await {
        Some(encoded) => (encoded, Some(coding)),
        None => (body, None),
    }
}

/// A buffer that refuses to grow beyond its limit, so that a huge answer costs no second copy.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.limit {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{PathSegment, Response as Executed, value};
    use http_body_util::BodyExt;

    use super::*;

    struct Seen {
        status: u16,
        headers: HeaderMap,
        json: serde_json::Value,
        code: Option<String>,
    }

    async fn seen(answer: Answer, media: Media) -> Seen {
        let outcome = Outcome {
            request_id: "r1".into(),
            ..Outcome::default()
        };
        let limits = Limits {
            response_bytes: 4_096,
            ..Limits::default()
        };
        let (parts, body) = finish(answer, media, None, outcome, &limits)
            .await
            .into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes();
        Seen {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_slice(&body).expect("a JSON answer"),
            code: parts
                .extensions
                .get::<Outcome>()
                .and_then(|outcome| outcome.code.clone()),
        }
    }

    fn error(message: &str, code: Option<&str>, path: &[&str]) -> ServerError {
        let mut error = ServerError::new(message, None);
        if let Some(code) = code {
            set_code(&mut error, code);
        }
        error.with_path(
            path.iter()
                .map(|field| PathSegment::Field((*field).to_owned()))
                .collect(),
        )
    }

    #[tokio::test]
    async fn data_is_answered_with_200_and_with_or_without_errors() {
        let answer = Answer::executed(Executed::new(value!({ "a": 1 })));
        let seen = seen(answer, Media::GraphqlResponse).await;
        assert_eq!(
            (seen.status, seen.json, seen.code),
            (200, serde_json::json!({ "data": { "a": 1 } }), None)
        );
        assert_eq!(
            seen.headers["content-type"],
            "application/graphql-response+json; charset=utf-8"
        );
        assert_eq!(seen.headers["cache-control"], "no-store");
        assert_eq!(seen.headers["x-content-type-options"], "nosniff");
        assert_eq!(seen.headers["x-request-id"], "r1");
    }

    #[tokio::test]
    async fn an_error_of_a_field_is_a_partial_answer_also_when_it_takes_all_data() {
        for media in [Media::Json, Media::GraphqlResponse] {
            let answer = Answer::executed(Executed::from_errors(vec![error(
                "x",
                Some("NOT_FOUND"),
                &["a"],
            )]));
            let seen = seen(answer, media).await;
            assert_eq!(
                (seen.status, &seen.json["data"]),
                (200, &serde_json::Value::Null)
            );
            assert!(
                seen.json
                    .as_object()
                    .is_some_and(|answer| answer.contains_key("data"))
            );
        }
    }

    #[tokio::test]
    async fn a_document_that_is_not_valid_has_no_data() {
        for (media, status) in [(Media::Json, 200), (Media::GraphqlResponse, 400)] {
            let answer = Answer::executed(Executed::from_errors(vec![error(
                "unknown field",
                None,
                &[],
            )]));
            let seen = seen(answer, media).await;
            assert_eq!(
                (seen.status, seen.code.as_deref()),
                (status, Some("GRAPHQL_VALIDATION_FAILED"))
            );
            assert!(seen.json.get("data").is_none());
        }
    }

    #[tokio::test]
    async fn a_request_without_rights_has_its_status_in_both_types() {
        for media in [Media::Json, Media::GraphqlResponse] {
            let answer = Answer::executed(Executed::from_errors(vec![error(
                "sign in",
                Some("UNAUTHENTICATED"),
                &[],
            )]));
            let seen = seen(answer, media).await;
            assert_eq!(
                (seen.status, &seen.headers["www-authenticate"]),
                (401, &HeaderValue::from_static("Bearer"))
            );
        }
        let unavailable = Problem::from(crate::base::error::Error::Unavailable("the database"));
        let seen = seen(Answer::of(&unavailable), Media::Json).await;
        assert_eq!(
            (seen.status, &seen.headers["retry-after"]),
            (503, &HeaderValue::from_static("1"))
        );
    }

    #[tokio::test]
    async fn errors_are_few_and_short_and_nothing_internal_leaks() {
        let mut errors = vec![
            error(&"\u{e9}".repeat(400), None, &[]),
            error("relation \"deals\"", None, &["a"]),
        ];
        errors.push(error("Failed to parse \"Int\": no", None, &["a"]));
        errors.extend((0..10).map(|_| error("x", Some("X"), &["a"])));
        let seen = seen(Answer::executed(Executed::from_errors(errors)), Media::Json).await;
        let errors = seen.json["errors"].as_array().expect("errors");
        assert_eq!(
            (errors.len(), &seen.json["extensions"]["errorsOmitted"]),
            (5, &serde_json::json!(8))
        );
        assert_eq!(
            errors[0]["message"]
                .as_str()
                .map(|message| message.chars().count()),
            Some(LONGEST_MESSAGE)
        );
        assert_eq!(
            (&errors[1]["message"], &errors[1]["extensions"]["code"]),
            (&"an internal error occurred".into(), &"INTERNAL".into())
        );
        assert_eq!(errors[2]["extensions"]["code"], "BAD_USER_INPUT");
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_becomes_an_error() {
        let answer = Answer::executed(Executed::new(value!({ "a": ("x".repeat(5_000)) })));
        let seen = seen(answer, Media::GraphqlResponse).await;
        assert_eq!(
            (seen.status, seen.code.as_deref()),
            (400, Some("RESPONSE_TOO_LARGE"))
        );
        assert!(seen.json.get("data").is_none());
    }
}
