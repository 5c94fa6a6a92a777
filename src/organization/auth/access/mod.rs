//! From a bearer token to an actor, quickly, and never by rights that ended more than a second ago.
//!
//! # How
//! - A verified token is cached under its SHA-256, with its claims. Its times and its key are checked again at each
//!   use, so an expired one and one of a retired key are refused like at first sight.
//! - What a subject is in a tenant (membership, role, team, the person, the session, the tenant's standing) is cached
//!   per tenant, person or key, and session. A transaction that changes any of it publishes that
//!   ([`super::publish_access_change`]). Each server polls these changes four times a second; what was read before a
//!   change was learned of is read again.
//! - A cached entry is relied on only if its read, or the last successful poll of changes, began less than 0.9 s ago
//!   (its lease). So rights end within a second on every server, whatever else fails: without polls, memberships are
//!   read once a second per subject instead; without the database, every token is refused. Redis has no part in it.
//!
//! # What it costs
//! Per request a hash, two look-ups in memory and five more for changes: a few microseconds and no statement. Per
//! server four small statements a second, read from an index of the last half minute, whatever the number of requests.
//! Per change one statement for each subject that is affected, at its next request. [`Access::changed`] sleeps until
//! there may be a change, or the heartbeat of polls is lost.

mod authority;
mod change_feed;
mod last_use;
mod poller;
mod refusal;
mod resolved;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use chrono::{DateTime, Utc};
use moka::future::Cache;
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::{ApiKeySecret, Claims, TokenError, Tokens, api_key, header};
use crate::{
    access::{Actor, Author, Subject},
    base::{
        error::{Error, Result},
        ids::{SessionId, TenantId, Typed as _, UserId},
    },
    db::{
        Db,
        journal::{Entry, Origin, Recorder, Whom},
    },
    organization::identities::Identities,
    platform::redis::{Counter, Throttle},
};
use change_feed::{ChangeFeed, Lease};
use last_use::LastUse;
use poller::ChangePoller;
use refusal::Refusal;
use resolved::Resolved;

/// The most tokens that are cached; 200 bytes each.
const CACHED_TOKENS: u64 = 100_000;
/// The most subjects that are cached; 2 kB each.
const CACHED_SUBJECTS: u64 = 100_000;
/// The time to live of a cached subject, also if nothing changed. Shorter than changes are remembered.
const CACHED_FOR: Duration = Duration::from_secs(300);
/// How soon an actor whose token is in its grace period is resolved again.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long a key that was valid is not counted as a guess.
const PROVEN_FOR: Duration = Duration::from_secs(60 * 60);
/// The counter of guesses at keys.
const GUESS: &str = "api-key";
/// A use is noted again after so many seconds.
const NOTED_EVERY_S: i64 = 30;

/// The error for a token that is not valid; what exactly failed would help an attacker.
const INVALID: Error = Error::Unauthenticated("the token is not valid");

/// Resolves tokens and API keys to actors.
pub struct Access {
    db: Db,
    tokens: Arc<Tokens>,
    recorder: Recorder,
    identities: Arc<Identities>,
    throttle: Throttle,
    verified: Cache<[u8; 32], Arc<VerifiedToken>>,
    /// The hashes of keys that were valid, which guesses from their address don't slow down.
    proven: Cache<[u8; 32], ()>,
    subjects: Cache<TenantSubject, Arc<CachedSubject>>,
    changes: ChangeFeed,
    uses: LastUse,
}

/// A token that was verified, and the key that did.
struct VerifiedToken {
    claims: Claims,
    kid: String,
}

/// A subject, and when its use was noted last, in seconds since 1970.
struct CachedSubject {
    resolved: Resolved,
    noted_at_s: AtomicI64,
}

/// A subject in a tenant: what rights are read, cached and followed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct TenantSubject {
    tenant: TenantId,
    subject: Subject,
}

/// The subject that a bearer claims to be, before the database is read.
struct Bearer {
    who: TenantSubject,
    /// When the token ends, if it is one.
    expires_at: Option<DateTime<Utc>>,
    /// Of a key: the hash of the secret that was presented.
    secret_hash: Option<[u8; 32]>,
    /// Whether another issuer made it.
    is_foreign: bool,
    /// When it was made, in seconds since 1970, if it is a token.
    issued_at_s: i64,
}

