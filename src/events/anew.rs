//! Beginning anew: every cursor of before is of another history.

use crate::{
    base::error::Result,
    db::{Db, Sql, SystemReason},
};

/// Gives the event log of every tenant a new epoch, after the database was put back in a way that it can't know of, such as
/// a snapshot of its disk. `db` is the owner's. Tells of how many tenants.
///
/// # Errors
/// The database.
pub async fn begin_anew(db: &Db) -> Result<u64> {
    let mut tx = db.system(SystemReason::Events).await?;
    let tenants = tx
        .execute(Sql::new("UPDATE tenant_seq SET epoch = gen_random_uuid()"))
        .await?;
    tx.commit().await?;
    Ok(tenants)
}
