//! Authenticating with an access token of another issuer: from its claims to a person and a tenant of ours.

use std::sync::Arc;

use super::{ExternalIdentity, Identities, Recognised, link, linked, recognise, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, UserId},
    },
    db::{Db, SystemReason, journal::Origin},
    organization::auth::{Claims, ForeignClaims, TenantName},
};

impl Identities {
    /// Checks another issuer's token and answers whose it is, in claims of ours. Whether the person is a member is not
    /// checked here.
    ///
    /// # Errors
    /// `Unauthenticated` when the token is not valid or the person is unknown here, `Unavailable` when the issuer's keys
    /// can't be fetched.
    pub async fn authenticate(&self, db: &Db, token: &str, origin: &Origin) -> Result<Claims> {
        let claims = self.foreign.verify(token).await?;
        let ForeignClaims {
            issuer,
            subject,
            verified_email,
            tenant,
            expires_at,
        } = claims;
        let identity = ExternalIdentity {
            issuer,
            subject,
            verified_email,
        };
        let key = (identity.clone(), tenant.clone());
        let entering = self.enter(db, &identity, &tenant, origin);
        let entered = self.remembered.try_get_with(key, entering).await;
        let (tenant, user) = entered.map_err(|error: Arc<Error>| Error::clone(&error))?;
        Ok(Claims {
            iss: identity.issuer,
            aud: String::new(),
            sub: user.uuid(),
            tid: tenant.uuid(),
            sid: None,
            iat: self.clock.now().timestamp(),
            nbf: None,
            exp: expires_at.timestamp(),
        })
    }

    async fn enter(
        &self,
        db: &Db,
        identity: &ExternalIdentity,
        tenant: &TenantName,
        origin: &Origin,
    ) -> Result<(TenantId, UserId)> {
        // One answer to all of these: which tenants and people there are is not disclosed to strangers.
        let refused =
            Error::Unauthenticated("this person is not an active member of this tenant (any more)");
        let mut tx = db.system(SystemReason::SignIn).await?;
        let Some(policy) = store::sign_in_policy(&mut tx, tenant).await? else {
            return Err(refused);
        };
        if !self.is_of_required_provider(policy.required_provider.as_deref(), identity) {
            return Err(Error::Unauthenticated(
                "this tenant is entered through its own provider only",
            ));
        }
        // Also a sign-in through a provider shows one here: what others have checked is not known.
        if policy.second_factor_required {
            return Err(Error::Unauthenticated(
                "this tenant wants a second factor, which another issuer's token does not show: sign in",
            ));
        }
        let user = match recognise(&mut tx, identity).await? {
            Recognised::Linked(user) => return Ok((policy.tenant_id, user)),
            Recognised::ByAddress(user) => user,
            Recognised::Unknown => return Err(refused),
        };
        // Only a person who is let in by the link is linked.
        if !store::is_member(&mut tx, policy.tenant_id, user).await? {
            return Err(refused);
        }
        let user = link(&mut tx, identity, user).await?.ok_or(refused)?;
        let entry = linked(user, identity);
        tx.audit(policy.tenant_id, vec![entry], origin).await?;
        tx.commit().await?;
        Ok((policy.tenant_id, user))
    }

    /// A tenant that requires a provider takes access tokens of that provider's issuer as well, and no others.
    fn is_of_required_provider(&self, required: Option<&str>, identity: &ExternalIdentity) -> bool {
        required.is_none_or(|key| {
            let provider = self.providers.get(key);
            provider.is_some_and(|provider| provider.config.issuer.as_str() == identity.issuer)
        })
    }
}
