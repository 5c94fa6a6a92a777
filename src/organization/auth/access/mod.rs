//! From a bearer token to an actor, quickly, and never by rights that ended more than a second ago.
//!
//! # How
//! - A verified token is remembered under its SHA-256, with its claims. Its times and its key are checked again at each
//!   use, so an expired one and one of a retired key are refused like at first sight.
//! - Who somebody is in a tenant (membership, role, team, the person, the session, the tenant's standing) is remembered
//!   per tenant, person or key, and session. Whoever changes any of it says so in the same transaction
//!   ([`super::tell`]). Each server reads these changes four times a second; what was read before a change was heard of
//!   is read again.
//! - A memory is relied on only if it, or the last successful reading of changes, began less than 0.9 s ago. So rights
//!   end within a second on every server, whatever else fails: with the watch broken, memberships are read once a
//!   second and person instead; with the database gone, nobody gets in. Redis has no part in it.
//!
//! # What it costs
//! Per request a hash, two look-ups in memory and five more for changes: a few microseconds and no statement. Per
//! server four small statements a second, read from an index of the last half minute, whatever the number of requests.
//! Per change one statement for each who is affected, at their next request. Who waits for
//! [`Access::changed`] sleeps until there may be news, or none is heard any more.

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
use change_feed::{News, Trust};
use last_use::LastUse;
use poller::Watch;
use refusal::Refusal;
use resolved::Known;

/// More tokens than this are not remembered at once; 200 bytes each.
const REMEMBERED_TOKENS: u64 = 100_000;
/// More people in tenants than this are not remembered at once; 2 kB each.
const REMEMBERED_PEOPLE: u64 = 100_000;
/// Whoever comes back after this is read again, also if nothing changed. Less than changes are remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(300);
/// Whoever is still let in by something that has ended is asked about again after this.
const ASKED_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// How long a key that was good is not taken for a guess.
const PROVEN_FOR: Duration = Duration::from_secs(60 * 60);
/// What guesses at keys are counted as.
const GUESS: &str = "api-key";
/// A use is noted again after so many seconds.
const NOTED_EVERY_S: i64 = 30;

/// What is told of a token that is not good; what exactly failed would help an attacker.
const INVALID: Error = Error::Unauthenticated("the token is not valid");

/// Resolves tokens and API keys to actors.
pub struct Access {
    db: Db,
    tokens: Arc<Tokens>,
    recorder: Recorder,
    identities: Arc<Identities>,
    throttle: Throttle,
    verified: Cache<[u8; 32], Arc<Verified>>,
    /// The hashes of keys that were good, which wait for no guesses from their address.
    proven: Cache<[u8; 32], ()>,
    known: Cache<(TenantId, Subject), Arc<Remembered>>,
    news: News,
    uses: LastUse,
}

/// A token that was verified, and the key that did.
struct Verified {
    claims: Claims,
    kid: String,
}

/// Somebody, and when their use was noted last, in seconds since 1970.
struct Remembered {
    known: Known,
    noted_at_s: AtomicI64,
}

/// Whom a bearer stands for, before the database was asked.
struct Bearer {
    tenant: TenantId,
    subject: Subject,
    /// When the token ends, if it is one.
    expires_at: Option<DateTime<Utc>>,
    /// Of a key: the hash of the secret that was shown.
    secret_hash: Option<[u8; 32]>,
    /// Whether another issuer made it.
    is_foreign: bool,
    /// When it was made, in seconds since 1970, if it is a token.
    issued_at_s: i64,
}

impl Access {
    /// Reads through the given database. Without [`Self::run`] it works too, and reads more often.
    #[must_use]
    pub fn new(
        db: Db,
        recorder: Recorder,
        tokens: Arc<Tokens>,
        identities: Arc<Identities>,
        throttle: Throttle,
    ) -> Self {
        let proven = Cache::builder()
            .max_capacity(REMEMBERED_TOKENS)
            .time_to_idle(PROVEN_FOR)
            .build();
        let verified = Cache::builder()
            .max_capacity(REMEMBERED_TOKENS)
            .time_to_idle(REMEMBERED_FOR)
            .build();
        let known = Cache::builder()
            .max_capacity(REMEMBERED_PEOPLE)
            .time_to_live(REMEMBERED_FOR)
            .build();
        Self {
            db,
            tokens,
            recorder,
            identities,
            throttle,
            verified,
            proven,
            known,
            news: News::new(),
            uses: LastUse::default(),
        }
    }

