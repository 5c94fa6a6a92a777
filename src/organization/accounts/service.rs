//! What the acts of accounts work with: one value, shared by all requests.

use std::sync::Arc;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use url::Url;

use super::Hasher;
use crate::{
    base::{
        error::Result,
        ids::{PipelineId, SessionId},
    },
    db::{
        Db, Tx,
        journal::{Origin, Recorder},
    },
    organization::{auth::Tokens, identities::Identities},
    platform::{
        Vault,
        mail::{Mailer, Post},
        redis::{Counter, Throttle},
    },
};

/// Background tasks at once; further ones are dropped, which is logged.
const BACKGROUND: usize = 64;

/// Gives a new tenant what it needs to work, in the name of its admin.
pub type Furnish = for<'t> fn(&'t mut Tx, PipelineId) -> BoxFuture<'t, Result<()>>;

/// What the service is made from.
#[derive(Clone)]
pub struct Setup {
    /// What a new tenant begins with; the id is its first pipeline's.
    pub furnish: Furnish,
    /// Keeps secrets that must be read again.
    pub vault: Arc<Vault>,
    /// Where mails go.
    pub post: Post,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// The outside providers and issuers.
    pub identities: Arc<Identities>,
    /// The rest.
    pub settings: Settings,
}

/// The rules of accounts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether strangers may register.
    pub registration: bool,
    /// How long a session lasts, however often it is refreshed.
    pub session_ttl: TimeDelta,
    /// Where people find the frontend; mailed links begin with it.
    pub app_url: Url,
    /// How many proxies in front of the server are trusted to say where a request comes from.
    pub trusted_proxies: usize,
}

impl Settings {
    /// The address of a mailed link. The secret is in the fragment, which no browser sends to a server.
    #[must_use]
    pub fn link(&self, act: &str, token: &str) -> String {
        let base = self.app_url.as_str().trim_end_matches('/');
        format!("{base}/account/{act}#token={token}")
    }
}

/// The accounts service, in the data of the schema as `Arc<Accounts>`.
pub struct Accounts {
    /// What a new tenant begins with.
    pub furnish: Furnish,
    /// The database.
    pub db: Db,
    /// Makes access tokens.
    pub tokens: Arc<Tokens>,
    /// Keeps secrets that must be read again.
    pub vault: Arc<Vault>,
    /// Sends mails.
    pub mail: Mailer,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// The outside providers and issuers.
    pub identities: Arc<Identities>,
    /// Slows down guesses.
    pub throttle: Throttle,
    /// Notes for the audit log what no transaction records.
    pub recorder: Recorder,
    /// The rules of accounts.
    pub settings: Settings,
    background: (TaskTracker, Arc<Semaphore>),
}

/// A try that was counted when it began.
pub struct Attempt<'a> {
    throttle: &'a Throttle,
    /// Counts the tries of this caller alone.
    own: Counter,
    /// Count those of other callers as well.
    shared: Vec<Counter>,
}

impl Accounts {
    /// Puts the service together.
    #[must_use]
    pub fn new(
        db: Db,
        setup: Setup,
        tokens: Arc<Tokens>,
        mail: Mailer,
        throttle: Throttle,
        recorder: Recorder,
    ) -> Self {
        Self {
            furnish: setup.furnish,
            db,
            tokens,
            vault: setup.vault,
            mail,
            hasher: setup.hasher,
            identities: setup.identities,
            throttle,
            recorder,
            settings: setup.settings,
            background: (TaskTracker::new(), Arc::new(Semaphore::new(BACKGROUND))),
        }
    }

    /// Begins what may be tried only so often: `act` on an account, by a caller who has a session, the password or a mailed
    /// secret of it already. The tries of all such callers add up.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub async fn attempt(&self, act: &str, account: &str, origin: &Origin) -> Result<Attempt<'_>> {
        let attempt = self.enter(act, Counter::account(act, account), origin);
        let attempt = attempt.await?;
        self.throttle.begin(&attempt.own).await?;
        Ok(attempt)
    }

    /// Begins what any client may try on any account: counted for the account and the network address together, so that
    /// guesses from one address lock out none that come from another; and for the account from everywhere, slowly. A
    /// device that the account was signed in on is counted by itself, and locked out by no stranger.
    ///
    /// # Errors
    /// `TooManyAttempts`.
    pub async fn attempt_from_outside(
        &self,
        act: &str,
        account: &str,
        device: Option<SessionId>,
        origin: &Origin,
    ) -> Result<Attempt<'_>> {
        let own = match device {
            Some(session) => Counter::device(act, session),
            None => Counter::pair(act, account, origin.address),
        };
        let mut attempt = self.enter(act, own, origin).await?;
        self.throttle.begin(&attempt.own).await?;
        if device.is_none() {
            let everywhere = Counter::everywhere(act, account);
            self.throttle.begin(&everywhere).await?;
            attempt.shared.push(everywhere);
        }
        Ok(attempt)
    }

    /// Also counts tries of many accounts from one address.
    async fn enter(&self, act: &str, own: Counter, origin: &Origin) -> Result<Attempt<'_>> {
        let network = origin.address.map(|address| Counter::network(act, address));
        if let Some(network) = &network {
            self.throttle.begin(network).await?;
        }
        Ok(Attempt {
            throttle: &self.throttle,
            own,
            shared: network.into_iter().collect(),
        })
    }

    /// Runs a background task. The shutdown of the server waits for it.
    pub fn later(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) {
        let (tasks, slots) = &self.background;
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            tracing::error!(what, "not done: too many background tasks");
            return;
        };
        tasks.spawn(async move {
            if let Err(error) = work.await {
                tracing::error!(what, %error, "not done");
            }
            drop(slot);
        });
    }

    /// Waits for what is still being done.
    pub async fn finish(&self) {
        self.background.0.close();
        self.background.0.wait().await;
    }
}

impl Attempt<'_> {
    /// It was no guess: the own counter begins anew, and those that are shared do not grow.
    pub async fn succeeded(self) {
        self.throttle.clear(&self.own).await;
        for shared in &self.shared {
            self.throttle.give_back(shared).await;
        }
    }
}
