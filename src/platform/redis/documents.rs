//! Texts of documents under their SHA-256, for all servers: what an application has sent once needs not be sent again.

use std::time::Duration;

use redis::aio::ConnectionManager;
use sha2::{Digest as _, Sha256};

use super::client::Reach;

/// A text that nobody sends again is forgotten after so long.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The texts in Redis, if there is one.
pub struct Texts(Reach);

impl Texts {
    /// Texts in Redis if there is one.
    #[must_use]
    pub fn new(redis_url: Option<&str>) -> Self {
        let meaning = "documents are known to this server alone";
        Self(Reach::new(redis_url, meaning))
    }

    /// The text with a hash. Redis is not believed: a text with another hash is none.
    pub async fn get(&self, hash: &[u8; 32]) -> Option<String> {
        let get = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("GETEX");
            command.arg(&key(hash)[..]);
            command.arg("EX").arg(KEPT.as_secs());
            command.query_async::<Option<Vec<u8>>>(&mut redis).await
        };
        let text = self.0.ask(get).await??;
        let is_it = Sha256::digest(&text)[..] == hash[..];
        String::from_utf8(text).ok().filter(|_| is_it)
    }

    /// Keeps a text under its hash.
    pub async fn put(&self, hash: &[u8; 32], text: &str) {
        let set = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("SET");
            command.arg(&key(hash)[..]).arg(text);
            command.arg("EX").arg(KEPT.as_secs());
            command.query_async::<()>(&mut redis).await
        };
        self.0.ask(set).await;
    }
}

fn key(hash: &[u8; 32]) -> Vec<u8> {
    [b"dealgraph:document:", &hash[..]].concat()
}
