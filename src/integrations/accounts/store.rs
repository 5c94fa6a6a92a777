//! All SQL that only accounts need.

use chrono::{DateTime, Utc};

use super::credentials::LEASE;
use crate::{
    base::{
        error::{Error, Result},
        ids::{IntegrationId, TenantId},
    },
    db::{ReadTx, Sql, Tx},
};

/// What an account authenticates with, sealed, and whether somebody refreshes it.
pub(super) async fn credentials(
    tx: &mut ReadTx,
    id: IntegrationId,
) -> Result<(Option<Vec<u8>>, bool)> {
    let sql = Sql::new(
        "SELECT t.credentials, coalesce(t.refresh_until > now(), false) FROM integrations t",
    );
    let sql = of(sql, tx.tenant(), id);
    let found = tx.optional(sql).await?;
    found.ok_or(Error::NotFound {
        kind: "integration",
        field: "id",
    })
}

/// Takes the turn to refresh credentials, unless they are others by now or somebody else has it.
pub(super) async fn begin_refresh(
    tx: &mut Tx,
    id: IntegrationId,
    known: Vec<u8>,
) -> Result<Option<i64>> {
    let sql = Sql::new(
        "UPDATE integrations t SET refresh_fence = t.refresh_fence + 1, \
         refresh_until = now() + make_interval(secs => ",
    )
    .bind(LEASE.as_secs_f64())
    .push(")");
    let sql = of(sql, tx.tenant(), id)
        .push(" AND (t.refresh_until IS NULL OR t.refresh_until <= now()) AND t.credentials = ")
        .bind(known)
        .push(" RETURNING t.refresh_fence");
    Ok(tx.column(sql).await?.pop())
}

/// Ends the turn, with new credentials where there are some; whether it was this one's still.
pub(super) async fn end_refresh(
    tx: &mut Tx,
    id: IntegrationId,
    fence: i64,
    sealed: Option<Vec<u8>>,
) -> Result<bool> {
    let sql = Sql::new("UPDATE integrations t SET refresh_until = NULL, credentials = coalesce(")
        .bind(sealed)
        .push(", t.credentials)");
    let sql = of(sql, tx.tenant(), id)
        .push(" AND t.refresh_fence = ")
        .bind(fence);
    Ok(tx.execute(sql).await? == 1)
}

/// Replaces what an account authenticates with, or takes it away. Who refreshes the former ones comes too late.
pub(super) async fn set_credentials(
    tx: &mut Tx,
    id: IntegrationId,
    sealed: Option<Vec<u8>>,
) -> Result<()> {
    let sql = Sql::new(
        "UPDATE integrations t SET refresh_until = NULL, refresh_fence = t.refresh_fence + 1, \
         authorization_hash = NULL, authorization_sealed = NULL, authorization_ends_at = NULL, credentials = ",
    );
    let sql = of(sql.bind(sealed), tx.tenant(), id);
    written(tx.execute(sql).await?)
}

/// An authorisation that was begun: what proves it, and what it is finished with, sealed.
pub(super) async fn begin_authorization(
    tx: &mut Tx,
    id: IntegrationId,
    (hash, sealed): (Vec<u8>, Vec<u8>),
    ends_at: DateTime<Utc>,
) -> Result<()> {
    let sql = Sql::new("UPDATE integrations t SET authorization_hash = ")
        .bind(hash)
        .push(", authorization_sealed = ")
        .bind(sealed)
        .push(", authorization_ends_at = ")
        .bind(ends_at);
    let sql = of(sql, tx.tenant(), id);
    written(tx.execute(sql).await?)
}

/// Takes what an authorisation is finished with, once; nothing for another one, or one that is too old.
pub(super) async fn take_authorization(
    tx: &mut Tx,
    id: IntegrationId,
    hash: Vec<u8>,
) -> Result<Option<Vec<u8>>> {
    let sql = Sql::new("SELECT t.authorization_sealed FROM integrations t");
    let sql = of(sql, tx.tenant(), id)
        .push(" AND t.authorization_ends_at > now() AND t.authorization_hash = ")
        .bind(hash)
        .push(" FOR UPDATE");
    let taken: Option<Vec<u8>> = tx.column(sql).await?.pop();
    if taken.is_some() {
        let sql = Sql::new("UPDATE integrations t SET authorization_hash = NULL");
        let sql = of(sql, tx.tenant(), id);
        written(tx.execute(sql).await?)?;
    }
    Ok(taken)
}

/// Notes up to which event records were pushed.
pub(super) async fn note_pushed(tx: &mut Tx, id: IntegrationId, seq: Option<i64>) -> Result<()> {
    let sql = Sql::new("UPDATE integrations t SET pushed_seq = ").bind(seq);
    let sql = of(sql, tx.tenant(), id);
    written(tx.execute(sql).await?)
}

/// Up to which event records were pushed when it was paused.
pub(super) async fn pushed(tx: &mut Tx, id: IntegrationId) -> Result<Option<i64>> {
    let sql = of(
        Sql::new("SELECT t.pushed_seq FROM integrations t"),
        tx.tenant(),
        id,
    );
    Ok(tx.column(sql).await?.pop().flatten())
}

fn written(rows: u64) -> Result<()> {
    match rows {
        1 => Ok(()),
        _ => Err(Error::Forbidden("change this integration")),
    }
}

fn of(sql: Sql, tenant: TenantId, id: IntegrationId) -> Sql {
    sql.push(" WHERE t.tenant_id = ")
        .bind(tenant)
        .push(" AND t.integration_id = ")
        .bind(id)
}
