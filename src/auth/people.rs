//! From verified claims to an actor: the membership is read as the system and kept for a second.

use std::{sync::Arc, time::Duration};

use chrono::DateTime;
use moka::future::Cache;

use super::{Actor, Claims, Place, Rights, Role, Standing, Subject};
use crate::{
    db::{Db, Sql, SystemReason},
    error::{Error, Result},
    ids::{RoleId, SessionId, TenantId, Typed as _, UserId},
};

/// How long a membership may be remembered. A change of role or a suspension takes effect within this time.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
/// More people than this are not remembered at once.
const REMEMBERED_PEOPLE: u64 = 100_000;

#[derive(Clone, sqlx::FromRow)]
struct Membership {
    role: Role,
    role_id: Option<RoleId>,
    permissions: Option<Vec<String>>,
    masks: Option<Vec<String>>,
    team_path: Option<String>,
    standing: String,
}

impl Membership {
    fn place(self, tenant: TenantId) -> Place {
        let rights = match &self.permissions {
            Some(permissions) => {
                Rights::stored(permissions, self.masks.as_deref().unwrap_or_default())
            }
            None => self.role.rights(),
        };
        Place {
            tenant,
            role: self.role,
            custom_role: self.role_id,
            rights: Arc::new(rights),
            team_path: self.team_path,
            standing: match self.standing.as_str() {
                "ACTIVE" => Standing::Active,
                "SUSPENDED" => Standing::Suspended,
                _ => Standing::Deleting,
            },
        }
    }
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
        let membership = membership.ok_or(Error::Unauthenticated(
            "this person is not an active member of this tenant (any more)",
        ))?;
        let expires_at = DateTime::from_timestamp(claims.exp, 0)
            .ok_or(Error::Unauthenticated("the token is not valid"))?;
        let subject = Subject::Person(user, claims.sid.map(SessionId::from_uuid));
        Ok(Arc::new(Actor::new(
            subject,
            membership.place(tenant),
            expires_at,
        )))
    }

    async fn read(&self, tenant: TenantId, user: UserId) -> Result<Option<Membership>> {
        let mut tx = self.db.system(SystemReason::SignIn).await?;
        let sql = Sql::new(
            "SELECT m.role, m.role_id, r.permissions, r.masks, m.team_path, t.status AS standing \
             FROM memberships m \
             JOIN users u ON u.user_id = m.user_id \
             JOIN tenants t ON t.tenant_id = m.tenant_id \
             LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.role_id = m.role_id \
             WHERE m.status = 'ACTIVE' AND u.active AND (t.delete_after IS NULL OR t.delete_after > now()) AND m.tenant_id = ",
        )
        .bind(tenant)
        .push(" AND m.user_id = ")
        .bind(user);
        tx.optional(sql).await
    }
}
