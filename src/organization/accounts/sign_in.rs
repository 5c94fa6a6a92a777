//! Signing in by password, and entering a tenant once the person is authenticated.

use chrono::TimeDelta;
use serde_json::json;

use super::{
    Accounts, Entering, JoinedTenant, SecondFactorStep, SignedIn, TenantChoice, alarm,
    one_time::{self, SecretPurpose},
    sessions::{self, NewSession, OpenedSession},
    store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{SessionId, TenantId, Typed as _, UserId},
        secret,
        text::normalize_email,
    },
    db::{
        SystemReason, SystemTx,
        journal::{Entry, Origin, Recorder, Whom},
    },
};

/// How long there is between password and second factor.
const SECOND_FACTOR_WITHIN: TimeDelta = TimeDelta::minutes(10);

/// What a person signs in with.
pub struct Credentials {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
    /// Into which tenant, by its short name; without it the one last used.
    pub tenant: Option<String>,
    /// A refresh token of an earlier session, by which the device is known.
    pub device: Option<String>,
}

/// What tries of a password are counted as, wherever it is asked for.
pub(super) const ACT: &str = "sign-in";

/// Signs a person in. Neither the answer nor its time discloses whether an address is known: there is always one query
/// and one hash, and the audit entry of a refusal is written in the background.
///
/// # Errors
/// `INVALID_CREDENTIALS`, `INVALID_EMAIL`, `TOO_MANY_ATTEMPTS`; once the password was right `ACCOUNT_INACTIVE` and
/// what [`enter`] fails with.
pub async fn sign_in(
    accounts: &Accounts,
    credentials: Credentials,
    origin: &Origin,
) -> Result<SignedIn> {
    let Credentials {
        email,
        password,
        tenant,
        device,
    } = credentials;
    let email = normalize_email(&email, "email")?;
    let device = known_device(accounts, &email, device).await?;
    let attempt = alarm::attempt(accounts, &email, device, origin).await?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let person = store::by_email(&mut tx, email).await?;
    drop(tx);
    let hash = person
        .as_ref()
        .and_then(|person| person.password_hash.clone());
    let is_right = accounts.hasher.verify(&password, hash.as_deref()).await?;
    let (Some(person), Some(hash), true) = (&person, hash, is_right) else {
        if let Some(person) = &person {
            note_refusal(
                &accounts.recorder,
                person.user_id,
                "INVALID_CREDENTIALS",
                origin,
            );
        }
        return Err(refused());
    };
    attempt.succeeded().await;
    if !accounts.hasher.is_current(&hash) {
        rehash_later(accounts, person.user_id, password, hash);
    }
    let entering = Entering {
        user: person.user_id,
        tenant: tenant.map_or(TenantChoice::LastUsed, TenantChoice::Slug),
        second_factor: false,
        provider: None,
        resumed: false,
    };
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let entered = enter(accounts, &mut tx, entering, origin).await;
    match entered {
        Ok(entered) => {
            tx.commit().await?;
            Ok(entered)
        }
        Err(error) => {
            note_refusal(&accounts.recorder, person.user_id, error.code(), origin);
            Err(error)
        }
    }
}

/// The session of a known device, by a refresh token that it still has.
async fn known_device(
    accounts: &Accounts,
    email: &str,
    device: Option<String>,
) -> Result<Option<SessionId>> {
    let Some(token) = device else { return Ok(None) };
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    store::known_device(&mut tx, email, secret::hash(&token)).await
}

