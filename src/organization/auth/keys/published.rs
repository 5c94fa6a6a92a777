//! The public halves of our keys, at their well-known addresses.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use serde_json::{Value, json};

use crate::organization::auth::Tokens;

/// How long the responses may be cached. New keys are published for as long before they sign.
const CACHE_CONTROL: (header::HeaderName, &str) = (header::CACHE_CONTROL, "public, max-age=60");

/// `/.well-known/jwks.json` (RFC 7517) and `/.well-known/openid-configuration` (RFC 8414).
pub(crate) fn router(tokens: Arc<Tokens>) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(keys))
        .route("/.well-known/openid-configuration", get(configuration))
        .with_state(tokens)
}

async fn keys(State(tokens): State<Arc<Tokens>>) -> Response {
    let now = tokens.clock().now();
    let held = tokens.ring().held();
    let keys: Vec<Value> = held
        .checking(now)
        .map(|key| {
            json!({
                "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
                "kid": key.kid, "x": key.pair.x,
            })
        })
        .collect();
    ([CACHE_CONTROL], Json(json!({ "keys": keys }))).into_response()
}

/// Only what is so: there are no endpoints for authorization or tokens, since people sign in over GraphQL, and no id
/// tokens. Lists without an entry are left out, as RFC 8414, section 3.2, wants it.
async fn configuration(State(tokens): State<Arc<Tokens>>) -> Response {
    let issuer = tokens.issuer();
    let Some(base) = web_address(issuer) else {
        let why = "this server's issuer is not a web address, so nothing is published under it";
        return (StatusCode::NOT_FOUND, why).into_response();
    };
    let known = json!({
        "issuer": issuer,
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "subject_types_supported": ["public"],
        "claims_supported": ["iss", "aud", "sub", "tid", "sid", "iat", "nbf", "exp"],
    });
    ([CACHE_CONTROL], Json(known)).into_response()
}

/// An issuer that others can look for the document at: https, or this very machine.
fn web_address(issuer: &str) -> Option<&str> {
    let url = url::Url::parse(issuer).ok()?;
    let is_local = matches!(url.host_str(), Some("localhost" | "127.0.0.1"));
    let is_fit = url.scheme() == "https" || (url.scheme() == "http" && is_local);
    let is_plain = url.query().is_none() && url.fragment().is_none();
    (is_fit && is_plain).then(|| issuer.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_web_address_is_an_issuer_to_look_at() {
        assert_eq!(
            web_address("https://crm.example/"),
            Some("https://crm.example")
        );
        assert!(web_address("http://127.0.0.1:8080").is_some());
        for other in [
            "dealgraph",
            "http://crm.example",
            "https://crm.example?a=b",
            "https://crm.example/#x",
            "urn:crm",
        ] {
            assert_eq!(web_address(other), None, "{other}");
        }
    }
}
