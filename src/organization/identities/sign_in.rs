//! Signing in at a provider. What begins a sign-in is tied to the browser that began it by a secret that never leaves
//! it: a code that an attacker planted there is worth nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{
    ExternalIdentity, Identities, Recognised, link, linked,
    provider::{Provider, Returned},
    recognise, store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::UserId,
        secret,
    },
    db::{
        SystemReason, SystemTx,
        journal::{Origin, Whom},
    },
    organization::{
        accounts::{
            Accounts, Entering, SignedIn, TenantChoice, enter,
            one_time::{self, SecretPurpose},
        },
        auth::TenantName,
    },
    platform::redis::Counter,
};

/// How long a person may take at the provider.
const WITHIN: TimeDelta = TimeDelta::minutes(10);
/// Where the verifier of PKCE is sealed for.
const PLACE: &str = "provider-sign-in";
/// What the start of a sign-in is counted as.
const ACT: &str = "provider-sign-in";

/// How people may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    /// Whether by password.
    pub(super) passwords: bool,
    /// Through which providers: key and name.
    pub(super) providers: Vec<(String, String)>,
    /// Whether the tenant requires a second factor.
    pub(super) second_factor_required: bool,
}

/// A sign-in to be begun.
#[derive(Debug, Clone)]
pub(super) struct Beginning {
    /// The key of the provider.
    pub(super) provider: String,
    /// Where it shall send the person back to.
    pub(super) redirect_uri: String,
    /// Into which tenant, by its short name.
    pub(super) tenant: Option<String>,
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// Where to send the person.
    pub(super) authorization_url: String,
    /// What the sign-in is completed with; it stays in the browser.
    pub(super) token: String,
}

/// What the provider sent the person back with.
#[derive(Debug, Clone)]
pub(super) struct Completing {
    /// The secret that the sign-in began with.
    pub(super) token: String,
    /// The `state` that came back.
    pub(super) state: String,
    /// The `code` that came back.
    pub(super) code: String,
    /// The `iss` that came back, if one did (RFC 9207).
    pub(super) issuer: Option<String>,
}

/// What is stored while the person is at the provider.
#[derive(Serialize, Deserialize)]
struct ProviderRoundTrip {
    provider: String,
    redirect_uri: String,
    tenant: Option<String>,
    nonce: String,
    /// The hash of it.
    state: String,
    /// Sealed.
    verifier: String,
}

/// How people may sign in to a tenant. A tenant that does not exist is answered like one without requirements of its
/// own.
///
/// # Errors
/// The database.
pub(super) async fn options(accounts: &Accounts, tenant: Option<String>) -> Result<Options> {
    let identities = &accounts.identities;
    let policy = match &tenant {
        Some(slug) => {
            let mut tx = accounts.db.system(SystemReason::SignIn).await?;
            store::sign_in_policy(&mut tx, &TenantName::Slug(slug.clone())).await?
        }
        None => None,
    };
    let required = policy
        .as_ref()
        .and_then(|policy| policy.required_provider.as_deref());
    let slug = tenant.as_deref().unwrap_or_default();
    let admitted = identities
        .order
        .iter()
        .filter(|key| identities.admits(slug, required, Some(key)))
        .filter_map(|key| identities.providers.get(key));
    let named = |provider: &Provider| (provider.config.key.clone(), provider.config.name.clone());
    Ok(Options {
        passwords: required.is_none(),
        providers: admitted.map(named).collect(),
        second_factor_required: policy
            .as_ref()
            .is_some_and(|policy| policy.second_factor_required),
    })
}

/// Begins a sign-in at a provider.
///
/// # Errors
/// `NOT_FOUND` on `provider`, `REDIRECT_URI_NOT_ALLOWED`, `TOO_MANY_ATTEMPTS`; `Unavailable` when the provider does not
/// answer and its metadata was never read.
pub(super) async fn begin(
    accounts: &Accounts,
    beginning: Beginning,
    origin: &Origin,
) -> Result<Begun> {
    let provider = accounts.identities.provider(&beginning.provider)?;
    if let Some(counter) = counter(origin) {
        accounts.throttle.begin(&counter).await?;
    }
    let mut registered = provider.config.redirect_uris.iter();
    if !registered.any(|uri| uri.as_str() == beginning.redirect_uri) {
        return Err(Error::invalid(
            "REDIRECT_URI_NOT_ALLOWED",
            "redirectUri",
            "the provider sends people back to the configured addresses only",
        ));
    }
    let begun = provider.begin(&beginning.redirect_uri).await?;
    let sealed = accounts.vault.seal(PLACE, begun.verifier.as_bytes())?;
    let pending = ProviderRoundTrip {
        provider: beginning.provider,
        redirect_uri: beginning.redirect_uri,
        tenant: beginning.tenant,
        nonce: begun.nonce,
        state: STANDARD.encode(secret::hash(&begun.state)),
        verifier: STANDARD.encode(sealed),
    };
    let pending = serde_json::to_value(pending).map_err(Error::internal)?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let token = one_time::issue(
        &mut tx,
        SecretPurpose::ProviderSignIn,
        None,
        pending,
        WITHIN,
    )
    .await?;
    tx.commit().await?;
    Ok(Begun {
        authorization_url: begun.address,
        token,
    })
}