/// Lets an authenticated person into a tenant, in the caller's transaction: opens the session and records it, or asks for
/// the second factor first. The last thing that a transaction does before it commits.
///
/// # Errors
/// `ACCOUNT_INACTIVE`, `NO_TENANT`, `NOT_FOUND` for a tenant the person is not in, `SSO_REQUIRED`.
pub async fn enter(
    accounts: &Accounts,
    tx: &mut SystemTx,
    entering: Entering,
    origin: &Origin,
) -> Result<SignedIn> {
    let user = entering.user;
    let standing = store::standing(tx, user).await?;
    let standing = standing
        .filter(|standing| standing.active)
        .ok_or_else(inactive)?;
    let tenants = joined_tenants(accounts, tx, user, entering.provider.as_deref()).await?;
    let last = match entering.tenant {
        TenantChoice::LastUsed => store::last_tenant(tx, user).await?,
        TenantChoice::Slug(_) | TenantChoice::Id(_) => None,
    };
    let joined = choose(&tenants, &entering, last)?;
    let wants_second = standing.has_second_factor || joined.second_factor_required;
    if wants_second && !entering.second_factor {
        let entering = Entering {
            tenant: TenantChoice::Id(joined.tenant),
            ..entering
        };
        let step = second_factor_step(tx, &entering, standing.has_second_factor).await?;
        return Ok(SignedIn::SecondFactor(step));
    }
    let shows_own = entering.second_factor && standing.second_factor_is_own;
    let provider = entering.provider.as_deref();
    let new = NewSession {
        user,
        tenant: joined.tenant,
        second_factor: entering.second_factor,
        account: shows_own || accounts.identities.is_trusted_by_all(provider),
        provider: entering.provider,
    };
    let (tenant, provider) = (new.tenant, new.provider.clone());
    let opened = sessions::open(
        tx,
        new,
        origin,
        &accounts.tokens,
        accounts.settings.session_ttl,
    );
    let opened = OpenedSession {
        tenants,
        ..opened.await?
    };
    store::note_login(tx, user).await?;
    let entry = Entry::new(user, "session.opened")
        .about("session", opened.session.uuid())
        .noting("provider", provider)
        .noting("second_factor", entering.second_factor);
    tx.audit(tenant, vec![entry], origin).await?;
    Ok(SignedIn::Session(Box::new(opened)))
}

/// The step between the first factor and the session, where the tenant or the person wants a second one.
pub(super) async fn second_factor_step(
    tx: &mut SystemTx,
    entering: &Entering,
    has_one: bool,
) -> Result<SecondFactorStep> {
    let tenant = match entering.tenant {
        TenantChoice::Id(tenant) => Some(tenant),
        TenantChoice::Slug(_) | TenantChoice::LastUsed => None,
    };
    let data = json!({
        "tenant": tenant, "provider": entering.provider, "resumed": entering.resumed,
    });
    let (purpose, user) = (SecretPurpose::SecondFactor, Some(entering.user));
    let token = one_time::issue(tx, purpose, user, data, SECOND_FACTOR_WITHIN).await?;
    Ok(SecondFactorStep {
        token,
        set_up_required: !has_one,
    })
}

/// The tenants of a person who signed in through a provider, or by a password. A provider may be trusted with some tenants
/// only: a sign-in through it finds no others.
pub(super) async fn joined_tenants(
    accounts: &Accounts,
    tx: &mut SystemTx,
    user: UserId,
    provider: Option<&str>,
) -> Result<Vec<JoinedTenant>> {
    let mut tenants = store::joined_tenants(tx, user).await?;
    tenants.retain(|joined| accounts.identities.trusts(provider, &joined.slug));
    Ok(tenants)
}

/// The tenant that a person enters: the chosen one, else the last used, else one that their way of signing in suffices
/// for.
pub(super) fn choose<'p>(
    tenants: &'p [JoinedTenant],
    entering: &Entering,
    last: Option<TenantId>,
) -> Result<&'p JoinedTenant> {
    let suffices = |joined: &&JoinedTenant| {
        let required = joined.required_provider.as_deref();
        required.is_none() || required == entering.provider.as_deref()
    };
    let found = match &entering.tenant {
        TenantChoice::Id(id) => tenants.iter().find(|joined| joined.tenant == *id),
        TenantChoice::Slug(slug) => tenants.iter().find(|joined| joined.slug == *slug),
        TenantChoice::LastUsed => {
            let last = tenants.iter().find(|joined| Some(joined.tenant) == last);
            last.filter(suffices)
                .or_else(|| tenants.iter().find(suffices))
                .or_else(|| tenants.first())
        }
    };
    let joined = found.ok_or_else(|| match entering.tenant {
        TenantChoice::LastUsed => Error::invalid(
            "NO_TENANT",
            "",
            "you are not an active member of any tenant, ask to be invited",
        ),
        TenantChoice::Id(_) | TenantChoice::Slug(_) => Error::NotFound {
            kind: "tenant",
            field: "tenant",
        },
    })?;
    match &joined.required_provider {
        Some(provider) if !suffices(&joined) => Err(Error::invalid(
            "SSO_REQUIRED",
            "",
            format!("this tenant wants you to sign in through its provider: {provider}"),
        )),
        _ => Ok(joined),
    }
}

