//! Which origins may open a socket. A socket presents its token in its first message, so a foreign page has nothing to
//! act with; this keeps it from trying at all.

use axum::http::{HeaderMap, header};
use url::{Origin, Url};

/// Origins of pages, beside the server's own.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<Origin>);

impl Origins {
    /// The pages at these addresses.
    pub fn of<'u>(addresses: impl IntoIterator<Item = &'u Url>) -> Self {
        Self(addresses.into_iter().map(Url::origin).collect())
    }

    /// Whether a request comes from a page of an allowed origin, or from no page at all.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else {
            return true;
        };
        let Some(url) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else {
            return false;
        };
        let host = headers
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let own = ["http", "https"]
            .iter()
            .filter_map(|scheme| Url::parse(&format!("{scheme}://{}", host?)).ok());
        own.map(|url| url.origin())
            .chain(self.0.iter().cloned())
            .any(|allowed| allowed == url.origin())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn own_and_named_pages_are_let_in_and_programs_and_no_others() {
        let app = Url::parse("https://app.example/board").expect("an address");
        let origins = Origins::of([&app]);
        let allows = |origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("api.example:8080"));
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            origins.allow(&headers)
        };
        for origin in [
            None,
            Some("http://api.example:8080"),
            Some("https://api.example:8080"),
            Some("https://app.example"),
        ] {
            assert!(allows(origin), "{origin:?}");
        }
        for origin in [
            "http://app.example",
            "https://evil.example",
            "null",
            "https://api.example",
            "",
        ] {
            assert!(!allows(Some(origin)), "{origin}");
        }
    }
}
