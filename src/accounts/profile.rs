//! What a person says of themselves, the same in all their tenants.

use super::{Accounts, store, trail};
use crate::{
    audit::{Entry, Origin},
    db::SystemReason,
    error::{Error, Result},
    ids::{Typed as _, UserId},
    text::Text,
};

/// Changes one's own name, and the copies that the tenants have of it.
///
/// # Errors
/// `BLANK`, `TOO_LONG`, `INVALID_TEXT`.
pub async fn rename(
    accounts: &Accounts,
    user: UserId,
    mut name: String,
    origin: &Origin,
) -> Result<()> {
    Text::line("name").required(&mut name)?;
    let mut tx = accounts.db.system(SystemReason::SignIn).await?;
    let known = store::secrets(&mut tx, user).await?;
    let known = known.ok_or_else(|| Error::internal("an actor is no person"))?;
    if known.name == name {
        return Ok(());
    }
    store::rename(&mut tx, user, &name).await?;
    let mut entry = Entry::new(user, "member.updated").about("member", user.uuid());
    entry.changes = entry.changes.with("name", known.name.into(), name.into());
    trail::leave_entry(&mut tx, user, entry, origin).await?;
    tx.commit().await
}
