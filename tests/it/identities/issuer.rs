//! An issuer of access tokens that does whatever a test wants: a small server of keys that counts how often it is asked.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::Ed25519KeyPair,
};
use axum::{Router, http::StatusCode, routing::get};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use dealgraph::organization::identities::{IdentityFile, IssuerConfig};
use jsonwebtoken::{Algorithm, EncodingKey, Header, crypto, jwk::Jwk};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The `aud` that makes a token one for us.
pub(super) const AUDIENCE: &str = "https://crm.example/graphql";

/// A key of an issuer.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) algorithm: Algorithm,
    pub(super) private: EncodingKey,
    pub(super) public: Value,
}

/// The issuer.
#[derive(Clone)]
pub(super) struct Issuer {
    pub(super) name: String,
    keys: Arc<Mutex<Vec<Key>>>,
    asked: Arc<AtomicU32>,
    down: Arc<AtomicU32>,
}

impl Key {
    pub(super) fn rsa(id: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).expect("its text");
        Self::new(
            id,
            Algorithm::RS256,
            der.as_ref(),
            EncodingKey::from_rsa_pem,
        )
    }

    pub(super) fn ed(id: &str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let der = pair.to_pkcs8v1().expect("its text");
        Self::new(id, Algorithm::EdDSA, der.as_ref(), EncodingKey::from_ed_pem)
    }

    fn new(
        id: &str,
        algorithm: Algorithm,
        der: &[u8],
        read: impl Fn(&[u8]) -> jsonwebtoken::errors::Result<EncodingKey>,
    ) -> Self {
        _ = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let body = STANDARD.encode(der);
        let lines: Vec<_> = body
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        let lines = lines.join("\n");
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n");
        let private = read(pem.as_bytes()).expect("a private key");
        let jwk = Jwk::from_encoding_key(&private, algorithm).expect("a public key");
        let mut public = serde_json::to_value(jwk).expect("JSON");
        public["kid"] = json!(id);
        public["use"] = json!("sig");
        Self {
            id: id.to_owned(),
            algorithm,
            private,
            public,
        }
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.id, claims)
    }

    /// Signs under another key's id.
    pub(super) fn sign_as(&self, id: &str, claims: &Value) -> String {
        let header = Header {
            kid: Some(id.to_owned()),
            ..Header::new(self.algorithm)
        };
        jsonwebtoken::encode(&header, claims, &self.private).expect("the key signs")
    }
}

impl Issuer {
    /// Publishes keys on a free port.
    pub(super) async fn start(keys: Vec<Key>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = Self {
            name: format!("http://{}", listener.local_addr().expect("an address")),
            keys: Arc::new(Mutex::new(keys)),
            asked: Arc::default(),
            down: Arc::default(),
        };
        let served = issuer.clone();
        let publish = async move || served.publish();
        let router = Router::new().route("/jwks", get(publish));
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    fn publish(&self) -> (StatusCode, String) {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) > 0 {
            return (StatusCode::INTERNAL_SERVER_ERROR, "down".to_owned());
        }
        let keys = self.keys.lock().expect("not poisoned");
        let keys: Vec<_> = keys.iter().map(|key| key.public.clone()).collect();
        (StatusCode::OK, json!({ "keys": keys }).to_string())
    }

    pub(super) fn publishes(&self, keys: Vec<Key>) {
        *self.keys.lock().expect("not poisoned") = keys;
    }

    pub(super) fn goes_down(&self) {
        self.down.store(1, Ordering::SeqCst);
    }

    /// How often it was asked for its keys.
    pub(super) fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Sound claims of a person, for a day.
    #[expect(
        clippy::disallowed_methods,
        reason = "an issuer has a clock of its own"
    )]
    pub(super) fn claims(&self, subject: &str, email: &str, tenant: &str) -> Value {
        let now = Utc::now().timestamp();
        json!({
            "iss": self.name, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 86_400,
            "tid": tenant, "email": email, "email_verified": true,
        })
    }

    /// How the identity file names it.
    pub(super) fn config(&self, tenant: Value) -> IssuerConfig {
        let file = json!({ "issuers": [{
            "issuer": self.name, "audience": AUDIENCE, "jwksUrl": format!("{}/jwks", self.name),
            "algorithms": ["RS256", "EdDSA"], "claims": { "tenant": tenant },
        }] });
        IdentityFile::parse(&file.to_string())
            .expect("a sound file")
            .issuers
            .remove(0)
    }
}
