//! The header of a token before it is verified: which key to check it with, and whose it claims to be.
//!
//! Of the header only `alg`, `kid` and `typ` count. A header that brings keys or addresses of keys along, or demands
//! what we don't know (`crit`), is refused outright (RFC 8725, sections 3.1 and 3.10). So is a token that is too long.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};

/// No legitimate token is longer, in bytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The header of a token. A name that is given twice is an error of the derived reader.
#[derive(Deserialize)]
pub(super) struct TokenHeader {
    pub(super) kid: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default, deserialize_with = "is_there")]
    crit: bool,
    #[serde(default, deserialize_with = "is_there")]
    jwk: bool,
    #[serde(default, deserialize_with = "is_there")]
    jku: bool,
    #[serde(default, deserialize_with = "is_there")]
    x5c: bool,
    #[serde(default, deserialize_with = "is_there")]
    x5u: bool,
}

/// Reads the header; `None` when the token is none of ours.
pub(super) fn read(token: &str) -> Option<TokenHeader> {
    let header: TokenHeader = part(token, 0)?;
    let is_plain = !(header.crit || header.jwk || header.jku || header.x5c || header.x5u);
    let is_access = header
        .typ
        .as_deref()
        .is_none_or(|typ| typ.eq_ignore_ascii_case("JWT") || typ.eq_ignore_ascii_case("at+jwt"));
    (is_plain && is_access).then_some(header)
}

/// The issuer that a token claims. Nothing is verified yet: this only chooses the keys to verify it with.
pub(super) fn claimed_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claimed {
        iss: String,
    }
    part(token, 1).map(|claimed: Claimed| claimed.iss)
}

fn part<T: DeserializeOwned>(token: &str, place: usize) -> Option<T> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let parts: Vec<&str> = token.splitn(4, '.').collect();
    if parts.len() != 3 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(parts[place]).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Whether a name is there at all, be it `null`.
fn is_there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kid(head: &str) -> Option<String> {
        let token = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(head));
        read(&token).map(|head| head.kid)
    }

    #[test]
    fn a_plain_head_names_its_key_and_any_other_is_refused() {
        let plain = r#"{"alg":"EdDSA","typ":"JWT","kid":"k","cty":"x"}"#;
        assert_eq!(kid(plain).as_deref(), Some("k"));
        assert_eq!(kid(r#"{"kid":"k"}"#).as_deref(), Some("k"));
        for more in [
            r#""crit":["exp"]"#,
            r#""crit":null"#,
            r#""jwk":{}"#,
            r#""jku":"http://127.0.0.1:1/"#,
            r#""x5u":"x""#,
            r#""x5c":[]"#,
            r#""typ":"logout+jwt""#,
            r#""kid":"k""#,
        ] {
            assert_eq!(kid(&format!(r#"{{"kid":"k",{more}}}"#)), None, "{more}");
        }
        for bad in ["", "[]", "null", "{}", r#"{"kid":1}"#, r#"{"kid":null}"#] {
            assert_eq!(kid(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_has_three_parts_and_an_end() {
        let head = URL_SAFE_NO_PAD.encode(r#"{"kid":"k"}"#);
        for bad in [
            head.clone(),
            format!("{head}."),
            format!("{head}..."),
            format!("{head}.a.b.c"),
            format!("{head}.a.{}", "b".repeat(MAX_TOKEN_BYTES)),
        ] {
            assert!(read(&bad).is_none());
        }
        assert!(read(&format!("{head}.a.b")).is_some());
    }

    #[test]
    fn the_claimed_issuer_is_read_unless_it_is_said_twice() {
        let claims =
            |text: &str| claimed_issuer(&format!("e30.{}.AA", URL_SAFE_NO_PAD.encode(text)));
        assert_eq!(claims(r#"{"iss":"a","sub":1}"#).as_deref(), Some("a"));
        assert_eq!(claims(r#"{"iss":"a","iss":"b"}"#), None);
        assert_eq!(claims(r#"{"sub":"a"}"#), None);
    }
}
