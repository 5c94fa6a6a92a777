//! On whose behalf an import writes: an admin of the tenant, with the changes recorded as the import's.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::ImportError;
use crate::{
    access::{Actor, Membership, Role, Subject},
    base::{
        error::Result,
        ids::{TenantId, UserId},
    },
    db::{Db, Sql, SystemReason, SystemTx, journal::Origin},
    platform::Progress,
};

/// An import under way in one tenant.
pub struct Session {
    /// Where to.
    pub db: Db,
    /// An admin of the tenant, importing.
    pub actor: Arc<Actor>,
    /// Where it is shown how far the import is.
    pub progress: Progress,
    /// What the event log names as the request.
    pub(super) origin: Origin,
}

#[derive(sqlx::FromRow)]
struct Admin {
    tenant_id: TenantId,
    user_id: UserId,
    team_path: Option<String>,
}

impl Session {
    /// Opens an import from `source` into the tenant with this slug.
    ///
    /// # Errors
    /// [`ImportError::NoAdmin`], or the database.
    pub async fn open(
        db: &Db,
        slug: &str,
        source: &'static str,
        progress: Progress,
    ) -> Result<Self, ImportError> {
        let mut tx = db.system(SystemReason::Provisioning).await?;
        let admin = admin(&mut tx, slug)
            .await?
            .ok_or_else(|| ImportError::NoAdmin(slug.to_owned()))?;
        // Nobody signed in for this, so no token ends it.
        let until = DateTime::<Utc>::MAX_UTC;
        let membership = Membership::of(admin.tenant_id, Role::Admin, admin.team_path);
        let actor = Actor::new(Subject::Person(admin.user_id, None), membership, until);
        let origin = Origin::process(format!("import-{source}"));
        Ok(Self {
            db: db.clone(),
            actor: Arc::new(actor.importing(source)),
            progress,
            origin,
        })
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.actor.tenant
    }
}

/// The admin who is longest a member.
async fn admin(tx: &mut SystemTx, slug: &str) -> Result<Option<Admin>> {
    let sql = Sql::new(
        "SELECT m.tenant_id, m.user_id, m.team_path \
         FROM memberships m JOIN tenants t ON t.tenant_id = m.tenant_id \
         WHERE m.status = 'ACTIVE' AND m.role = 'ADMIN' AND t.status = 'ACTIVE' AND t.slug = ",
    )
    .bind(slug.to_owned())
    .push(" ORDER BY m.created_at, m.user_id LIMIT 1");
    tx.optional(sql).await
}