    /// The actor that a bearer token or an API key stands for.
    ///
    /// # Errors
    /// `Unauthenticated` when it is not good, or stands for nobody (any more); `TooManyAttempts` for a key from an address
    /// that guesses at keys; `Unavailable`.
    pub async fn actor(&self, bearer: &str, origin: &Origin) -> Result<Arc<Actor>> {
        let bearer = match self.read_bearer(bearer, origin).await {
            Ok(bearer) => bearer,
            Err(Unread::NoKey) => return Err(self.guessed(origin).await),
            Err(Unread::Other(error)) => return Err(error),
        };
        self.check_guesses(&bearer, origin)?;
        let remembered = self.remembered(&bearer).await?;
        let now = self.tokens.clock().now();
        match judge(&remembered.known, &bearer, now) {
            Ok(actor) => {
                if let Some(hash) = bearer.secret_hash {
                    self.proven.insert(hash, ()).await;
                }
                self.note_use(&remembered, &bearer, (now, origin));
                // A token may be made to last longer than the session that it is of.
                let ends = [bearer.expires_at, remembered.known.ends_at];
                let end = ends.into_iter().flatten().min();
                Ok(actor.by(end, bearer.is_foreign))
            }
            Err(Refusal::NoKey) => Err(self.guessed(origin).await),
            Err(refusal) => {
                self.note_refusal(refusal, &bearer, origin);
                Err(refusal.into())
            }
        }
    }

    /// The same, as the database says it at or after an instant; for who was just told that something has changed.
    ///
    /// # Errors
    /// As [`Self::actor`].
    pub async fn actor_as_of(
        &self,
        bearer: &str,
        origin: &Origin,
        since: Instant,
    ) -> Result<Arc<Actor>> {
        if let Ok(Bearer {
            tenant, subject, ..
        }) = self.read_bearer(bearer, origin).await
            && let who = (tenant, subject)
            && let Some(remembered) = self.known.get(&who).await
            && remembered.known.as_of < since
        {
            self.known.invalidate(&who).await;
        }
        self.actor(bearer, origin).await
    }

    /// Resolves as soon as the actor's rights may have changed or ended: what holds on to an actor for longer than a
    /// request asks [`Self::actor`] anew then.
    pub async fn changed(&self, actor: &Actor) {
        let who = (actor.tenant, actor.subject);
        let mut news = self.news.listen(who);
        let mut since = actor.as_of;
        let left = (actor.expires_at - self.tokens.clock().now()).to_std();
        // Timers don't reach as far as dates do. A token counts a few seconds beyond its end: nobody need ask all the time.
        let left = left.unwrap_or_default();
        let left = left.clamp(ASKED_AGAIN_AFTER, change_feed::REMEMBERED_FOR);
        let expired = tokio::time::sleep(left);
        tokio::pin!(expired);
        loop {
            let looked = Instant::now();
            let own_end = match self.news.trust(who, actor.as_of, since) {
                None => return,
                Some(Trust::WhileHeard) => None,
                Some(Trust::Until(end)) => Some(end),
            };
            since = looked;
            let alone = async {
                match own_end {
                    Some(end) => tokio::time::sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut expired => return,
                () = news.told() => {}
                () = alone => {}
            }
        }
    }

    /// Reads along with changes and keys, and writes down uses, until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let ring = self.tokens.ring();
        let watch = Watch::new(&self.db, &self.news, ring).run(&stop);
        tokio::join!(
            watch,
            self.news.announce_silence(&stop),
            ring.keep(stop.clone()),
            self.uses.keep(&self.db, &stop)
        );
    }

    /// Writes down the uses that were noted so far, which happens by itself once a minute.
    pub async fn write_uses(&self) {
        self.uses.write(&self.db).await;
    }

    /// Refuses a key that was not good lately while its address guesses at keys. Nobody is asked for that.
    fn check_guesses(&self, bearer: &Bearer, origin: &Origin) -> Result<()> {
        match (&bearer.secret_hash, origin.address) {
            (Some(hash), Some(address)) if !self.proven.contains_key(hash) => {
                self.throttle.check(&Counter::guesses(GUESS, address))
            }
            _ => Ok(()),
        }
    }

