//! The keys as a server holds them in memory.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{KeyError, SHARED, VerificationKey, pair, pair::Pair, store};
use crate::{
    base::error::Result,
    db::{Db, SystemReason},
    platform::Vault,
};

/// How often the keys are read again.
const RELOAD_EVERY: Duration = Duration::from_secs(10);
/// An unknown key id makes the keys be read again at most this often, so a flood of them costs nothing.
const SEARCH_EVERY: Duration = Duration::from_secs(5);

/// The keys of the database, and the shared secret if there is one.
pub struct KeyRing {
    db: Db,
    vault: Arc<Vault>,
    shared: Option<VerificationKey>,
    held: RwLock<Arc<Held>>,
    /// Held while the keys are read, so that an older reading never replaces a newer one.
    reading: Mutex<()>,
    last_search: Mutex<Option<Instant>>,
}

/// A key and its times.
pub(super) struct RingKey {
    pub(super) kid: String,
    pub(super) pair: Arc<Pair>,
    signs_from: DateTime<Utc>,
    checks_until: Option<DateTime<Utc>>,
}

/// The keys at one reading, in the order in which they sign.
#[derive(Default)]
pub(super) struct Held {
    keys: Vec<RingKey>,
    places: HashMap<String, usize>,
}

impl Held {
    fn new(keys: Vec<RingKey>) -> Self {
        let places = keys
            .iter()
            .enumerate()
            .map(|(at, key)| (key.kid.clone(), at))
            .collect();
        Self { keys, places }
    }

    fn get(&self, kid: &str) -> Option<&RingKey> {
        self.places.get(kid).map(|at| &self.keys[*at])
    }

    /// The keys that check at an instant.
    pub(super) fn checking(&self, now: DateTime<Utc>) -> impl Iterator<Item = &RingKey> {
        self.keys.iter().filter(move |key| key.checks(now))
    }

    /// The latest key that may sign already. By a clock that is behind there may be none yet; then the next one signs.
    pub(super) fn signing(&self, now: DateTime<Utc>) -> Option<&RingKey> {
        let able = || self.checking(now).filter(|key| key.pair.signing.is_some());
        able()
            .filter(|key| key.signs_from <= now)
            .last()
            .or_else(|| able().next())
    }
}

impl RingKey {
    fn checks(&self, now: DateTime<Utc>) -> bool {
        self.checks_until.is_none_or(|end| end > now)
    }
}

