//! Looking whether the secrets of second factors open, for an operator who asks whether all is well.

use super::{proof, store};
use crate::{
    base::error::Result,
    db::{Db, SystemReason},
    platform::Vault,
};

/// Tries the secrets of so many people: how many there were, and how many of them don't open.
///
/// # Errors
/// The database.
pub async fn examine(db: &Db, vault: &Vault, most: i64) -> Result<(usize, usize)> {
    let mut tx = db.system(SystemReason::Account).await?;
    let sealed = store::some_sealed(&mut tx, most).await?;
    let shut = sealed
        .iter()
        .filter(|(user, secret)| vault.open(&proof::place(*user), secret).is_err());
    Ok((sealed.len(), shut.count()))
}
