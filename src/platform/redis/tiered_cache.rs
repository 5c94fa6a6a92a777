//! Answers that were worked out before: near, in this process, and far, in Redis for all servers.
//!
//! An answer is kept with a stamp that says of which state of the data it is, and found by whoever asks the same of the
//! same state. So nothing here is ever taken back, and a Redis that is old, empty, full, slow or away costs time and no
//! truth. What Redis holds is sealed with a key of the servers, for its question and its stamp: who reads Redis learns
//! nothing, and who writes to it is not believed. The stamp stands before it, so that only what claims to be of the same
//! state is opened, and what then does not open is worth an alarm.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use moka::future::Cache;
use redis::aio::ConnectionManager;

use super::client::Reach;
use crate::platform::Vault;

/// Answers are kept for so long near and as long far, whatever their stamps say.
const KEPT: Duration = Duration::from_secs(5 * 60);
/// Longer answers are not worth their place.
const LONGEST: usize = 1 << 20;
/// Bytes that an answer takes beside its text.
const OVERHEAD: usize = 256;

/// What is asked, and of which state of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Equal for questions that are answered alike while nothing changes.
    pub question: [u8; 32],
    /// Equal while nothing has changed that the answer follows from.
    pub stamp: [u8; 32],
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// It was here.
    Near,
    /// Somebody else had just asked for it.
    Joined,
    /// Another server had left it in Redis.
    Far,
    /// It was made.
    Made,
}

/// The answers of everybody.
pub struct Answers {
    near: Cache<Place, Bytes>,
    far: Arc<Far>,
}

struct Far {
    reach: Reach,
    vault: Arc<Vault>,
}

impl Answers {
    /// Keeps so many bytes in this process, and more in Redis if there is one.
    #[must_use]
    pub fn new(bytes: u64, redis_url: Option<&str>, vault: Arc<Vault>) -> Self {
        let weight = |_: &Place, text: &Bytes| (text.len() + OVERHEAD) as u32;
        Self {
            near: Cache::builder()
                .max_capacity(bytes)
                .weigher(weight)
                .time_to_live(KEPT)
                .build(),
            far: Arc::new(Far {
                reach: Reach::new(redis_url, "answers are kept by this server alone"),
                vault,
            }),
        }
    }

    /// The answer to a question, which is made when it is not known: once, however many ask for it meanwhile. What
    /// `make` fails with is kept nowhere.
    ///
    /// # Errors
    /// What `make` fails with, for all who waited for it.
    pub async fn get_or_make<E: Send + Sync + 'static>(
        &self,
        place: Place,
        make: impl Future<Output = Result<Bytes, E>>,
    ) -> (Result<Bytes, Arc<E>>, Found) {
        if let Some(text) = self.near.get(&place).await {
            return (Ok(text), Found::Near);
        }
        let mut found = Found::Joined;
        let work = async {
            if let Some(text) = self.far.get(&place).await {
                found = Found::Far;
                return Ok(text);
            }
            found = Found::Made;
            let text = make.await?;
            self.far.set(place, text.clone());
            Ok(text)
        };
        let text = self.near.try_get_with(place, Box::pin(work)).await;
        (text, found)
    }

    /// The answer to a question, if it is known.
    pub async fn get(&self, place: Place) -> Option<Bytes> {
        match self.near.get(&place).await {
            Some(text) => Some(text),
            None => self.far.get(&place).await,
        }
    }

    /// Keeps an answer that was made without asking.
    pub async fn put(&self, place: Place, text: Bytes) {
        self.far.set(place, text.clone());
        self.near.insert(place, text).await;
    }

    /// Whether an answer is short enough to be kept.
    #[must_use]
    pub fn takes(text: &Bytes) -> bool {
        text.len() <= LONGEST
    }
}

impl Far {
    async fn get(&self, place: &Place) -> Option<Bytes> {
        let get = async |mut redis: ConnectionManager| {
            let mut command = redis::cmd("GET");
            command.arg(&key(place)[..]);
            command.query_async::<Option<Vec<u8>>>(&mut redis).await
        };
        let kept = self.reach.ask(get).await??;
        // Of another state of the data: what is newer will take its place.
        let sealed = kept.strip_prefix(&place.stamp)?;
        let packed = self.vault.open_passing(&seal(place), sealed);
        if packed.is_none() {
            tracing::error!(
                "a kept answer does not open: somebody else writes to Redis, or another server has other encryption keys"
            );
        }
        lz4_flex::decompress_size_prepended(&packed?)
            .ok()
            .map(Bytes::from)
    }

    /// Leaves an answer for the other servers, without anybody waiting for it.
    fn set(self: &Arc<Self>, place: Place, text: Bytes) {
        if !self.reach.is_there() {
            return;
        }
        let far = Arc::clone(self);
        tokio::spawn(async move {
            let packed = lz4_flex::compress_prepend_size(&text);
            let Ok(sealed) = far.vault.seal_passing(&seal(&place), &packed) else {
                return;
            };
            let set = async |mut redis: ConnectionManager| {
                let mut command = redis::cmd("SET");
                command.arg(&key(&place)[..]);
                command.arg([&place.stamp[..], &sealed].concat());
                command.arg("PX").arg(KEPT.as_millis() as u64);
                command.query_async::<()>(&mut redis).await
            };
            far.reach.ask(set).await;
        });
    }
}

/// One per question: what is newer takes the place of what is older.
fn key(place: &Place) -> Vec<u8> {
    [b"dealgraph:answer:", &place.question[..]].concat()
}

/// What an answer is sealed for.
fn seal(Place { question, stamp }: &Place) -> String {
    let hex = |bytes: &[u8; 32]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    format!("answer {} {}", hex(question), hex(stamp))
}