impl KeyRing {
    /// Reads the keys, and makes the first one when there is none. With `hs256_secret`, tokens that are signed with it
    /// under the key id `hs256` are accepted too.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn open(
        db: Db,
        vault: Arc<Vault>,
        hs256_secret: Option<&[u8]>,
    ) -> Result<Arc<Self>, KeyError> {
        let shared = hs256_secret.map(|secret| VerificationKey {
            algorithm: Algorithm::HS256,
            key: DecodingKey::from_secret(secret),
        });
        let ring = Self {
            db,
            vault,
            shared,
            held: RwLock::default(),
            reading: Mutex::default(),
            last_search: Mutex::default(),
        };
        ring.reload().await?;
        if ring
            .held()
            .keys
            .iter()
            .all(|key| key.checks_until.is_some())
        {
            ring.make_first().await?;
        }
        let now = ring.db.clock().now();
        match ring.held().signing(now) {
            Some(_) => Ok(Arc::new(ring)),
            None => Err(KeyError::Sealed),
        }
    }

    /// Makes a key that signs at once, unless another server did meanwhile.
    async fn make_first(&self) -> Result<()> {
        let mut tx = self.db.system(SystemReason::Keys).await?;
        store::lock(&mut tx).await?;
        let now = tx.now();
        let there = store::in_use(&mut tx, now).await?;
        if there.iter().all(|key| key.checks_until.is_some()) {
            let key = pair::generate(&self.vault)?;
            store::insert(&mut tx, &key, now).await?;
            tx.commit().await?;
            tracing::info!(key.id = key.kid, "a signing key was made");
        } else {
            drop(tx);
        }
        self.reload().await
    }

    /// Reads the keys again.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn reload(&self) -> Result<()> {
        let _turn = self.reading.lock().await;
        let mut tx = self.db.system(SystemReason::Keys).await?;
        let now = tx.now();
        let rows = store::in_use(&mut tx, now).await?;
        drop(tx);
        let before = self.held();
        let keys = rows.into_iter().filter_map(|row| {
            let known = before.get(&row.kid).map(|key| Arc::clone(&key.pair));
            let read = || {
                Pair::read(&row.kid, &row.public_key, &row.private_key, &self.vault).map(Arc::new)
            };
            let pair = known.or_else(read);
            if pair.is_none() {
                tracing::error!(key.id = row.kid, "this signing key is not an Ed25519 key");
            }
            Some(RingKey {
                pair: pair?,
                kid: row.kid,
                signs_from: row.signs_from,
                checks_until: row.checks_until,
            })
        });
        let held = Arc::new(Held::new(keys.collect()));
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// Reads the keys again periodically, until stopped. When the database does not answer, the known keys stay
    /// in use: no rights could be read then either.
    pub(crate) async fn keep(&self, stop: CancellationToken) {
        while stop
            .run_until_cancelled(tokio::time::sleep(RELOAD_EVERY))
            .await
            .is_some()
        {
            if let Err(error) = self.reload().await {
                tracing::warn!(%error, "the signing keys could not be read again");
            }
        }
    }

    /// Looks up an unknown key in the database, unless that was done lately; whether it is there.
    pub(in crate::organization::auth) async fn search(&self, kid: &str) -> bool {
        let mut last = self.last_search.lock().await;
        if last.is_none_or(|at| at.elapsed() >= SEARCH_EVERY) {
            *last = Some(Instant::now());
            if let Err(error) = self.reload().await {
                tracing::warn!(%error, "the signing keys could not be read again");
            }
        }
        self.held().get(kid).is_some()
    }

    /// What checks tokens with a key id at an instant, handed to `check`.
    pub(in crate::organization::auth) fn with_key<T>(
        &self,
        kid: &str,
        now: DateTime<Utc>,
        check: impl FnOnce(&VerificationKey) -> T,
    ) -> Option<T> {
        if let (SHARED, Some(shared)) = (kid, &self.shared) {
            return Some(check(shared));
        }
        let held = self.held();
        let key = held.get(kid).filter(|key| key.checks(now))?;
        Some(check(&key.pair.checking))
    }

    /// The key that signs at an instant, with its id, handed to `sign`.
    pub(in crate::organization::auth) fn with_signing_key<T>(
        &self,
        now: DateTime<Utc>,
        sign: impl FnOnce(&str, &EncodingKey) -> T,
    ) -> Option<T> {
        let held = self.held();
        let key = held.signing(now)?;
        Some(sign(&key.kid, key.pair.signing.as_ref()?))
    }

    pub(super) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn key(vault: &Vault, kid: &str, signs_from: i64, checks_until: Option<i64>) -> RingKey {
        let made = pair::generate(vault).expect("made");
        let pair = Pair::read(&made.kid, &made.public_key, &made.private_key, vault);
        let at = |second| DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        RingKey {
            kid: kid.to_owned(),
            pair: Arc::new(pair.expect("a key")),
            signs_from: at(signs_from),
            checks_until: checks_until.map(at),
        }
    }

    #[test]
    fn a_new_key_signs_from_its_time_on_and_the_old_one_checks_until_its_end() {
        let vault = Vault::new(&Vault::generate_key()).expect("a key");
        let keys = vec![
            key(&vault, "old", 0, Some(200)),
            key(&vault, "new", 100, None),
        ];
        let held = Held::new(keys);
        let at = |second| DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        let signs = |second| held.signing(at(second)).map(|key| key.kid.as_str());
        let check = |second| -> Vec<&str> {
            held.checking(at(second))
                .map(|key| key.kid.as_str())
                .collect()
        };
        assert_eq!(signs(-1), Some("old"), "a clock that goes after");
        assert_eq!(signs(99), Some("old"));
        assert_eq!(signs(100), Some("new"));
        assert_eq!(check(199), ["old", "new"]);
        assert_eq!(check(200), ["new"]);
        assert_eq!(signs(300), Some("new"));
    }
}
