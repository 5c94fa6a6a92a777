//! Who is told of something that somebody answers for, when the server can't go on with it.

use super::store;
use crate::{
    base::{error::Result, ids::UserId},
    db::Tx,
};

/// The addresses of those who are told: the person who answers for it, by its author's stamp, or the tenant's admins where
/// that is a program or somebody who is gone.
///
/// # Errors
/// The database.
pub async fn answerable(tx: &mut Tx, author: &str) -> Result<Vec<String>> {
    if let Ok(person) = author.parse::<UserId>() {
        let found = store::address(tx, person).await?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    store::addresses_of_admins(tx).await
}