    /// Counts a key that is none against its address.
    async fn guessed(&self, origin: &Origin) -> Error {
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

    async fn read_bearer(&self, bearer: &str, origin: &Origin) -> Result<Bearer, Unread> {
        if bearer.len() > header::MAX_TOKEN_BYTES {
            return Err(INVALID.into());
        }
        let hash: [u8; 32] = Sha256::digest(bearer).into();
        if bearer.starts_with(api_key::PREFIX) {
            let key = ApiKeySecret::parse(bearer).ok_or(Unread::NoKey)?;
            return Ok(Bearer {
                tenant: key.tenant,
                subject: Subject::Key(key.id),
                expires_at: None,
                secret_hash: Some(hash),
                is_foreign: false,
                issued_at_s: 0,
            });
        }
        match self.verified.get(&hash).await {
            Some(verified) => {
                let good = self.tokens.check_again(&verified.claims, &verified.kid);
                good.map_err(told)?;
                Ok(Bearer::of(&verified.claims)?)
            }
            None => Ok(self.verify(bearer, hash, origin).await?),
        }
    }

    /// Verifies a token that was not seen before, by whoever its issuer's tokens are verified by.
    async fn verify(&self, token: &str, hash: [u8; 32], origin: &Origin) -> Result<Bearer> {
        match header::claimed_issuer(token) {
            Some(issuer) if issuer == self.tokens.issuer() => {
                let verified = self.tokens.verify_or_search(token).await;
                let (claims, kid) = verified.map_err(told)?;
                let bearer = Bearer::of(&claims)?;
                let verified = Arc::new(Verified { claims, kid });
                self.verified.insert(hash, verified).await;
                Ok(bearer)
            }
            // Not remembered: which person a name is, is asked anew after a second.
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

    /// Who a bearer is, as fresh as promised.
    async fn remembered(&self, bearer: &Bearer) -> Result<Arc<Remembered>> {
        let arrived = Instant::now();
        let who = (bearer.tenant, bearer.subject);
        loop {
            let found = self.known.try_get_with(who, self.read(who)).await;
            let found = found.map_err(|error: Arc<Error>| Error::clone(&error))?;
            // What others began to read before we came may be too old; what began later is good in any case.
            if found.known.as_of >= arrived || self.trusts(bearer, &found.known) {
                return Ok(found);
            }
            self.known.invalidate(&who).await;
        }
    }

    async fn read(&self, who: (TenantId, Subject)) -> Result<Arc<Remembered>> {
        let known = resolved::read((&self.db, &self.identities), who).await?;
        Ok(Arc::new(Remembered {
            known,
            noted_at_s: AtomicI64::new(0),
        }))
    }

    /// A refusal is not relied on for long: nobody has to tell when somebody comes in, only when somebody goes. A token
    /// that was made since was made for somebody who had come in by then.
    fn trusts(&self, bearer: &Bearer, known: &Known) -> bool {
        let who = (bearer.tenant, bearer.subject);
        match known.answer {
            Ok(_) => self.news.trust(who, known.as_of, known.as_of).is_some(),
            Err(_) => {
                let is_older = bearer.issued_at_s < known.read_at_s;
                is_older && known.as_of.elapsed() < change_feed::TRUSTED_FOR
            }
        }
    }

    /// In the log of the tenant that was claimed, which is whose business it is.
    fn note_refusal(&self, refusal: Refusal, bearer: &Bearer, origin: &Origin) {
        let author = match bearer.subject {
            Subject::Person(user, _) => Author::User(user),
            Subject::Key(key) => Author::Key(key),
            Subject::Worker => return,
        };
        if let Some(word) = refusal.word() {
            let entry = Entry::new(author, "access.refused").noting("reason", word);
            let whom = Whom::Tenant(bearer.tenant);
            self.recorder.note(whom, entry, origin.clone());
        }
    }

    fn note_use(
        &self,
        remembered: &Remembered,
        bearer: &Bearer,
        (now, origin): (DateTime<Utc>, &Origin),
    ) {
        let noted_at_s = remembered.noted_at_s.load(Ordering::Relaxed);
        if now.timestamp() - noted_at_s >= NOTED_EVERY_S {
            remembered
                .noted_at_s
                .store(now.timestamp(), Ordering::Relaxed);
            let who = (bearer.tenant, bearer.subject);
            self.uses.note(who, (now, origin.address));
        }
    }
}

/// Why nobody is known by a bearer.
enum Unread {
    /// It says that it is a key, and is none.
    NoKey,
    /// Something else is wrong with it.
    Other(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Bearer {
    fn of(claims: &Claims) -> Result<Self> {
        let user = UserId::from_uuid(claims.sub);
        Ok(Self {
            tenant: TenantId::from_uuid(claims.tid),
            subject: Subject::Person(user, claims.sid.map(SessionId::from_uuid)),
            expires_at: Some(DateTime::from_timestamp(claims.exp, 0).ok_or(INVALID)?),
            secret_hash: None,
            is_foreign: false,
            issued_at_s: claims.iat,
        })
    }
}

/// What is known of somebody, held against what they showed and against the clock.
fn judge<'k>(
    known: &'k Known,
    bearer: &Bearer,
    now: DateTime<Utc>,
) -> Result<&'k Arc<Actor>, Refusal> {
    if let Some(shown) = &bearer.secret_hash
        && verify_slices_are_equal(shown, &known.secret_hash).is_err()
    {
        return Err(Refusal::NoKey);
    }
    let actor = known.answer.as_ref().map_err(|refusal| *refusal)?;
    match known.ends_at {
        Some(end) if end <= now => Err(match bearer.subject {
            Subject::Key(_) => Refusal::KeyEnded,
            _ => Refusal::SessionEnded,
        }),
        _ => Ok(actor),
    }
}

fn told(error: TokenError) -> Error {
    match error {
        TokenError::Expired => Error::Unauthenticated("the token has expired, get a new one"),
        TokenError::Invalid | TokenError::UnknownKey | TokenError::NoSigningKey => INVALID,
    }
}