/// Completes a sign-in with what the provider sent back. Each start allows one try.
///
/// # Errors
/// `INVALID_TOKEN`, `SIGN_IN_REFUSED`, `NOT_A_MEMBER`, and what entering a tenant fails with; `Unavailable` when the
/// provider does not answer.
pub(super) async fn complete(
    accounts: &Accounts,
    completing: Completing,
    origin: &Origin,
) -> Result<SignedIn> {
    let pending = take(accounts, &completing.token).await?;
    let provider = accounts.identities.provider(&pending.provider)?;
    let is_own = STANDARD.encode(secret::hash(&completing.state)) == pending.state;
    let issuer = completing.issuer.as_deref();
    let is_theirs = issuer.is_none_or(|issuer| issuer == provider.config.issuer.as_str());
    if !is_own || !is_theirs {
        return Err(Error::invalid(
            "SIGN_IN_REFUSED",
            if is_own { "issuer" } else { "state" },
            "this is not the sign-in that was begun here, begin again",
        ));
    }
    let unsealed = STANDARD
        .decode(&pending.verifier)
        .map_err(Error::internal)?;
    let verifier = accounts.vault.open(PLACE, &unsealed)?;
    let returned = Returned {
        code: completing.code,
        redirect_uri: pending.redirect_uri,
        nonce: pending.nonce,
        verifier: String::from_utf8(verifier).map_err(Error::internal)?,
    };
    let identity = provider.complete(returned).await?;
    let signed_in = let_in(
        accounts,
        &identity,
        pending.provider,
        pending.tenant,
        origin,
    )
    .await?;
    if let Some(counter) = counter(origin) {
        accounts.throttle.give_back(&counter).await;
    }
    Ok(signed_in)
}

impl Identities {
    fn provider(&self, key: &str) -> Result<&Provider> {
        self.providers.get(key).ok_or(Error::NotFound {
            kind: "provider",
            field: "provider",
        })
    }
}

async fn take(accounts: &Accounts, token: &str) -> Result<ProviderRoundTrip> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let taken = one_time::take(&mut tx, SecretPurpose::ProviderSignIn, token).await?;
    tx.commit().await?;
    let taken = taken.ok_or_else(|| {
        Error::invalid(
            "INVALID_TOKEN",
            "signInToken",
            "this sign-in was completed before, is too old or was begun elsewhere; begin again",
        )
    })?;
    serde_json::from_value(taken.data).map_err(Error::internal)
}

/// Links the identity if it is new and opens the session, or neither of both.
async fn let_in(
    accounts: &Accounts,
    identity: &ExternalIdentity,
    provider: String,
    tenant: Option<String>,
    origin: &Origin,
) -> Result<SignedIn> {
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let (user, is_new) = person(&mut tx, identity).await?;
    let entering = Entering {
        user,
        tenant: tenant.map_or(TenantChoice::LastUsed, TenantChoice::Slug),
        second_factor: false,
        provider: Some(provider),
        resumed: false,
    };
    let signed_in = enter(accounts, &mut tx, entering, origin).await?;
    tx.commit().await?;
    if is_new {
        let entry = linked(user, identity);
        accounts
            .recorder
            .note(Whom::TenantsOf(user), entry, origin.clone());
    }
    Ok(signed_in)
}

/// Whose identity it is, and whether it was linked just now.
async fn person(tx: &mut SystemTx, identity: &ExternalIdentity) -> Result<(UserId, bool)> {
    let found = match recognise(tx, identity).await? {
        Recognised::Linked(user) => Some((user, false)),
        Recognised::ByAddress(user) => link(tx, identity, user).await?.map(|user| (user, true)),
        Recognised::Unknown => None,
    };
    found.ok_or_else(|| {
        Error::invalid(
            "NOT_A_MEMBER",
            "",
            "your account at the provider belongs to nobody here: ask to be invited by the e-mail address that the \
             provider has checked, or verify that address here first",
        )
    })
}

fn counter(origin: &Origin) -> Option<Counter> {
    origin.address.map(|address| Counter::network(ACT, address))
}
