//! How many of some things a tenant may have, and how many it has.

use crate::{
    base::error::{Error, Result},
    db::{ReadTx, Sql},
};

/// How many there are of what has a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the names say it; the schema describes each")]
pub struct Usage {
    pub members: i64,
    pub teams: i64,
    pub roles: i64,
    pub api_keys: i64,
    pub webhook_endpoints: i64,
}

/// How many members, invitees, teams, roles and valid keys the tenant has. Only an actor who sees them all counts them
/// right: an admin.
///
/// # Errors
/// The database.
pub async fn usage(tx: &mut ReadTx) -> Result<Usage> {
    let sql = Sql::new("SELECT ")
        .push("(SELECT count(*) FROM memberships m WHERE m.status = 'ACTIVE' AND m.tenant_id = ")
        .bind(tx.tenant())
        .push(") + (SELECT count(*) FROM invitations i WHERE i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > ")
        .bind(tx.now())
        .push(" AND i.tenant_id = ")
        .bind(tx.tenant())
        .push(") AS members, (SELECT count(*) FROM teams e WHERE e.tenant_id = ")
        .bind(tx.tenant())
        .push(") AS teams, (SELECT count(*) FROM roles r WHERE r.tenant_id = ")
        .bind(tx.tenant())
        .push(") AS roles, (SELECT count(*) FROM api_keys k WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ")
        .bind(tx.now())
        .push(") AND k.tenant_id = ")
        .bind(tx.tenant())
        .push(") AS api_keys, (SELECT count(*) FROM webhook_endpoints w WHERE w.tenant_id = ")
        .bind(tx.tenant())
        .push(") AS webhook_endpoints");
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("see the quotas"))
}

/// Refuses another member or open invitation beyond the quota. The caller holds the lock of the tenant's members.
///
/// # Errors
/// `QUOTA_EXCEEDED`.
pub(crate) async fn refuse_one_more_member(tx: &mut ReadTx) -> Result<()> {
    let held = usage(tx).await?.members;
    let limit = i64::from(super::own(tx).await?.quotas.quota_members);
    match held < limit {
        true => Ok(()),
        false => Err(Error::Quota {
            what: "members and open invitations",
            limit,
        }),
    }
}
