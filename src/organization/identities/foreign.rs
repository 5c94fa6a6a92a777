//! Entering with an access token of another issuer: from its claims to a person and a tenant of ours.

use std::sync::Arc;

use super::{Identities, Outsider, Recognised, link, linked, recognise, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{TenantId, Typed as _, UserId},
    },
    db::{Db, SystemReason, journal::Origin},
    organization::auth::{Claims, ForeignClaims, TenantName},
};

impl Identities {
    /// Checks another issuer's token and tells in our own claims who has come. Whether the person is a member is not
    /// judged here.
    ///
    /// # Errors
    /// `Unauthenticated` when the token is not good or the person is nobody's here, `Unavailable` when the issuer's
    /// keys can't be had.
    pub async fn authenticate(&self, db: &Db, token: &str, origin: &Origin) -> Result<Claims> {
        let claims = self.foreign.verify(token).await?;
        let ForeignClaims {
            issuer,
            subject,
            verified_email,
            tenant,
            expires_at,
        } = claims;
        let outsider = Outsider {
            issuer,
            subject,
            verified_email,
        };
        let key = (outsider.clone(), tenant.clone());
        let entering = self.enter(db, (&outsider, &tenant), origin);
        let entered = self.remembered.try_get_with(key, entering).await;
        let (tenant, user) = entered.map_err(|error: Arc<Error>| Error::clone(&error))?;
        Ok(Claims {
            iss: outsider.issuer,
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
        (outsider, tenant): (&Outsider, &TenantName),
        origin: &Origin,
    ) -> Result<(TenantId, UserId)> {
        // One answer to all that is not so: which tenants and people there are is not told to strangers.
        let refused =
            Error::Unauthenticated("this person is not an active member of this tenant (any more)");
        let mut tx = db.system(SystemReason::SignIn).await?;
        let Some(door) = store::door(&mut tx, tenant).await? else {
            return Err(refused);
        };
        if !self.is_of_required_provider(door.required_provider.as_deref(), outsider) {
            return Err(Error::Unauthenticated(
                "this tenant is entered through its own provider only",
            ));
        }
        // Also who comes through a provider shows one here: what others have checked is not known.
        if door.second_factor_required {
            return Err(Error::Unauthenticated(
                "this tenant wants a second factor, which another issuer's token does not show: sign in",
            ));
        }
        let user = match recognise(&mut tx, outsider).await? {
            Recognised::Linked(user) => return Ok((door.tenant_id, user)),
            Recognised::ByAddress(user) => user,
            Recognised::Nobody => return Err(refused),
        };
        // A link is worth making only for somebody who comes in by it.
        if !store::is_member(&mut tx, door.tenant_id, user).await? {
            return Err(refused);
        }
        let user = link(&mut tx, outsider, user).await?.ok_or(refused)?;
        let entry = linked(user, outsider);
        tx.audit(door.tenant_id, vec![entry], origin).await?;
        tx.commit().await?;
        Ok((door.tenant_id, user))
    }

    /// A tenant that requires a provider takes access tokens of that provider's issuer as well, and no others.
    fn is_of_required_provider(&self, required: Option<&str>, outsider: &Outsider) -> bool {
        required.is_none_or(|key| {
            let provider = self.providers.get(key);
            provider.is_some_and(|provider| provider.config.issuer.as_str() == outsider.issuer)
        })
    }
}
