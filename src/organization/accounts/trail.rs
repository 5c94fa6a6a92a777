//! The audit trail of an account: an act on it is recorded in the log of each of the person's tenants, by the transaction
//! that does it, so that no crash and no flood can lose it.

use crate::{
    base::{
        error::Result,
        ids::{TenantId, Typed as _, UserId},
    },
    db::{
        Sql, SystemTx,
        journal::{Entry, Origin},
    },
};

/// Notes an act of a person on their own account. To be called last, since it locks the tenants' counters.
///
/// # Errors
/// The database.
pub async fn leave(tx: &mut SystemTx, user: UserId, action: &str, origin: &Origin) -> Result<()> {
    let entry = Entry::new(user, action).about("user", user.uuid());
    leave_entry(tx, user, entry, origin).await
}

/// The same, of an entry that says more.
///
/// # Errors
/// The database.
pub async fn leave_entry(
    tx: &mut SystemTx,
    user: UserId,
    entry: Entry,
    origin: &Origin,
) -> Result<()> {
    for tenant in tenants(tx, user).await? {
        tx.audit(tenant, vec![entry.clone()], origin).await?;
    }
    Ok(())
}

/// The tenants of the person, in the order in which all transactions lock counters.
async fn tenants(tx: &mut SystemTx, user: UserId) -> Result<Vec<TenantId>> {
    let sql = Sql::new("SELECT m.tenant_id FROM memberships m WHERE m.user_id = ")
        .bind(user)
        .push(" ORDER BY m.tenant_id");
    tx.column(sql).await
}
