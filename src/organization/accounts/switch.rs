//! Switching to another tenant, with the same session.

use super::{
    Accounts, Entering, SignedIn, TenantChoice,
    refresh::ended,
    sessions::{self, OpenedSession},
    sign_in,
};
use crate::{
    access::Oneself,
    base::{
        error::{Error, Result},
        ids::{SessionId, TenantId, Typed as _},
    },
    db::journal::{Entry, Origin},
};

/// Moves a session from one tenant into another that the person is in; the refresh token stays valid, and the access
/// tokens for the first tenant end.
///
/// # Errors
/// `SESSION_ENDED`, `NOT_FOUND` for a tenant the person is not in, `SSO_REQUIRED`.
pub async fn switch_tenant(
    accounts: &Accounts,
    oneself: &Oneself,
    session: SessionId,
    from: TenantId,
    tenant: TenantChoice,
    origin: &Origin,
) -> Result<SignedIn> {
    let (mut tx, user) = (accounts.db.account(oneself).await?, oneself.user());
    let family = sessions::lock(&mut tx, user, session).await?;
    let family = family
        .filter(|family| family.is_open(tx.now()))
        .ok_or_else(ended)?;
    let entering = family.entering(tenant);
    let provider = entering.provider.as_deref();
    let tenants = sign_in::joined_tenants(accounts, &mut tx, user, provider).await?;
    let joined = sign_in::choose(&tenants, &entering, None)?;
    if joined.second_factor_required && !family.second_factor {
        let entering = Entering {
            tenant: TenantChoice::Id(joined.tenant),
            ..entering
        };
        // The session stays where it is; showing the second factor opens one in the other tenant.
        let step = sign_in::enter(accounts, &mut tx, entering, origin).await?;
        tx.commit().await?;
        return Ok(step);
    }
    let tenant = joined.tenant;
    sessions::move_to(&mut tx, &family, (from, tenant)).await?;
    let access = accounts
        .tokens
        .issue_for(session, user, tenant)
        .map_err(Error::internal)?;
    let entry = Entry::new(user, "session.switched").about("session", session.uuid());
    tx.audit(tenant, vec![entry], origin).await?;
    tx.commit().await?;
    Ok(SignedIn::Session(Box::new(OpenedSession {
        session,
        user,
        tenant,
        access,
        refresh: None,
        tenants,
    })))
}
