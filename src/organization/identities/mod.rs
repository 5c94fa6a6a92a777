//! External identities: how other issuers identify a person, which person of ours that is, and what they may enter.
//!
//! An identity belongs to a person once it is linked: by an e-mail address that the issuer has verified, to the person who
//! owns that address here as well. Linking makes no one a member.

mod foreign;
mod graphql;
mod provider;
mod settings;
mod sign_in;
mod store;

use std::{collections::HashMap, time::Duration};

use futures_util::future::join_all;
use moka::future::Cache;

use crate::{
    base::{
        clock::Clock,
        error::Result,
        ids::{TenantId, Typed as _, UserId},
        text::normalize_email,
    },
    db::{SystemTx, journal::Entry},
    organization::auth::{Foreign, TenantName},
};
pub use graphql::{IdentityMutation, IdentityQuery};
use provider::Provider;
pub use settings::{
    ClaimNames, IdentityFile, IdentityFileError, IssuerConfig, ProviderConfig, SigningAlgorithm,
    TenantClaim, WebAddress,
};

/// How long the person of an identity is cached. What they may do is read more often.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// The most identities that are cached.
const REMEMBERED_NAMES: u64 = 100_000;

/// A person as an issuer identifies them (OpenID Connect Core 1.0, section 5.7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ExternalIdentity {
    /// The issuer.
    pub issuer: String,
    /// Its identifier of the person, which it never gives to another.
    pub subject: String,
    /// The person's address, if the issuer has checked it.
    pub verified_email: Option<String>,
}

/// Which person of ours an identity belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recognised {
    /// The identity is linked to this person.
    Linked(UserId),
    /// The identity is not linked yet, and the address is this person's.
    ByAddress(UserId),
    /// The person is unknown.
    Unknown,
}

/// The outside providers and issuers.
pub struct Identities {
    clock: Clock,
    foreign: Foreign,
    providers: HashMap<String, Provider>,
    order: Vec<String>,
    remembered: Cache<(ExternalIdentity, TenantName), (TenantId, UserId)>,
}

impl Identities {
    /// Those of the identity file. Nothing is asked yet.
    ///
    /// # Errors
    /// The machine has no certificates to trust.
    pub fn new(file: IdentityFile, clock: Clock) -> Result<Self, std::io::Error> {
        let order = file.providers.iter().map(|provider| provider.key.clone());
        let order = order.collect();
        let provider = |config: crate::organization::identities::ProviderConfig| {
            let key = config.key.clone();
            let provider = Provider::new(config, &clock).map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>((key, provider))
        };
        let providers = file
            .providers
            .into_iter()
            .map(provider)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            foreign: Foreign::new(file.issuers, &clock)?,
            providers,
            order,
            remembered: Cache::builder()
                .max_capacity(REMEMBERED_NAMES)
                .time_to_live(REMEMBERED_FOR)
                .build(),
            clock,
        })
    }

    /// Without any.
    ///
    /// # Panics
    /// Never: nothing is asked, so no certificates are needed.
    #[must_use]
    pub fn none() -> Self {
        Self::new(IdentityFile::default(), Clock::system()).expect("no provider to set up")
    }

    /// Whether a person who signed in through this provider, or by a password, may enter a tenant: the tenant may require
    /// a provider, and a provider may be trusted with some tenants only. A provider that is not configured any more opens
    /// none.
    #[must_use]
    pub fn admits(&self, tenant: &str, required: Option<&str>, provider: Option<&str>) -> bool {
        let is_required = required.is_none_or(|required| provider == Some(required));
        is_required && self.trusts(provider, tenant)
    }

    /// Whether the operator trusts a provider with a tenant; a password counts everywhere.
    #[must_use]
    pub fn trusts(&self, provider: Option<&str>, tenant: &str) -> bool {
        provider.is_none_or(|key| {
            let provider = self.providers.get(key);
            provider.is_some_and(|provider| provider.opens(tenant))
        })
    }
}

impl Identities {
    /// Asks each outside provider and issuer for what it publishes, and says which answered, by their names.
    pub async fn examine(&self) -> Vec<(String, bool)> {
        let providers = self.providers.values().map(async |provider| {
            let name = format!("provider {}", provider.config.key);
            (name, provider.answers().await)
        });
        let issuers = self.foreign.examine();
        let (mut answered, issuers) = tokio::join!(join_all(providers), issuers);
        answered.extend(issuers);
        answered.sort();
        answered
    }

    /// Whether a sign-in through this provider, or by a password, is trusted by all tenants. One that is not configured
    /// any more is trusted by none.
    #[must_use]
    pub fn is_trusted_by_all(&self, provider: Option<&str>) -> bool {
        provider.is_none_or(|key| {
            let provider = self.providers.get(key);
            provider.is_some_and(|provider| provider.config.tenants.is_empty())
        })
    }
}

/// Finds the person of an identity; by their address only if no other person can have registered that here.
async fn recognise(tx: &mut SystemTx, identity: &ExternalIdentity) -> Result<Recognised> {
    if let Some(user) = store::find(tx, identity).await? {
        return Ok(Recognised::Linked(user));
    }
    // Letters beyond ASCII can look or lower-case like others: such an address never identifies a person.
    let email = identity.verified_email.as_deref();
    let Some(email) = email
        .filter(|email| email.is_ascii())
        .and_then(|email| normalize_email(email, "email").ok())
    else {
        return Ok(Recognised::Unknown);
    };
    Ok(match store::addressee(tx, &email).await? {
        Some(person) if person.is_owned => Recognised::ByAddress(person.user_id),
        _ => Recognised::Unknown,
    })
}

/// Links an identity to the person whose address it has; answers whose it is from now on.
async fn link(
    tx: &mut SystemTx,
    identity: &ExternalIdentity,
    user: UserId,
) -> Result<Option<UserId>> {
    match store::link(tx, identity, user).await? {
        true => Ok(Some(user)),
        false => store::find(tx, identity).await,
    }
}

fn linked(user: UserId, identity: &ExternalIdentity) -> Entry {
    Entry::new(user, "identity.linked")
        .about("user", user.uuid())
        .noting("issuer", identity.issuer.clone())
        .noting("subject", identity.subject.clone())
}
