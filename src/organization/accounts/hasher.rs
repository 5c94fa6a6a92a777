//! Password hashes: Argon2id (RFC 9106), off the async threads, so few at a time that queries do not starve, and with a
//! bounded queue, because each takes its memory and its time on purpose.

use std::sync::Arc;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash,
};
use tokio::sync::Semaphore;

use crate::base::{
    error::{Error, Result},
    secret,
};

/// What a hash costs, and how many are made at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Threads it could use.
    pub lanes: u32,
    /// How many hashes are made at a time.
    pub at_once: usize,
    /// How many more may wait.
    pub waiting: usize,
}

impl Default for HashCost {
    /// The parameters that the OWASP Password Storage Cheat Sheet recommends for Argon2id: 19 MiB, two passes, one
    /// thread. Half of the processors hash; so many wait that the last one waits about a second.
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = (processors / 2).max(1);
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
            at_once,
            waiting: 50 * at_once,
        }
    }
}

/// Makes and checks hashes of passwords. Clones share the queue.
#[derive(Clone)]
pub struct Hasher(Arc<Inner>);

struct Inner {
    argon2: Argon2<'static>,
    /// Callers that hash or wait.
    admitted: Arc<Semaphore>,
    /// Callers that hash.
    hashing: Arc<Semaphore>,
}

/// The cost is outside of what Argon2 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("password hashes of this cost can't be made")]
pub struct BadCost;

impl Hasher {
    /// Hashes at a cost.
    ///
    /// # Errors
    /// [`BadCost`].
    pub fn new(cost: HashCost) -> Result<Self, BadCost> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None);
        let params = params.map_err(|_| BadCost)?;
        let at_once = cost.at_once.max(1);
        Ok(Self(Arc::new(Inner {
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            admitted: Arc::new(Semaphore::new(at_once + cost.waiting)),
            hashing: Arc::new(Semaphore::new(at_once)),
        })))
    }

    /// Hashes a password, with a random salt, into the text that is stored.
    ///
    /// # Errors
    /// `Unavailable` when too many wait.
    pub async fn hash(&self, password: &str) -> Result<String> {
        let password = normalized(password);
        self.run(move |argon2| {
            let salt: [u8; password_salt::BYTES] = secret::random();
            let hash: PasswordHash = argon2
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map_err(Error::internal)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether a password is the one that was hashed. Without a hash it is not, and that takes the same time.
    ///
    /// # Errors
    /// `Unavailable` when too many wait.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool> {
        let (password, hash) = (normalized(password), hash.map(str::to_owned));
        self.run(move |argon2| {
            let Some(hash) = hash else {
                let salt = [0; password_salt::BYTES];
                let _: PasswordHash = argon2
                    .hash_password_with_salt(password.as_bytes(), &salt)
                    .map_err(Error::internal)?;
                return Ok(false);
            };
            let hash = PasswordHash::new(&hash).map_err(Error::internal)?;
            match argon2.verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(true),
                Err(password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(Error::internal(error)),
            }
        })
        .await
    }

    /// Whether a hash was made at today's cost; one that was not is made anew when the password is at hand.
    #[must_use]
    pub fn is_current(&self, hash: &str) -> bool {
        let params = PasswordHash::new(hash)
            .ok()
            .filter(|hash| hash.algorithm == Algorithm::Argon2id.ident())
            .and_then(|hash| Params::try_from(&hash).ok());
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        params.is_some_and(|params| cost(&params) == cost(self.0.argon2.params()))
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = Arc::clone(&self.0);
        let busy = || Error::Unavailable("the check of passwords");
        let admitted = Arc::clone(&inner.admitted)
            .try_acquire_owned()
            .map_err(|_| busy())?;
        let permit = Arc::clone(&inner.hashing)
            .acquire_owned()
            .await
            .map_err(|_| busy())?;
        // A caller that goes away does not stop the hashing, so its permits are held until that ends.
        let hashed = tokio::task::spawn_blocking(move || {
            let done = work(&inner.argon2);
            drop((permit, admitted));
            done
        });
        hashed.await.map_err(Error::internal)?
    }
}

mod password_salt {
    /// Bytes of a salt, as RFC 9106 recommends them.
    pub(super) const BYTES: usize = 16;
}

/// The same characters typed on another keyboard are the same password (NIST SP 800-63B, section 3.1.1.2).
fn normalized(password: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    password.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: HashCost = HashCost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
        at_once: 1,
        waiting: 1,
    };

    #[tokio::test]
    async fn a_password_is_known_again_however_it_was_typed() {
        let hasher = Hasher::new(QUICK).expect("a cost");
        let hash = hasher.hash("E\u{301}cole normale").await.expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(
            hasher
                .verify("\u{c9}cole normale", Some(&hash))
                .await
                .expect("checked")
        );
        assert!(
            !hasher
                .verify("Ecole normale", Some(&hash))
                .await
                .expect("checked")
        );
        assert!(
            !hasher
                .verify("\u{c9}cole normale", None)
                .await
                .expect("checked")
        );
        assert_ne!(
            hash,
            hasher.hash("\u{c9}cole normale").await.expect("a hash")
        );
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_still_checks_and_is_known_to_be_old() {
        let old = Hasher::new(QUICK).expect("a cost");
        let new = Hasher::new(HashCost { passes: 2, ..QUICK }).expect("a cost");
        let hash = old.hash("correct horse").await.expect("a hash");
        assert!(
            new.verify("correct horse", Some(&hash))
                .await
                .expect("checked")
        );
        assert!(old.is_current(&hash) && !new.is_current(&hash) && !new.is_current("x"));
    }

    #[tokio::test]
    async fn too_many_at_once_are_refused_at_once() {
        let hasher = Hasher::new(QUICK).expect("a cost");
        let all = (0..20).map(|_| hasher.hash("correct horse"));
        let done = futures_util::future::join_all(all).await;
        let refused = done
            .iter()
            .filter(|done| matches!(done, Err(Error::Unavailable(_))));
        assert_eq!(refused.count(), 18);
        assert!(
            hasher.hash("correct horse").await.is_ok(),
            "the permits are free again"
        );
    }

    #[test]
    fn the_cost_is_what_owasp_recommends() {
        let cost = HashCost::default();
        assert_eq!((cost.memory_kib, cost.passes, cost.lanes), (19_456, 2, 1));
        assert!(Hasher::new(cost).is_ok());
        assert!(
            Hasher::new(HashCost {
                memory_kib: 1,
                ..cost
            })
            .is_err()
        );
    }
}
