//! Documents by the SHA-256 of their text, shared by all servers, for automatic persisted queries.

use std::time::Duration;

use redis::aio::ConnectionManager;
use sha2::{Digest as _, Sha256};

use super::{RedisAddress, client::RedisClient};

/// A document that is not used for this long is forgotten.
const TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// Documents in Redis, if there is one.
pub struct DocumentStore(RedisClient);

impl DocumentStore {
    /// Keeps documents in Redis, if there is one.
    #[must_use]
    pub fn new(redis: &RedisAddress) -> Self {
        let meaning = "documents are known to this server alone";
        Self(RedisClient::new(redis, meaning))
    }

    /// The text with a hash. Redis is not trusted: a text with another hash is ignored.
    pub async fn get(&self, hash: &[u8; 32]) -> Option<String> {
        let get = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("GETEX");
            command.arg(&key(hash)[..]);
            command.arg("EX").arg(TTL.as_secs());
            command.query_async::<Option<Vec<u8>>>(&mut redis).await
        };
        let text = self.0.call(get).await??;
        let is_it = Sha256::digest(&text)[..] == hash[..];
        String::from_utf8(text).ok().filter(|_| is_it)
    }

    /// Stores a text under its hash.
    pub async fn put(&self, hash: &[u8; 32], text: &str) {
        let set = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("SET");
            command.arg(&key(hash)[..]).arg(text);
            command.arg("EX").arg(TTL.as_secs());
            command.query_async::<()>(&mut redis).await
        };
        self.0.call(set).await;
    }
}

fn key(hash: &[u8; 32]) -> Vec<u8> {
    [b"dealgraph:document:", &hash[..]].concat()
}