impl Access {
    /// Resolves from the given database. Without [`Self::run`] it works too, and reads more often.
    #[must_use]
    pub fn new(
        db: Db,
        recorder: Recorder,
        tokens: Arc<Tokens>,
        identities: Arc<Identities>,
        throttle: Throttle,
    ) -> Self {
        let proven = Cache::builder()
            .max_capacity(CACHED_TOKENS)
            .time_to_idle(PROVEN_FOR)
            .build();
        let verified = Cache::builder()
            .max_capacity(CACHED_TOKENS)
            .time_to_idle(CACHED_FOR)
            .build();
        let subjects = Cache::builder()
            .max_capacity(CACHED_SUBJECTS)
            .time_to_live(CACHED_FOR)
            .build();
        Self {
            db,
            tokens,
            recorder,
            identities,
            throttle,
            verified,
            proven,
            subjects,
            changes: ChangeFeed::new(),
            uses: LastUse::default(),
        }
    }

    /// The actor that a bearer token or an API key stands for.
    ///
    /// # Errors
    /// `Unauthenticated` when it is not valid, or stands for no subject (any more); `TooManyAttempts` for a key from an
    /// address that guesses at keys; `Unavailable`.
    pub async fn actor(&self, bearer: &str, origin: &Origin) -> Result<Arc<Actor>> {
        let bearer = match self.read_bearer(bearer, origin).await {
            Ok(bearer) => bearer,
            Err(BearerError::NoKey) => return Err(self.count_guess(origin).await),
            Err(BearerError::Other(error)) => return Err(error),
        };
        self.check_guesses(&bearer, origin)?;
        let cached = self.cached(&bearer).await?;
        let now = self.tokens.clock().now();
        match judge(&cached.resolved, &bearer, now) {
            Ok(actor) => {
                if let Some(hash) = bearer.secret_hash {
                    self.proven.insert(hash, ()).await;
                }
                self.note_use(&cached, &bearer, now, origin);
                // A token may be made to last longer than the session that it is of.
                let ends = [bearer.expires_at, cached.resolved.ends_at];
                let end = ends.into_iter().flatten().min();
                Ok(actor.by(end, bearer.is_foreign))
            }
            Err(Refusal::NoKey) => Err(self.count_guess(origin).await),
            Err(refusal) => {
                self.note_refusal(refusal, &bearer, origin);
                Err(refusal.into())
            }
        }
    }

    /// The same, read at or after an instant; for callers that have learned of a change.
    ///
    /// # Errors
    /// As [`Self::actor`].
    pub async fn actor_as_of(
        &self,
        bearer: &str,
        origin: &Origin,
        since: Instant,
    ) -> Result<Arc<Actor>> {
        if let Ok(Bearer { who, .. }) = self.read_bearer(bearer, origin).await
            && let Some(cached) = self.subjects.get(&who).await
            && cached.resolved.as_of < since
        {
            self.subjects.invalidate(&who).await;
        }
        self.actor(bearer, origin).await
    }