/// The one answer to an unknown address and to a wrong password.
pub(super) fn refused() -> Error {
    Error::invalid(
        "INVALID_CREDENTIALS",
        "",
        "the e-mail address or the password is not right",
    )
}

fn inactive() -> Error {
    Error::invalid("ACCOUNT_INACTIVE", "", "this account was closed")
}

/// Notes a refusal in the logs of the person's tenants.
pub(super) fn note_refusal(
    recorder: &Recorder,
    user: UserId,
    reason: &'static str,
    origin: &Origin,
) {
    let entry = Entry::new("anonymous", "session.refused")
        .about("user", user.uuid())
        .noting("reason", reason);
    recorder.note(Whom::TenantsOf(user), entry, origin.clone());
}

/// Rehashes the password at today's cost, while it is at hand.
fn rehash_later(accounts: &Accounts, user: UserId, password: String, old: String) {
    let (db, hasher) = (accounts.db.clone(), accounts.hasher.clone());
    accounts.later("a password's new hash", async move {
        let new = hasher.hash(&password).await?;
        let mut tx = db.system(SystemReason::SignIn).await?;
        store::rehash(&mut tx, user, (old, new)).await?;
        tx.commit().await
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    fn joined_tenant(slug: &str, provider: Option<&str>) -> JoinedTenant {
        JoinedTenant {
            tenant: TenantId::new(),
            slug: slug.to_owned(),
            name: slug.to_owned(),
            role: Role::Viewer,
            second_factor_required: false,
            required_provider: provider.map(str::to_owned),
        }
    }

    fn chosen(
        tenants: &[JoinedTenant],
        tenant: TenantChoice,
        provider: Option<&str>,
        last: Option<usize>,
    ) -> String {
        let entering = Entering {
            user: UserId::new(),
            tenant,
            second_factor: false,
            provider: provider.map(str::to_owned),
            resumed: false,
        };
        let last = last.map(|last| tenants[last].tenant);
        match choose(tenants, &entering, last) {
            Ok(joined) => joined.slug.clone(),
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn a_provider_that_a_tenant_requires_is_the_only_way_into_it() {
        let tenants = [
            joined_tenant("bound", Some("okta")),
            joined_tenant("free", None),
        ];
        let slug = |slug: &str| TenantChoice::Slug(slug.to_owned());
        assert_eq!(chosen(&tenants, slug("bound"), None, None), "SSO_REQUIRED");
        assert_eq!(
            chosen(&tenants, slug("bound"), Some("other"), None),
            "SSO_REQUIRED"
        );
        assert_eq!(chosen(&tenants, slug("bound"), Some("okta"), None), "bound");
        assert_eq!(chosen(&tenants, slug("free"), Some("okta"), None), "free");
        assert_eq!(
            chosen(&tenants, TenantChoice::Id(tenants[0].tenant), None, None),
            "SSO_REQUIRED"
        );
        assert_eq!(chosen(&tenants, slug("elsewhere"), None, None), "NOT_FOUND");
    }

    #[test]
    fn without_a_wish_it_is_the_last_one_that_can_be_entered() {
        let tenants = [
            joined_tenant("bound", Some("okta")),
            joined_tenant("a", None),
            joined_tenant("b", None),
        ];
        assert_eq!(chosen(&tenants, TenantChoice::LastUsed, None, Some(2)), "b");
        assert_eq!(chosen(&tenants, TenantChoice::LastUsed, None, None), "a");
        assert_eq!(chosen(&tenants, TenantChoice::LastUsed, None, Some(0)), "a");
        assert_eq!(
            chosen(&tenants[..1], TenantChoice::LastUsed, None, Some(0)),
            "SSO_REQUIRED"
        );
        assert_eq!(chosen(&[], TenantChoice::LastUsed, None, None), "NO_TENANT");
    }
}
