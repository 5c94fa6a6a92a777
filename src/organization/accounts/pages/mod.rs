//! The pages that mailed links lead to, for development and for trying things out: one small page without anything from
//! elsewhere, which sends what is typed to `/graphql`. A frontend of one's own has such pages itself.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("page.html")
        .replace("{style}", STYLE)
        .replace("{script}", SCRIPT)
});

/// Nothing from elsewhere, and inline only what is named by its hash: the secret of the link can only go back to where
/// the page came from.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// Serves `/account/verify-email`, `/account/reset-password` and `/account/accept-invitation`.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ["verify-email", "reset-password", "accept-invitation"]
        .into_iter()
        .fold(Router::new(), |router, act| {
            router.route(&format!("/account/{act}"), get(page))
        })
}

async fn page() -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(PAGE.as_str())).into_response()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::Request};
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn each_page_allows_only_what_stands_in_it() {
        for act in ["verify-email", "reset-password", "accept-invitation"] {
            let request = Request::get(format!("/account/{act}"))
                .body(Body::empty())
                .expect("a request");
            let answer = router::<()>().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{act}");
            assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
            let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .expect("text")
                .to_owned();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'sha256-")
                    && !policy.contains("unsafe")
            );
            let body = answer
                .into_body()
                .collect()
                .await
                .expect("a body")
                .to_bytes();
            let html = String::from_utf8(body.to_vec()).expect("text");
            // What the browser hashes is exactly what stands between the tags.
            assert!(html.contains(&format!("<script>{SCRIPT}</script>")));
            assert!(html.contains(&format!("<style>{STYLE}</style>")));
            assert!(!html.contains("http://") && !html.contains("https://"));
        }
    }
}