    /// Resolves as soon as the actor's rights may have changed or ended: what keeps an actor for longer than a request
    /// calls
    /// [`Self::actor`] again then.
    pub async fn changed(&self, actor: &Actor) {
        let who = TenantSubject {
            tenant: actor.tenant,
            subject: actor.subject,
        };
        let mut listener = self.changes.listen(who);
        let mut since = actor.as_of;
        let left = (actor.expires_at - self.tokens.clock().now()).to_std();
        // Timers don't reach as far as dates do. A token counts for a few seconds beyond its end, in which polling it
        // is no use.
        let left = left.unwrap_or_default();
        let left = left.clamp(ASKED_AGAIN_AFTER, change_feed::CHANGES_KEPT_FOR);
        let expired = tokio::time::sleep(left);
        tokio::pin!(expired);
        loop {
            let checked = Instant::now();
            let lease_end = match self.changes.lease(who, actor.as_of, since) {
                None => return,
                Some(Lease::WhileFollowed) => None,
                Some(Lease::Until(end)) => Some(end),
            };
            since = checked;
            let lease_ended = async {
                match lease_end {
                    Some(end) => tokio::time::sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                            () = &mut expired => return,
            () = listener.notified() => {}
                () = lease_ended => {}
                        }
        }
    }

    /// Polls changes and keys, and writes times of last use, until stopped.
    pub async fn run(&self, stop: CancellationToken) {
        let ring = self.tokens.ring();
        let poller = ChangePoller::new(&self.db, &self.changes, ring).run(&stop);
        tokio::join!(
            poller,
            self.changes.monitor_heartbeat(&stop),
            ring.keep(stop.clone()),
            self.uses.keep(&self.db, &stop)
        );
    }

    /// Writes the uses that were noted so far, which happens by itself once a minute.
    pub async fn write_uses(&self) {
        self.uses.write(&self.db).await;
    }

    /// Refuses a key that was not valid lately while its address guesses at keys, without a round trip.
    fn check_guesses(&self, bearer: &Bearer, origin: &Origin) -> Result<()> {
        match (&bearer.secret_hash, origin.address) {
            (Some(hash), Some(address)) if !self.proven.contains_key(hash) => {
                self.throttle.check(&Counter::guesses(GUESS, address))
            }
            _ => Ok(()),
        }
    }

    /// Counts an invalid key against its address.
    async fn count_guess(&self, origin: &Origin) -> Error {
        let counter = origin
            .address
            .map(|address| Counter::guesses(GUESS, address));
        if let Some(counter) = counter
            && let Err(error) = self.throttle.begin(&counter).await
        {
            return error;
        }
        Refusal::NoKey.into()
    }

    async fn read_bearer(&self, bearer: &str, origin: &Origin) -> Result<Bearer, BearerError> {
        if bearer.len() > header::MAX_TOKEN_BYTES {
            return Err(INVALID.into());
        }
        let hash: [u8; 32] = Sha256::digest(bearer).into();
        if bearer.starts_with(api_key::PREFIX) {
            let key = ApiKeySecret::parse(bearer).ok_or(BearerError::NoKey)?;
            return Ok(Bearer {
                who: TenantSubject {
                    tenant: key.tenant,
                    subject: Subject::Key(key.id),
                },
                expires_at: None,
                secret_hash: Some(hash),
                is_foreign: false,
                issued_at_s: 0,
            });
        }
        match self.verified.get(&hash).await {
            Some(verified) => {
                let good = self.tokens.check_again(&verified.claims, &verified.kid);
                good.map_err(refused)?;
                Ok(Bearer::of(&verified.claims)?)
            }
            None => Ok(self.verify(bearer, hash, origin).await?),
        }
    }

    /// Verifies a token that is not cached, by the keys of its issuer.
    async fn verify(&self, token: &str, hash: [u8; 32], origin: &Origin) -> Result<Bearer> {
        match header::claimed_issuer(token) {
            Some(issuer) if issuer == self.tokens.issuer() => {
                let verified = self.tokens.verify_or_search(token).await;
                let (claims, kid) = verified.map_err(refused)?;
                let bearer = Bearer::of(&claims)?;
                let verified = Arc::new(VerifiedToken { claims, kid });
                self.verified.insert(hash, verified).await;
                Ok(bearer)
            }
            // Not cached: which person an external name belongs to is read again after a second.
            Some(_) => {
                let claims = self
                    .identities
                    .authenticate(&self.db, token, origin)
                    .await?;
                Ok(Bearer {
                    is_foreign: true,
                    ..Bearer::of(&claims)?
                })
            }
            None => Err(INVALID),
        }
    }

    /// The subject of a bearer, as current as promised.
    async fn cached(&self, bearer: &Bearer) -> Result<Arc<CachedSubject>> {
        let arrived = Instant::now();
        let who = bearer.who;
        loop {
            let found = self.subjects.try_get_with(who, self.read(who)).await;
            let found = found.map_err(|error: Arc<Error>| Error::clone(&error))?;
            // What another request began to read before this one arrived may be stale; what began later is not.
            if found.resolved.as_of >= arrived || self.holds(bearer, &found.resolved) {
                return Ok(found);
            }
            self.subjects.invalidate(&who).await;
        }
    }

    async fn read(&self, who: TenantSubject) -> Result<Arc<CachedSubject>> {
        let resolved = resolved::read(&self.db, &self.identities, who).await?;
        Ok(Arc::new(CachedSubject {
            resolved,
            noted_at_s: AtomicI64::new(0),
        }))
    }

    /// A refusal is not relied on for long: becoming a member publishes no change, only leaving does. A token that was
    /// issued since then was issued to a member.
    fn holds(&self, bearer: &Bearer, resolved: &Resolved) -> bool {
        match resolved.answer {
            Ok(_) => self
                .changes
                .lease(bearer.who, resolved.as_of, resolved.as_of)
                .is_some(),
            Err(_) => {
                let is_older = bearer.issued_at_s < resolved.read_at_s;
                is_older && resolved.as_of.elapsed() < change_feed::LEASE
            }
        }
    }

    /// In the audit log of the claimed tenant.
    fn note_refusal(&self, refusal: Refusal, bearer: &Bearer, origin: &Origin) {
        let author = match bearer.who.subject {
            Subject::Person(user, _) => Author::User(user),
            Subject::Key(key) => Author::Key(key),
            Subject::Worker => return,
        };
        if let Some(word) = refusal.word() {
            let entry = Entry::new(author, "access.refused").noting("reason", word);
            let whom = Whom::Tenant(bearer.who.tenant);
            self.recorder.note(whom, entry, origin.clone());
        }
    }

    fn note_use(
        &self,
        cached: &CachedSubject,
        bearer: &Bearer,
        now: DateTime<Utc>,
        origin: &Origin,
    ) {
        let noted_at_s = cached.noted_at_s.load(Ordering::Relaxed);
        if now.timestamp() - noted_at_s >= NOTED_EVERY_S {
            cached.noted_at_s.store(now.timestamp(), Ordering::Relaxed);
            self.uses.note(bearer.who, (now, origin.address));
        }
    }
}

/// Why a bearer can't be read.
enum BearerError {
    /// It has the form of a key, and is none.
    NoKey,
    /// Something else is wrong with it.
    Other(Error),
}

impl From<Error> for BearerError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Bearer {
    fn of(claims: &Claims) -> Result<Self> {
        let user = UserId::from_uuid(claims.sub);
        Ok(Self {
            who: TenantSubject {
                tenant: TenantId::from_uuid(claims.tid),
                subject: Subject::Person(user, claims.sid.map(SessionId::from_uuid)),
            },
            expires_at: Some(DateTime::from_timestamp(claims.exp, 0).ok_or(INVALID)?),
            secret_hash: None,
            is_foreign: false,
            issued_at_s: claims.iat,
        })
    }
}

/// Holds what was read of a subject against the secret that it presented and against the clock.
fn judge<'k>(
    resolved: &'k Resolved,
    bearer: &Bearer,
    now: DateTime<Utc>,
) -> Result<&'k Arc<Actor>, Refusal> {
    if let Some(shown) = &bearer.secret_hash
        && verify_slices_are_equal(shown, &resolved.secret_hash).is_err()
    {
        return Err(Refusal::NoKey);
    }
    let actor = resolved.answer.as_ref().map_err(|refusal| *refusal)?;
    match resolved.ends_at {
        Some(end) if end <= now => Err(match bearer.who.subject {
            Subject::Key(_) => Refusal::KeyEnded,
            _ => Refusal::SessionEnded,
        }),
        _ => Ok(actor),
    }
}

fn refused(error: TokenError) -> Error {
    match error {
        TokenError::Expired => Error::Unauthenticated("the token has expired, get a new one"),
        TokenError::Early => Error::Unauthenticated(
            "the token is not valid yet: the clocks of this server and of the one that made it differ, try again",
        ),
        TokenError::Invalid | TokenError::UnknownKey | TokenError::NoSigningKey => INVALID,
    }
}
