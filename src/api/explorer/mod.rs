//! The API explorer: GraphiQL at `/`, served wholly out of the binary so that it works without internet.
//!
//! The page knows nothing of the server but three addresses: `/graphql`, and in development `/dev/people` and
//! `/dev/token`; where the latter do not exist it asks for a token. The files under `assets/` are built from `web/` by
//! `web/build.sh` and committed, so that building the server needs no Node.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use asset::Asset;

mod asset;

/// What the explorer opens with, each in a tab of its own: a document and its variables as JSON (or the empty text).
/// They must fit the schema, or the first thing a newcomer sees is an error.
pub const EXAMPLES: [(&str, &str); 2] = [
    (include_str!("examples/board.graphql"), ""),
    (
        include_str!("examples/move.graphql"),
        include_str!("examples/move.json"),
    ),
];

/// Nothing from elsewhere and nothing inline: a token in the page can only be sent back to where it came from.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "explorer.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/explorer.js"),
    )
    .with_gzip(include_bytes!("assets/explorer.js.gz"))
});

static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "explorer.css",
        "text/css; charset=utf-8",
        include_bytes!("assets/explorer.css"),
    )
    .with_gzip(include_bytes!("assets/explorer.css.gz"))
});

static ICON: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "icon.svg",
        "image/svg+xml",
        include_bytes!("assets/icon.svg"),
    )
});

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let tabs = EXAMPLES.map(|(query, variables)| json!({ "query": query.trim_end(), "variables": variables.trim_end() }));
    // Inside a script element only `<` could end the data early.
    let examples = json!(tabs).to_string().replace('<', "\\u003c");
    include_str!("page.html")
        .replace("{icon}", ICON.path())
        .replace("{style}", STYLE.path())
        .replace("{script}", SCRIPT.path())
        .replace("{examples}", &examples)
});

/// Serves the page at `/` and its files below `/explorer/`.
pub fn router() -> Router {
    [&SCRIPT, &STYLE, &ICON].into_iter().fold(
        Router::new().route("/", get(page)),
        |router, asset| {
            router.route(
                asset.path(),
                get(async |headers: HeaderMap| asset.answer(&headers).await),
            )
        },
    )
}

async fn page() -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Html(PAGE.as_str())).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn fetch(path: &str, accept_encoding: &str) -> Response {
        let request = Request::get(path)
            .header(header::ACCEPT_ENCODING, accept_encoding)
            .body(Body::empty())
            .unwrap();
        router().oneshot(request).await.unwrap()
    }

    async fn bytes(response: Response) -> Vec<u8> {
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec()
    }

    #[tokio::test]
    async fn everything_the_page_names_is_served_by_the_binary() {
        let page = fetch("/", "").await;
        assert_eq!(
            page.headers()[header::CONTENT_SECURITY_POLICY],
            CONTENT_SECURITY_POLICY
        );
        let html = String::from_utf8(bytes(page).await).unwrap();
        assert!(
            !html.contains("http://") && !html.contains("https://"),
            "the page reaches outside"
        );

        let named: Vec<&str> = html
            .split('"')
            .filter(|part| part.starts_with("/explorer/"))
            .collect();
        assert_eq!(named.len(), 3);
        for path in named {
            let asset = fetch(path, "").await;
            assert_eq!(asset.status(), StatusCode::OK, "{path}");
            assert!(
                asset.headers()[header::CACHE_CONTROL]
                    .to_str()
                    .unwrap()
                    .contains("immutable"),
                "{path}"
            );
        }
    }

    #[tokio::test]
    async fn the_examples_reach_the_page() {
        let html = String::from_utf8(bytes(fetch("/", "").await).await).unwrap();
        let (_, rest) = html.split_once("type=\"application/json\">").unwrap();
        let (data, _) = rest.split_once("</script>").unwrap();
        let tabs: serde_json::Value = serde_json::from_str(data).unwrap();
        for (tab, (query, variables)) in tabs.as_array().unwrap().iter().zip(EXAMPLES) {
            assert_eq!(tab["query"], query.trim_end());
            assert_eq!(tab["variables"], variables.trim_end());
        }
    }

    #[tokio::test]
    async fn the_script_is_compressed_for_those_who_take_it() {
        let plain = fetch(SCRIPT.path(), "identity").await;
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let plain = bytes(plain).await.len();
        for coding in ["gzip", "br", "zstd"] {
            let zipped = fetch(SCRIPT.path(), coding).await;
            assert_eq!(zipped.headers()[header::CONTENT_ENCODING], coding);
            assert!(bytes(zipped).await.len() < plain / 2);
        }
        let icon = fetch(ICON.path(), "gzip").await;
        assert!(
            !icon.headers().contains_key(header::CONTENT_ENCODING),
            "it is short"
        );
    }
}
