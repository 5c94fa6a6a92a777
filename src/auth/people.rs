//! From verified claims to an actor: the membership is read as the system and kept for a second.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use moka::future::Cache;

use super::{Actor, Claims, Role};
use crate::{
    db::{Db, Sql, SystemReason},
    error::{Error, Result},
    ids::{TenantId, Typed as _, UserId},
};

/// How long a membership may be remembered. A change of role or a suspension takes effect within this time.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// More people than this are not remembered at once.
const REMEMBERED_PEOPLE: u64 = 100_000;

#[derive(Clone, sqlx::FromRow)]
struct Membership {
    role: Role,
    team_path: Option<String>,
}

/// Resolves people to actors.
pub struct People {
    db: Db,
    remembered: Cache<(TenantId, UserId), Option<Membership>>,
}

impl People {
    /// Reads through the given database.
    #[must_use]
    pub fn new(db: Db) -> Self {
        let remembered = Cache::builder()
            .max_capacity(REMEMBERED_PEOPLE)
            .time_to_live(REMEMBERED_FOR)
            .build();
        Self { db, remembered }
    }

    /// The actor that verified claims stand for.
    ///
    /// # Errors
    /// `Unauthenticated` when the person is not an active member of an open tenant.
    pub async fn actor(&self, claims: &Claims) -> Result<Arc<Actor>> {
        let (tenant, user) = (
            TenantId::from_uuid(claims.tid),
            UserId::from_uuid(claims.sub),
        );
        let membership = self
            .remembered
            .try_get_with((tenant, user), self.read(tenant, user))
            .await
            .map_err(|error: Arc<Error>| Error::clone(&error))?;
        let Membership { role, team_path } = membership.ok_or(Error::Unauthenticated(
            "this person is not an active member of this tenant (any more)",
        ))?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)
            .ok_or(Error::Unauthenticated("the token is not valid"))?;
        Ok(Arc::new(Actor::new(
            tenant, user, role, team_path, expires_at,
        )))
    }

    async fn read(&self, tenant: TenantId, user: UserId) -> Result<Option<Membership>> {
        let mut tx = self.db.system(SystemReason::SignIn).await?;
        let sql = Sql::new(
            "SELECT m.role, m.team_path \
             FROM memberships m \
             JOIN users u ON u.user_id = m.user_id \
             JOIN tenants t ON t.tenant_id = m.tenant_id \
             WHERE m.status = 'ACTIVE' AND u.active AND t.status <> 'DELETING' AND m.tenant_id = ",
        )
        .bind(tenant)
        .push(" AND m.user_id = ")
        .bind(user);
        tx.optional(sql).await
    }
}
