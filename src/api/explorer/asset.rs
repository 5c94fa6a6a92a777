//! One file of the page, under a name that changes with its content, so that browsers may keep it for good.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::platform::server::coding::{Coding, SHORTEST};

/// A file that came with the binary.
pub(super) struct Asset {
    path: String,
    content_type: &'static str,
    plain: &'static [u8],
    /// The same in each coding, made when it is first asked for; without those in which it is no smaller.
    encoded: [OnceCell<Option<Bytes>>; 3],
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
            encoded: Default::default(),
        }
    }

    /// Adds the same content, compressed at build time.
    pub(super) fn with_gzip(mut self, gzipped: &'static [u8]) -> Self {
        let gzipped = Some(Bytes::from_static(gzipped));
        self.encoded[Coding::Gzip as usize] = OnceCell::from(gzipped);
        self
    }

    /// Where it is served.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The file, compressed if the client takes that.
    pub(super) async fn answer(&self, request: &HeaderMap) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.content_type),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::VARY, "accept-encoding"),
        ];
        let coding = Coding::negotiate(request).filter(|_| self.plain.len() > SHORTEST);
        if let Some(coding) = coding {
            let encode = || coding.encode(Bytes::from_static(self.plain));
            let encoded = self.encoded[coding as usize].get_or_init(encode);
            if let Some(encoded) = encoded.await {
                let coding = [(header::CONTENT_ENCODING, coding.header())];
                return (headers, coding, encoded.clone()).into_response();
            }
        }
        (headers, self.plain).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_changes_with_the_content() {
        let one = Asset::new("a.js", "text/javascript", b"1");
        let two = Asset::new("a.js", "text/javascript", b"2");
        assert!(one.path().starts_with("/explorer/a-") && one.path().ends_with(".js"));
        assert_ne!(one.path(), two.path());
    }
}
