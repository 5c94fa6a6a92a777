//! The cache in the words of HTTP: what a request wishes, what became of it, and answers that the client has already.

use std::time::Duration;

use async_graphql::{Name, Value, indexmap::IndexMap};
use axum::http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};

use crate::api::{
    documents::Prepared,
    response_cache::{Bypass, OLDEST, Usage, Wish},
};

/// How a request wants to be answered (RFC 9111, section 5.2.1).
pub(super) fn wish(headers: &HeaderMap) -> Wish {
    let values = headers.get_all(header::CACHE_CONTROL).iter();
    let directives = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim);
    let now = Wish::Within(Duration::ZERO);
    directives.fold(now, |wish, directive| match wish {
        Wish::Unkept => Wish::Unkept,
        _ if directive.eq_ignore_ascii_case("no-store") => Wish::Unkept,
        _ if directive.eq_ignore_ascii_case("no-cache") => Wish::Fresh,
        Wish::Within(_) => age(directive).map_or(wish, Wish::Within),
        Wish::Fresh => wish,
    })
}

/// How old an answer may be. No directive makes it older than [`OLDEST`].
fn age(directive: &str) -> Option<Duration> {
    let (name, seconds) = directive.split_once('=')?;
    let seconds = seconds.parse().ok()?;
    name.eq_ignore_ascii_case("max-age")
        .then(|| Duration::from_secs(seconds).min(OLDEST))
}

/// Whether the client asks what became of its request, by `extensions: { cache: true }`.
pub(super) fn is_asked_for(prepared: &Prepared) -> bool {
    matches!(
        prepared.extensions.0.get("cache"),
        Some(Value::Boolean(true))
    )
}

impl Usage {
    /// As `Cache-Status` says it (RFC 9211).
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Hit { .. } => "Dealgraph; hit",
            Self::Joined => "Dealgraph; fwd=uri-miss; collapsed",
            Self::Miss { is_kept: true } => "Dealgraph; fwd=uri-miss; stored",
            Self::Miss { is_kept: false } => "Dealgraph; fwd=uri-miss",
            Self::Bypass(Bypass::Wish) => "Dealgraph; fwd=request",
            Self::Bypass(Bypass::Off) => "Dealgraph; fwd=bypass; detail=OFF",
            Self::Bypass(Bypass::Dependencies) => "Dealgraph; fwd=bypass; detail=DEPENDENCIES",
            Self::Bypass(Bypass::Cheap) => "Dealgraph; fwd=bypass; detail=CHEAP",
            Self::Bypass(Bypass::Unknown) => "Dealgraph; fwd=bypass; detail=UNKNOWN",
        })
    }

    /// As `extensions.cache` says it.
    pub(super) fn told(self) -> Value {
        let (status, reason) = match self {
            Self::Hit { .. } => ("HIT", None),
            Self::Joined => ("HIT", Some("JOINED")),
            Self::Miss { is_kept: true } => ("MISS", None),
            Self::Miss { is_kept: false } => ("MISS", Some("NOT_KEPT")),
            Self::Bypass(bypass) => (
                "BYPASS",
                Some(match bypass {
                    Bypass::Off => "OFF",
                    Bypass::Dependencies => "DEPENDENCIES",
                    Bypass::Cheap => "CHEAP",
                    Bypass::Wish => "REQUESTED",
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

    /// How many seconds ago a kept answer was known to be true.
    pub(super) fn age(self) -> Option<u64> {
        match self {
            Self::Hit { age } => Some(age),
            _ => None,
        }
    }
}

/// The entity tag of an answer's data. A weak one: beside the data an answer says what it has cost.
pub(super) fn tag(data: &[u8]) -> HeaderValue {
    let hash = Sha256::digest(data);
    let hex: String = hash[..16]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    HeaderValue::from_str(&format!("W/\"{hex}\"")).expect("hex digits in quotes")
}

/// Whether a client has an answer with this tag already (RFC 9110, section 13.1.2).
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
    fn a_request_says_how_it_wants_to_be_answered() {
        let of = |value| wish(&headers(header::CACHE_CONTROL, value));
        let within = |seconds| Wish::Within(Duration::from_secs(seconds));
        assert_eq!(wish(&HeaderMap::new()), within(0));
        assert_eq!(of("max-age=0"), within(0));
        assert_eq!(of("Max-Age=7, max-stale"), within(7));
        assert_eq!(of("max-age=3600"), within(60));
        assert_eq!(of("max-age=soon"), within(0));
        assert_eq!(of("max-age=0, No-Cache"), Wish::Fresh);
        assert_eq!(of("no-store, no-cache"), Wish::Unkept);
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
