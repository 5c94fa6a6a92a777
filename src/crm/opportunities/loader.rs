//! Batches of what hangs on deals without being a list of records: history, roles of contacts, collaborators.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::OpportunityStatus;
use crate::{
    base::{
        error::Result,
        ids::{ContactId, StageChangeId, StageId, UserId},
    },
    db::{ReadTx, Sql},
    graphql::Batch,
};

/// The latest entries of a deal's stage history, newest first.
pub(super) struct StageHistory;

/// Most entries of a history that are answered.
const MAX_HISTORY: i64 = 100;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct StageChangeRow {
    opportunity_id: Uuid,
    pub(super) stage_change_id: StageChangeId,
    pub(super) from_stage_id: Option<StageId>,
    pub(super) to_stage_id: StageId,
    pub(super) from_status: Option<OpportunityStatus>,
    pub(super) to_status: OpportunityStatus,
    pub(super) amount_minor: Option<i64>,
    pub(super) amount_currency: Option<String>,
    pub(super) probability: i16,
    pub(super) stood_seconds: Option<i64>,
    pub(super) changed_at: DateTime<Utc>,
    pub(super) changed_by: String,
}

impl Batch for StageHistory {
    type Value = Vec<StageChangeRow>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        let sql = Sql::new("SELECT h.* FROM ")
            .keys(keys)
            .push(
                " CROSS JOIN LATERAL (SELECT t.opportunity_id, t.stage_change_id, t.from_stage_id, \
                 t.to_stage_id, t.from_status, t.to_status, \
                 CASE WHEN app.shows('amounts') THEN t.amount_minor END AS amount_minor, \
                 CASE WHEN app.shows('amounts') THEN t.amount_currency END AS amount_currency, t.probability, \
                 t.stood_seconds, t.changed_at, t.changed_by FROM opportunity_stage_history t WHERE t.tenant_id = ",
            )
            .bind(tx.tenant())
            .push(" AND t.opportunity_id = k.key ORDER BY t.changed_at DESC, t.stage_change_id DESC LIMIT ")
            .bind(MAX_HISTORY)
            .push(") h");
        let rows = tx.all::<StageChangeRow>(sql).await?;
        Ok(group(rows, |row| row.opportunity_id))
    }
}

/// The contacts of a deal with the parts they play.
pub(super) struct ContactRoles;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ContactRoleRow {
    opportunity_id: Uuid,
    pub(super) contact_id: ContactId,
    pub(super) role: Option<String>,
}

impl Batch for ContactRoles {
    type Value = Vec<ContactRoleRow>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        let sql = Sql::new(
            "SELECT t.opportunity_id, t.contact_id, t.role FROM opportunity_contacts t WHERE t.tenant_id = ",
        )
        .bind(tx.tenant())
        .push(" AND t.opportunity_id")
        .one_of(keys)
        .push(" ORDER BY t.created_at, t.contact_id");
        let rows = tx.all::<ContactRoleRow>(sql).await?;
        Ok(group(rows, |row| row.opportunity_id))
    }
}

/// The people added to a deal with the parts they play.
pub(super) struct Collaborators;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct CollaboratorRow {
    opportunity_id: Uuid,
    pub(super) user_id: UserId,
    pub(super) role: Option<String>,
}

impl Batch for Collaborators {
    type Value = Vec<CollaboratorRow>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Self::Value>> {
        let sql = Sql::new("SELECT t.opportunity_id, t.user_id, t.role FROM opportunity_users t WHERE t.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND t.opportunity_id")
            .one_of(keys)
            .push(" ORDER BY t.created_at, t.user_id");
        let rows = tx.all::<CollaboratorRow>(sql).await?;
        Ok(group(rows, |row| row.opportunity_id))
    }
}

fn group<T>(rows: Vec<T>, key: impl Fn(&T) -> Uuid) -> HashMap<Uuid, Vec<T>> {
    let mut groups: HashMap<Uuid, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
