//! The head of a request: where it comes from, its token, and its content type.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::{Outcome, forwarded, problem::Problem};
use crate::db::journal::Origin;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST_REQUEST_ID: usize = 64;
const LONGEST_USER_AGENT: usize = 256;
const LONGEST_TOKEN: usize = 8 * 1024;

/// The origin of a request, by its head and what so many trusted proxies say.
pub(in crate::api) fn origin(parts: &Parts, trusted_proxies: usize) -> Origin {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let user_agent = parts
        .headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Origin {
        request_id: request_id(&parts.headers),
        address: forwarded::client(&parts.headers, trusted_proxies)
            .or(peer.map(|peer| peer.0.ip().to_canonical())),
        user_agent: user_agent.map(|text| text.chars().take(LONGEST_USER_AGENT).collect()),
        work: None,
    }
}

/// The id that the client sent as `x-request-id`, if it is sane, else a new one.
#[must_use]
pub fn request_id(headers: &HeaderMap) -> String {
    let sent = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    sent.filter(|id| is_sane(id))
        .map_or_else(|| format!("{:032x}", fastrand::u128(..)), str::to_owned)
}

/// A request id goes into logs and headers, so it is short and plain.
fn is_sane(id: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_REQUEST_ID).contains(&id.len()) && id.bytes().all(is_plain)
}

/// The answer with its request's id, and what the log wants to know.
pub(in crate::api) fn identified(mut response: Response, outcome: Outcome) -> Response {
    if let Ok(id) = HeaderValue::from_str(&outcome.request_id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.extensions_mut().insert(outcome);
    response
}

/// The bearer token, from the `authorization` header and nowhere else: addresses end up in logs and histories.
///
/// # Errors
/// The header is there but is not one bearer token of at most 8 kB.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    if sent.next().is_some() {
        return Err(Problem::unauthenticated(
            "there is more than one authorization header",
        ));
    }
    let not_bearer = || {
        Problem::unauthenticated("the authorization header must be \"Bearer\" and an access token")
    };
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(not_bearer)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains(' ') {
        return Err(not_bearer());
    }
    if token.len() > LONGEST_TOKEN {
        let message = format!(
            "the token has {} bytes, at most {LONGEST_TOKEN} are allowed",
            token.len()
        );
        return Err(Problem::unauthenticated(message));
    }
    Ok(Some(token))
}

/// Passes a body that is declared as JSON in UTF-8 without a content coding.
///
/// # Errors
/// 415 for any other type, also for the types that a web page may send to other sites unasked.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |message| {
        Problem::request(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UNSUPPORTED_MEDIA_TYPE",
            message,
        )
    };
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding.as_bytes() != b"identity")
    {
        return Err(unsupported("send the body without a content-encoding"));
    }
    let sent = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut parts = sent.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    if !is_json {
        return Err(unsupported("send the body as application/json"));
    }
    let is_utf8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .all(|(name, value)| {
            let value = value.trim().trim_matches('"');
            !name.trim().eq_ignore_ascii_case("charset") || value.eq_ignore_ascii_case("utf-8")
        });
    if is_utf8 {
        Ok(())
    } else {
        Err(unsupported("send the body in utf-8"))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn headers(of: &[(HeaderName, &str)]) -> HeaderMap {
        of.iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    HeaderValue::from_str(value).expect("a header"),
                )
            })
            .collect()
    }

    fn token(value: &str) -> Result<Option<String>, &'static str> {
        let headers = headers(&[(header::AUTHORIZATION, value)]);
        bearer(&headers)
            .map(|token| token.map(str::to_owned))
            .map_err(|problem| problem.code)
    }

    #[test]
    fn only_one_bearer_token_of_sane_length_is_read() {
        assert_eq!(
            bearer(&HeaderMap::new()).map_err(|problem| problem.code),
            Ok(None)
        );
        assert_eq!(token("Bearer a.b.c"), Ok(Some("a.b.c".into())));
        assert_eq!(token("bearer  a.b.c"), Ok(Some("a.b.c".into())));
        for bad in [
            "Basic YTpi",
            "Bearer",
            "Bearer ",
            "a.b.c",
            "Bearer a b",
            "",
            "Bearer \u{e9}",
        ] {
            assert_eq!(token(bad), Err("UNAUTHENTICATED"), "{bad}");
        }
        assert_eq!(
            token(&format!("Bearer {}", "x".repeat(8 * 1024))),
            Ok(Some("x".repeat(8 * 1024)))
        );
        assert_eq!(
            token(&format!("Bearer {}", "x".repeat(8 * 1024 + 1))),
            Err("UNAUTHENTICATED")
        );
        let mut two = headers(&[(header::AUTHORIZATION, "Bearer a")]);
        two.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert!(bearer(&two).is_err());
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        let allowed = |value| require_json(&headers(&[(header::CONTENT_TYPE, value)])).is_ok();
        for good in [
            "application/json",
            "Application/JSON; Charset=\"UTF-8\"",
            "application/json;charset=utf-8; x=y",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "text/plain",
            "application/json; charset=utf-16",
            "application/graphql",
            "multipart/form-data",
            "",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
        assert!(require_json(&HeaderMap::new()).is_err());
        let packed = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CONTENT_ENCODING, "gzip"),
        ];
        assert!(require_json(&headers(&packed)).is_err());
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_replaced() {
        let id = |sent: &str| {
            let request = Request::builder()
                .header(REQUEST_ID, sent)
                .body(())
                .expect("a request");
            origin(&request.into_parts().0, 0).request_id
        };
        assert_eq!(id("req_1.a-B"), "req_1.a-B");
        for bad in ["", "a b", "a\"b", "<script>", &"x".repeat(65)] {
            let made = id(bad);
            assert!(made.len() == 32 && is_sane(&made), "{bad}: {made}");
        }
        assert_ne!(id(""), id(""));
    }
}
