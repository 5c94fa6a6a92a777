//! What a person says of themselves, the same in all their tenants.

use super::{Accounts, refresh::ended, store, trail};
use crate::{
    access::Oneself,
    base::{
        error::{Error, Result},
        ids::Typed as _,
        text::Text,
    },
    db::journal::{Entry, Origin},
};

/// Changes one's own name, and the copies that the tenants have of it.
///
/// # Errors
/// `BLANK`, `TOO_LONG`, `INVALID_TEXT`, `SESSION_ENDED`.
pub async fn rename(
    accounts: &Accounts,
    oneself: &Oneself,
    mut name: String,
    origin: &Origin,
) -> Result<()> {
    Text::line("name").required(&mut name)?;
    let (mut tx, user) = (accounts.db.account(oneself).await?, oneself.user());
    let known = store::secrets(&mut tx, user).await?;
    let known = known.ok_or_else(|| Error::internal("an actor is no person"))?;
    if known.name == name {
        return Ok(());
    }
    if !store::rename(&mut tx, user, &name).await? {
        return Err(ended());
    }
    let mut entry = Entry::new(user, "member.updated").about("member", user.uuid());
    entry.changes = entry.changes.with("name", known.name.into(), name.into());
    trail::leave_entry(&mut tx, user, entry, origin).await?;
    tx.commit().await
}
