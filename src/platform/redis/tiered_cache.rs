//! A cache of two tiers: local, in this process, and remote, in Redis for all servers.
//!
//! The key of an entry names the request and the version of the data that it was computed from. So nothing is ever
//! invalidated, and a Redis that is stale, empty, full, slow or unavailable costs time and never correctness. Entries
//! in Redis are sealed with a key of the servers, for their request and version: reading Redis reveals nothing, and
//! what others write to it is not trusted. The version stands before the sealed entry, so that only an entry of the
//! same version is opened; one that then does not open is worth an alarm.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka::future::Cache;
use redis::aio::ConnectionManager;

use super::{RedisAddress, client::RedisClient};
use crate::platform::Vault;

/// The time to live of an entry in either tier, whatever its version.
const TTL: Duration = Duration::from_secs(5 * 60);
/// Larger entries are not cached.
const LARGEST: usize = 1 << 20;
/// Bytes that an entry takes beside its text.
const OVERHEAD: usize = 256;

/// A request, and the version of the data that it is answered from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// Equal for requests that have equal answers while the data does not change.
    pub request: [u8; 32],
    /// Equal while nothing that the answer depends on has changed.
    pub version: [u8; 32],
}

/// Where an entry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The local tier.
    Local,
    /// A computation that another caller had begun.
    Coalesced,
    /// The remote tier.
    Remote,
    /// It was computed.
    Computed,
}

/// The two tiers.
pub struct TieredCache {
    local: Cache<CacheKey, Bytes>,
    remote: Arc<RemoteTier>,
}

struct RemoteTier {
    redis: RedisClient,
    vault: Arc<Vault>,
}

impl TieredCache {
    /// Keeps up to this many bytes in the process, and more in Redis if there is one.
    #[must_use]
    pub fn new(bytes: u64, redis: &RedisAddress, vault: Arc<Vault>) -> Self {
        let weight = |_: &CacheKey, text: &Bytes| (text.len() + OVERHEAD) as u32;
        Self {
            local: Cache::builder()
                .max_capacity(bytes)
                .weigher(weight)
                .time_to_live(TTL)
                .build(),
            remote: Arc::new(RemoteTier {
                redis: RedisClient::new(redis, "responses are cached by this server alone"),
                vault,
            }),
        }
    }

    /// The entry of a key, computed when it is missing: once for all callers meanwhile. A failure of `compute` is not
    /// cached.
    ///
    /// # Errors
    /// What `compute` fails with, for all callers that waited for it.
    pub async fn get_or_compute<E: Send + Sync + 'static>(
        &self,
        key: CacheKey,
        compute: impl Future<Output = Result<Bytes, E>>,
    ) -> (Result<Bytes, Arc<E>>, Lookup) {
        if let Some(text) = self.local.get(&key).await {
            return (Ok(text), Lookup::Local);
        }
        let mut lookup = Lookup::Coalesced;
        let work = async {
            if let Some(text) = self.remote.get(&key).await {
                lookup = Lookup::Remote;
                return Ok(text);
            }
            lookup = Lookup::Computed;
            let text = compute.await?;
            self.remote.set(key, text.clone());
            Ok(text)
        };
        let text = self.local.try_get_with(key, Box::pin(work)).await;
        (text, lookup)
    }

    /// The entry of a key, if there is one.
    pub async fn get(&self, key: CacheKey) -> Option<Bytes> {
        match self.local.get(&key).await {
            Some(text) => Some(text),
            None => self.remote.get(&key).await,
        }
    }

    /// Inserts an entry that was computed without a lookup.
    pub async fn insert(&self, key: CacheKey, text: Bytes) {
        self.remote.set(key, text.clone());
        self.local.insert(key, text).await;
    }

    /// Whether a text is small enough to be cached.
    #[must_use]
    pub fn accepts(text: &Bytes) -> bool {
        text.len() <= LARGEST
    }
}

impl RemoteTier {
    async fn get(&self, key: &CacheKey) -> Option<Bytes> {
        let get = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("GET");
            command.arg(&redis_key(key)[..]);
            command.query_async::<Option<Vec<u8>>>(&mut redis).await
        };
        let stored = self.redis.call(get).await??;
        // Of another version: the newer one will replace it.
        let sealed = stored.strip_prefix(&key.version)?;
        let packed = self.vault.open_passing(&seal(key), sealed);
        if packed.is_none() {
            tracing::error!(
                "a cached entry can't be decrypted: another program writes to Redis, or another server has other encryption keys"
            );
        }
        lz4_flex::decompress_size_prepended(&packed?)
            .ok()
            .map(Bytes::from)
    }

    /// Stores an entry for the other servers, in the background.
    fn set(self: &Arc<Self>, key: CacheKey, text: Bytes) {
        if !self.redis.is_available() {
            return;
        }
        let remote = Arc::clone(self);
        tokio::spawn(async move {
            let packed = lz4_flex::compress_prepend_size(&text);
            let Ok(sealed) = remote.vault.seal_passing(&seal(&key), &packed) else {
                return;
            };
            let set = async |mut redis: ConnectionManager| {
                let mut command = redis::cmd("SET");
                command.arg(&redis_key(&key)[..]);
                command.arg([&key.version[..], &sealed].concat());
                command.arg("PX").arg(TTL.as_millis() as u64);
                command.query_async::<()>(&mut redis).await
            };
            remote.redis.call(set).await;
        });
    }
}

/// One per request: a newer version replaces an older one.
fn redis_key(key: &CacheKey) -> Vec<u8> {
    [b"dealgraph:answer:", &key.request[..]].concat()
}

/// The associated data that an entry is sealed with.
fn seal(CacheKey { request, version }: &CacheKey) -> String {
    let hex = |bytes: &[u8; 32]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!("answer {} {}", hex(request), hex(version))
}
