//! The keys of an outside issuer (RFC 7517). Each key has its algorithms from what it is and from what the operator
//! allows; a token never chooses among others.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a set that are looked at.
const MOST_KEYS: usize = 100;
/// The shortest modulus of RSA, in bytes (RFC 7518, section 3.3).
const SHORTEST_MODULUS: usize = 256;

/// A key that checks tokens, with the only algorithms it is used for.
pub(super) struct IssuerKey {
    pub(super) id: Option<String>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// The usable keys of an issuer.
pub(super) struct Jwks(Vec<IssuerKey>);

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwks {
    /// Reads a key set for the allowed algorithms. Keys that are for something else are passed over, as RFC 7517 asks.
    ///
    /// # Errors
    /// What is wrong, when it is no key set.
    pub(super) fn read(bytes: &[u8], allowed: &[Algorithm]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let keys = set.keys.into_iter().take(MOST_KEYS);
        Ok(Self(keys.filter_map(|key| usable(key, allowed)).collect()))
    }

    /// Whether none can be used.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The key of an id that is meant for the algorithm. A token may leave the id out when there is one key only.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&IssuerKey> {
        let Some(id) = id else {
            return match self.0.as_slice() {
                [only] if only.algorithms.contains(&algorithm) => Some(only),
                _ => None,
            };
        };
        self.0
            .iter()
            .find(|key| key.id.as_deref() == Some(id) && key.algorithms.contains(&algorithm))
    }

    /// Whether there is a key of this id, for whatever algorithm.
    pub(super) fn knows(&self, id: Option<&str>) -> bool {
        id.is_none() || self.0.iter().any(|key| key.id.as_deref() == id)
    }
}

fn usable(key: Value, allowed: &[Algorithm]) -> Option<IssuerKey> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let for_signatures = jwk
        .purpose
        .as_deref()
        .is_none_or(|purpose| purpose == "sig")
        && jwk
            .key_ops
            .as_ref()
            .is_none_or(|operations| operations.iter().any(|operation| operation == "verify"));
    if !for_signatures {
        return None;
    }
    let mut algorithms = fitting(&jwk);
    algorithms.retain(|algorithm| allowed.contains(algorithm));
    if let Some(alg) = &jwk.alg {
        algorithms.retain(|algorithm| is_called(*algorithm, alg));
    }
    if algorithms.is_empty() {
        return None;
    }
    Some(IssuerKey {
        key: decoding_key(&jwk)?,
        id: jwk.kid,
        algorithms,
    })
}

/// The algorithms that a key of this kind is for. A symmetric key is for none: the set is public.
fn fitting(jwk: &Jwk) -> Vec<Algorithm> {
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", None) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        ("EC", Some("P-256")) => vec![Algorithm::ES256],
        ("EC", Some("P-384")) => vec![Algorithm::ES384],
        ("OKP", Some("Ed25519")) => vec![Algorithm::EdDSA],
        _ => Vec::new(),
    }
}

fn is_called(algorithm: Algorithm, name: &str) -> bool {
    // RFC 9864 gives EdDSA with this curve a name of its own.
    let name = if name == "Ed25519" { "EdDSA" } else { name };
    name.parse() == Ok(algorithm)
}

fn decoding_key(jwk: &Jwk) -> Option<DecodingKey> {
    match jwk.kty.as_str() {
        "RSA" => {
            let modulus = URL_SAFE_NO_PAD.decode(jwk.n.as_deref()?).ok()?;
            let significant = modulus.iter().skip_while(|byte| **byte == 0).count();
            if significant < SHORTEST_MODULUS {
                return None;
            }
            DecodingKey::from_rsa_components(jwk.n.as_deref()?, jwk.e.as_deref()?).ok()
        }
        "EC" => DecodingKey::from_ec_components(jwk.x.as_deref()?, jwk.y.as_deref()?).ok(),
        "OKP" => DecodingKey::from_ed_components(jwk.x.as_deref()?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ALL: [Algorithm; 4] = [
        Algorithm::RS256,
        Algorithm::PS256,
        Algorithm::ES256,
        Algorithm::EdDSA,
    ];

    fn text(bytes: usize) -> String {
        URL_SAFE_NO_PAD.encode(vec![0xa5_u8; bytes])
    }

    fn rsa(more: &Value) -> Value {
        let mut key = json!({ "kty": "RSA", "kid": "k", "n": text(256), "e": "AQAB" });
        let members = more.as_object().expect("members").clone();
        key.as_object_mut().expect("a key").extend(members);
        key
    }

    fn algorithms(key: Value, allowed: &[Algorithm]) -> Vec<Algorithm> {
        let set = json!({ "keys": [key] }).to_string();
        let keys = Jwks::read(set.as_bytes(), allowed).expect("a set").0;
        keys.into_iter().flat_map(|key| key.algorithms).collect()
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_kind_that_are_allowed() {
        use Algorithm::{ES256, EdDSA, PS256, RS256};
        let (x, y) = (text(32), text(32));
        for (key, expected) in [
            (rsa(&json!({})), vec![RS256, PS256]),
            (rsa(&json!({ "alg": "PS256" })), vec![PS256]),
            (
                rsa(&json!({ "use": "sig", "key_ops": ["verify"] })),
                vec![RS256, PS256],
            ),
            (
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }),
                vec![ES256],
            ),
            (
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x }),
                vec![EdDSA],
            ),
            (
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "alg": "Ed25519" }),
                vec![EdDSA],
            ),
            // For something else, weak, or not allowed.
            (rsa(&json!({ "use": "enc" })), vec![]),
            (rsa(&json!({ "key_ops": ["encrypt"] })), vec![]),
            (rsa(&json!({ "alg": "RS512" })), vec![]),
            (rsa(&json!({ "alg": "HS256" })), vec![]),
            (rsa(&json!({ "alg": "none" })), vec![]),
            (rsa(&json!({ "n": text(128) })), vec![]),
            (rsa(&json!({ "kty": "oct", "k": x })), vec![]),
            (
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "alg": "ES384" }),
                vec![],
            ),
            (json!({ "kty": "OKP", "crv": "X25519", "x": x }), vec![]),
            (
                json!({ "kty": "EC", "crv": "secp256k1", "x": x, "y": y }),
                vec![],
            ),
            (json!("a key"), vec![]),
        ] {
            assert_eq!(algorithms(key.clone(), &ALL), expected, "{key}");
        }
        assert_eq!(algorithms(rsa(&json!({})), &[EdDSA]), []);
    }

    #[test]
    fn a_token_names_its_key_unless_there_is_only_one() {
        let read = |keys: Value| {
            Jwks::read(json!({ "keys": keys }).to_string().as_bytes(), &ALL).expect("a set")
        };
        let other = rsa(&json!({ "kid": "other", "alg": "PS256" }));
        let (one, two) = (
            read(json!([rsa(&json!({}))])),
            read(json!([rsa(&json!({})), other])),
        );
        let rs = Algorithm::RS256;
        assert!(one.find(Some("k"), rs).is_some() && one.find(None, rs).is_some());
        assert!(one.find(None, Algorithm::EdDSA).is_none());
        assert!(two.find(None, rs).is_none() && two.find(Some("other"), rs).is_none());
        assert!(two.knows(Some("other")) && !two.knows(Some("")));
        assert!(Jwks::read(b"{}", &ALL).is_err() && Jwks::read(b"<html>", &ALL).is_err());
    }
}
