//! One file of the page, under a name that changes with its content, so that browsers may keep it for good.

use axum::http::header;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A file that came with the binary.
pub(super) struct Asset {
    path: String,
    content_type: &'static str,
    plain: &'static [u8],
    gzipped: Option<&'static [u8]>,
}

impl Asset {
    /// Names the file after its content: `explorer.js` becomes `/explorer/explorer-<hash>.js`.
    pub(super) fn new(name: &str, content_type: &'static str, plain: &'static [u8]) -> Self {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let hash: String = Sha256::digest(plain)
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            path: format!("/explorer/{stem}-{hash}.{extension}"),
            content_type,
            plain,
            gzipped: None,
        }
    }

    /// Adds the same content, compressed at build time.
    pub(super) fn with_gzip(self, gzipped: &'static [u8]) -> Self {
        Self {
            gzipped: Some(gzipped),
            ..self
        }
    }

    /// Where it is served.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The file, compressed if the client takes that.
    pub(super) fn answer(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::VARY, "accept-encoding"),
        ];
        match self.gzipped {
            Some(gzipped) if accepts_gzip(request) => (
                headers,
                [(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))],
                gzipped,
            )
                .into_response(),
            _ => (headers, self.plain).into_response(),
        }
    }
}

/// Whether gzip is named, by itself or by `*`, and not with weight 0.
fn accepts_gzip(request: &HeaderMap) -> bool {
    let mut by_star = false;
    for value in request.get_all(header::ACCEPT_ENCODING) {
        for choice in value.to_str().unwrap_or_default().split(',') {
            let (coding, weight) = choice.split_once(';').unwrap_or((choice, "q=1"));
            let weight = weight
                .trim()
                .trim_start_matches(['q', 'Q'])
                .trim_start_matches('=');
            let wanted = weight.parse::<f32>().is_ok_and(|weight| weight > 0.0);
            match coding.trim() {
                "*" => by_star = wanted,
                name if name.eq_ignore_ascii_case("gzip") => return wanted,
                _ => {}
            }
        }
    }
    by_star
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(value: &'static str) -> bool {
        accepts_gzip(&HeaderMap::from_iter([(
            header::ACCEPT_ENCODING,
            HeaderValue::from_static(value),
        )]))
    }

    #[test]
    fn gzip_is_sent_only_to_those_who_take_it() {
        assert!(accepts("gzip, deflate, br"));
        assert!(accepts("br;q=1.0, GZIP;q=0.5"));
        assert!(accepts("*"));
        assert!(!accepts("gzip;q=0, *"));
        assert!(!accepts("*;q=0"));
        assert!(!accepts("br"));
        assert!(!accepts("gzip;q=much"));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn the_name_changes_with_the_content() {
        let one = Asset::new("a.js", "text/javascript", b"1");
        let two = Asset::new("a.js", "text/javascript", b"2");
        assert!(one.path().starts_with("/explorer/a-") && one.path().ends_with(".js"));
        assert_ne!(one.path(), two.path());
    }
}
