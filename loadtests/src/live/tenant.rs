//! The tenant that is watched: the large one of the data, with a few people who see all of it.

use sqlx::{Executor as _, PgConnection};
use uuid::Uuid;

use super::writes::Deal;
use crate::{Outcome, cluster::Cluster};

/// People who see everything, and one of another role, who sees as much but belongs to another visibility class.
const WATCHERS: &str = include_str!("../../data/live_watchers.sql");
/// Deals that are moved.
const DEALS: i64 = 200;

pub(super) struct Tenant {
    pub(super) id: Uuid,
    /// Tokens of analysts: all of one visibility class.
    pub(super) analysts: Vec<String>,
    /// The token of a viewer, who is of another.
    pub(super) viewer: String,
    /// Open deals.
    pub(super) deals: Vec<Deal>,
}

impl Tenant {
    pub(super) async fn prepare(cluster: &Cluster, database: &mut PgConnection) -> Outcome<Self> {
        database.execute(WATCHERS).await?;
        let sql = "SELECT m.tenant_id, m.user_id, m.role FROM memberships m JOIN bench.tenants t USING (tenant_id) \
                   WHERE t.nr = 1 AND m.role IN ('ADMIN', 'ANALYST', 'VIEWER') ORDER BY m.role, m.user_id";
        let people: Vec<(Uuid, Uuid, String)> =
            sqlx::query_as(sql).fetch_all(&mut *database).await?;
        let (mut admin, mut analysts, mut viewer) = (None, Vec::new(), None);
        for (tenant, user, role) in people {
            let token = cluster.token(user, tenant).await?;
            match role.as_str() {
                "ADMIN" => admin = Some((tenant, token)),
                "ANALYST" => analysts.push(token),
                _ => viewer = Some(token),
            }
        }
        let (id, admin) = admin.ok_or("the tenant has no admin")?;
        let sql = "SELECT o.opportunity_id, other.stage_id, o.stage_id FROM opportunities o \
                   JOIN stages s USING (tenant_id, stage_id) \
                   JOIN stages other ON other.pipeline_id = s.pipeline_id AND other.position = (s.position + 1) % 4 \
                   WHERE o.tenant_id = $1 AND o.status = 'OPEN' AND o.archived_at IS NULL AND s.position < 4 \
                   ORDER BY o.opportunity_id DESC LIMIT $2";
        let found: Vec<(Uuid, Uuid, Uuid)> = sqlx::query_as(sql)
            .bind(id)
            .bind(DEALS)
            .fetch_all(database)
            .await?;
        let deals = found
            .into_iter()
            .map(|(deal, there, back)| Deal::new(&admin, deal, [there, back]))
            .collect::<Outcome<_>>()?;
        Ok(Self {
            id,
            analysts,
            viewer: viewer.ok_or("the tenant has no viewer")?,
            deals,
        })
    }
}
