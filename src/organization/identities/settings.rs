//! The identity file: the outside providers that people sign in through, and the issuers whose access tokens are taken.
//!
//! A typing error never goes unnoticed: unknown members are errors, and every error names its path in the file.

use std::{collections::BTreeSet, path::Path};

use serde::{Deserialize, Deserializer};
use url::Url;

use crate::{base::secret::Secret, platform::outbound::is_safe};

/// What the identity file says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IdentityFile {
    /// Where people may sign in instead of giving a password.
    #[serde(default)]
    pub providers: Vec<ProviderConfig>,
    /// Whose access tokens are taken beside our own.
    #[serde(default)]
    pub issuers: Vec<IssuerConfig>,
}

/// An OpenID provider that people sign in through.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProviderConfig {
    /// What programs and tenants call it.
    pub key: String,
    /// What people call it.
    pub name: String,
    /// Its issuer; `/.well-known/openid-configuration` is read below it.
    pub issuer: WebAddress,
    /// Our name there.
    pub client_id: String,
    /// Our secret there; without one we are a public client and rely on PKCE.
    #[serde(default, deserialize_with = "secret")]
    pub client_secret: Option<Secret<String>>,
    /// Where it may send people back to, each exactly as it is registered there.
    pub redirect_uris: Vec<WebAddress>,
    /// What is asked for beside `openid`, `email` and `profile`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The tenants it opens, by slug; all when none is named.
    #[serde(default)]
    pub tenants: Vec<String>,
}

/// An issuer of access tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerConfig {
    /// The `iss` of its tokens, exactly.
    pub issuer: WebAddress,
    /// The `aud` that makes a token one for us.
    pub audience: String,
    /// Where its keys are.
    pub jwks_url: WebAddress,
    /// What it may sign with.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Which claims say what.
    pub claims: ClaimNames,
}

/// Which claims say what.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimNames {
    /// The tenant, by id or slug.
    pub tenant: TenantClaim,
    /// The person, by the issuer's name for them.
    #[serde(default = "sub")]
    pub subject: String,
    /// The person's e-mail address.
    #[serde(default = "email")]
    pub email: String,
    /// Whether the issuer checked the address.
    #[serde(default = "email_verified")]
    pub email_verified: String,
}

/// Where a token says its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "the name of a claim, or { \"fixed\": \"a tenant's slug\" }"
)]
pub enum TenantClaim {
    /// In this claim.
    Named(String),
    /// Nowhere: all tokens of the issuer are for this tenant.
    Fixed {
        /// Its slug.
        fixed: String,
    },
}

/// An algorithm with a public key. There are no others in the file: a shared secret would let us make the issuer's
/// tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of RFC 7518")]
pub enum SigningAlgorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// An https address, or an http one on this machine; stored as it was written, because it is compared letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct WebAddress {
    text: String,
    url: Url,
}

impl WebAddress {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As it is asked.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl TryFrom<String> for WebAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let url = Url::parse(&text).map_err(|_| "not a web address")?;
        if !is_safe(&url) {
            return Err("an address must begin with https://, or with http:// on this machine");
        }
        let is_bare = url.username().is_empty() && url.password().is_none();
        if !is_bare || url.fragment().is_some() {
            return Err("an address must have no user, password or #fragment");
        }
        Ok(Self { text, url })
    }
}

/// Why the identity file can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the identity file {file} can't be used: {problem}")]
pub struct IdentityFileError {
    file: String,
    problem: String,
}

impl IdentityFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`IdentityFileError`], with the place of the mistake.
    pub fn read(file: &Path) -> Result<Self, IdentityFileError> {
        let error = |problem| IdentityFileError {
            file: file.display().to_string(),
            problem,
        };
        let text = std::fs::read_to_string(file).map_err(|problem| error(problem.to_string()))?;
        Self::parse(&text).map_err(error)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// The place of the mistake and what it is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read: Self = serde_path_to_error::deserialize(&mut reader)
            .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
        reader.end().map_err(|error| error.to_string())?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), String> {
        let mut keys = BTreeSet::new();
        for (at, provider) in self.providers.iter().enumerate() {
            let wrong = |member: &str, why: &str| Err(format!("providers[{at}].{member}: {why}"));
            if !is_key(&provider.key) {
                return wrong("key", "1 to 32 lower-case letters, digits and dashes");
            }
            if !keys.insert(&provider.key) {
                return wrong("key", "two providers have this key");
            }
            if provider.name.trim().is_empty() || provider.name.len() > 100 {
                return wrong("name", "1 to 100 characters");
            }
            if provider.client_id.is_empty() {
                return wrong("clientId", "it is empty");
            }
            if provider.redirect_uris.is_empty() {
                return wrong("redirectUris", "at least one is needed");
            }
        }
        let mut names = BTreeSet::new();
        for (at, issuer) in self.issuers.iter().enumerate() {
            let wrong = |member: &str, why: &str| Err(format!("issuers[{at}].{member}: {why}"));
            if !names.insert(issuer.issuer.as_str()) {
                return wrong("issuer", "it is there twice");
            }
            if issuer.audience.is_empty() {
                return wrong("audience", "it is empty");
            }
            if issuer.algorithms.is_empty() {
                return wrong("algorithms", "at least one is needed");
            }
            if matches!(&issuer.claims.tenant, TenantClaim::Named(name) | TenantClaim::Fixed { fixed: name } if name.is_empty())
            {
                return wrong("claims.tenant", "it is empty");
            }
        }
        Ok(())
    }
}

