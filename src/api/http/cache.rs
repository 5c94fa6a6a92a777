//! The response cache over HTTP: `Cache-Control` of requests, `Cache-Status` of responses, and entity tags.

use std::time::Duration;

use async_graphql::{Name, Value, indexmap::IndexMap};
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

use crate::api::{
    documents::Prepared,
    response_cache::{Bypass, CacheDirective, CacheStatus, MAX_AGE},
};

/// The directive of a request (RFC 9111, section 5.2.1); the strictest wins.
pub(super) fn directive(headers: &HeaderMap) -> CacheDirective {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let now = CacheDirective::MaxAge(Duration::ZERO);
    directives.fold(now, |strictest, directive| match strictest {
        CacheDirective::NoStore => CacheDirective::NoStore,
        _ if directive.eq_ignore_ascii_case("no-store") => CacheDirective::NoStore,
        _ if directive.eq_ignore_ascii_case("no-cache") => CacheDirective::NoCache,
        CacheDirective::MaxAge(_) => max_age(directive).map_or(strictest, CacheDirective::MaxAge),
        CacheDirective::NoCache => strictest,
    })
}

/// The `max-age` of a directive, [`MAX_AGE`] at most.
fn max_age(directive: &str) -> Option<Duration> {
    let (name, seconds) = directive.split_once('=')?;
    let seconds = seconds.parse().ok()?;
    name.eq_ignore_ascii_case("max-age")
        .then(|| Duration::from_secs(seconds).min(MAX_AGE))
}

/// Whether the client asks for the cache status in the response, by `extensions: { cache: true }`.
pub(super) fn is_status_requested(prepared: &Prepared) -> bool {
    matches!(
        prepared.extensions.0.get("cache"),
        Some(Value::Boolean(true))
    )
}

impl CacheStatus {
    /// The value of `Cache-Status` (RFC 9211).
    pub(super) fn to_header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Hit { .. } => "Dealgraph; hit",
            Self::Collapsed => "Dealgraph; fwd=uri-miss; collapsed",
            Self::Miss { is_stored: true } => "Dealgraph; fwd=uri-miss; stored",
            Self::Miss { is_stored: false } => "Dealgraph; fwd=uri-miss",
            Self::Bypass(Bypass::Directive) => "Dealgraph; fwd=request",
            Self::Bypass(Bypass::Off) => "Dealgraph; fwd=bypass; detail=OFF",
            Self::Bypass(Bypass::Dependencies) => "Dealgraph; fwd=bypass; detail=DEPENDENCIES",
            Self::Bypass(Bypass::Cheap) => "Dealgraph; fwd=bypass; detail=CHEAP",
            Self::Bypass(Bypass::Unknown) => "Dealgraph; fwd=bypass; detail=UNKNOWN",
        })
    }

    /// The value of `extensions.cache`.
    pub(super) fn to_extension(self) -> Value {
        let (status, reason) = match self {
            Self::Hit { .. } => ("HIT", None),
            Self::Collapsed => ("HIT", Some("JOINED")),
            Self::Miss { is_stored: true } => ("MISS", None),
            Self::Miss { is_stored: false } => ("MISS", Some("NOT_KEPT")),
            Self::Bypass(bypass) => (
                "BYPASS",
                Some(match bypass {
                    Bypass::Off => "OFF",
                    Bypass::Dependencies => "DEPENDENCIES",
                    Bypass::Cheap => "CHEAP",
                    Bypass::Directive => "REQUESTED",
                    Bypass::Unknown => "UNKNOWN",
                }),
            ),
        };
        let reason = reason.map_or(Value::Null, Value::from);
        Value::Object(IndexMap::from_iter([
            (Name::new("status"), Value::from(status)),
            (Name::new("reason"), reason),
            (
                Name::new("age"),
                self.age().map_or(Value::Null, Value::from),
            ),
        ]))
    }

    /// How many seconds ago a cached response was current.
    pub(super) fn age(self) -> Option<u64> {
        match self {
            Self::Hit { age } => Some(age),
            _ => None,
        }
    }
}

/// The entity tag of a response's data. A weak one: beside the data a response says what it has cost.
pub(super) fn tag(data: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(data);
    let hex: String = hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    HeaderValue::from_str(&format!("W/\"{hex}\"")).expect("hex digits in quotes")
}

/// Whether `If-None-Match` names this tag (RFC 9110, section 13.1.2).
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let opaque = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tag.to_str()
        .is_ok_and(|tag| tags.any(|sent| sent == "*" || opaque(sent) == opaque(tag)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("a header"))])
    }

    #[test]
    fn the_strictest_directive_of_a_request_wins() {
        let of = |value| directive(&headers(header::CACHE_CONTROL, value));
        let within = |seconds| CacheDirective::MaxAge(Duration::from_secs(seconds));
        assert_eq!(directive(&HeaderMap::new()), within(0));
        assert_eq!(of("max-age=0"), within(0));
        assert_eq!(of("Max-Age=7, max-stale"), within(7));
        assert_eq!(of("max-age=3600"), within(60));
        assert_eq!(of("max-age=soon"), within(0));
        assert_eq!(of("max-age=0, No-Cache"), CacheDirective::NoCache);
        assert_eq!(of("no-store, no-cache"), CacheDirective::NoStore);
    }

    #[test]
    fn a_tag_is_known_however_it_is_listed() {
        let tag = tag(b"{}");
        let text = tag.to_str().expect("plain text");
        let is_known = |sent: &str| is_known(&headers(header::IF_NONE_MATCH, sent), &tag);
        assert!(is_known(text) && is_known("*"));
        assert!(is_known(&format!(
            "\"other\", {}",
            text.trim_start_matches("W/")
        )));
        assert!(!is_known("W/\"other\""));
    }
}