fn is_key(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&text.len()) && text.bytes().all(plain)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Some(Secret::new(String::deserialize(deserializer)?)))
}

fn sub() -> String {
    "sub".to_owned()
}

fn email() -> String {
    "email".to_owned()
}

fn email_verified() -> String {
    "email_verified".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sound() -> Value {
        json!({
            "providers": [{
                "key": "acme", "name": "Acme", "issuer": "https://id.acme.example", "clientId": "dealgraph",
                "redirectUris": ["https://crm.example/back"],
            }],
            "issuers": [{
                "issuer": "https://id.acme.example", "audience": "dealgraph",
                "jwksUrl": "https://id.acme.example/jwks", "algorithms": ["RS256", "EdDSA"],
                "claims": { "tenant": { "fixed": "acme" } },
            }],
        })
    }

    #[test]
    fn a_sound_file_is_read_with_its_defaults() {
        let file = IdentityFile::parse(&sound().to_string()).expect("a sound file");
        let claims = &file.issuers[0].claims;
        assert_eq!(
            claims.tenant,
            TenantClaim::Fixed {
                fixed: "acme".to_owned()
            }
        );
        assert_eq!(
            (claims.subject.as_str(), claims.email.as_str()),
            ("sub", "email")
        );
        assert!(IdentityFile::parse("{}").is_ok());
    }

    #[test]
    fn the_example_of_the_documentation_is_a_sound_file() {
        let page = include_str!("../../../docs/identity.md");
        let (_, rest) = page.split_once("```json").expect("an example");
        let (_, rest) = rest.split_once('\n').expect("the mark of who tests it");
        let (example, _) = rest.split_once("```").expect("its end");
        let file = IdentityFile::parse(example).expect("a sound file");
        assert_eq!((file.providers.len(), file.issuers.len()), (1, 1));
        // Every member is shown, with a row of a table for each.
        let example: Value = serde_json::from_str(example).expect("JSON");
        for list in ["providers", "issuers"] {
            let shown = example[list][0].as_object().expect("an object");
            assert!(shown.len() >= 5, "{list}");
            for member in shown.keys().filter(|member| *member != "claims") {
                assert!(page.contains(&format!("`{member}`")), "{member}");
            }
        }
    }

    #[test]
    fn every_mistake_is_reported_with_its_path() {
        for (place, value, message) in [
            (
                "/providers/0/clientID",
                json!("x"),
                "providers[0].clientID: unknown field",
            ),
            (
                "/providers/0/key",
                json!("Acme"),
                "providers[0].key: 1 to 32",
            ),
            (
                "/providers/0/key",
                json!(null),
                "providers[0].key: invalid type",
            ),
            (
                "/providers/0/issuer",
                json!("http://id.acme.example"),
                "providers[0].issuer: an address must begin",
            ),
            (
                "/providers/0/redirectUris",
                json!([]),
                "providers[0].redirectUris: at least one",
            ),
            (
                "/providers/0/redirectUris",
                json!(["crm://back"]),
                "providers[0].redirectUris[0]: an address must begin",
            ),
            (
                "/providers/0/redirectUris",
                json!(["https://a.example/#x"]),
                "providers[0].redirectUris[0]: an address must have no",
            ),
            (
                "/issuers/0/algorithms",
                json!(["RS256", "HS256"]),
                "issuers[0].algorithms[1]: unknown variant `HS256`",
            ),
            (
                "/issuers/0/algorithms",
                json!(["none"]),
                "issuers[0].algorithms[0]: unknown variant `none`",
            ),
            (
                "/issuers/0/algorithms",
                json!([]),
                "issuers[0].algorithms: at least one",
            ),
            (
                "/issuers/0/claims",
                json!({}),
                "issuers[0].claims: missing field `tenant`",
            ),
            (
                "/issuers/0/claims",
                json!({ "tenant": { "fixd": "a" } }),
                "issuers[0].claims.tenant: the name of a claim",
            ),
            (
                "/issuers/0/jwksUrl",
                json!("https://me:pw@id.acme.example/"),
                "issuers[0].jwksUrl: an address must have no",
            ),
            ("/more", json!(1), "more: unknown field"),
        ] {
            let mut file = sound();
            let (parent, member) = place.rsplit_once('/').expect("a place");
            file.pointer_mut(parent).expect("it is there")[member] = value;
            let problem = IdentityFile::parse(&file.to_string()).expect_err(place);
            assert!(problem.starts_with(message), "{place}: {problem}");
        }
        let mut twice = sound();
        let provider = twice["providers"][0].clone();
        twice["providers"]
            .as_array_mut()
            .expect("a list")
            .push(provider);
        let problem = IdentityFile::parse(&twice.to_string()).expect_err("two of a key");
        assert_eq!(problem, "providers[1].key: two providers have this key");
    }

    #[test]
    fn a_client_secret_is_never_shown() {
        let mut file = sound();
        file["providers"][0]["clientSecret"] = json!("hunter2");
        let file = IdentityFile::parse(&file.to_string()).expect("a sound file");
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}
