//! What the platform's operator does with people, from the command line: no member of one tenant reaches an identity that
//! is a member of others.

use clap::Subcommand;

use super::{
    sessions::{self, Ended, Which},
    store, trail,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{Typed as _, UserId},
        text::normalize_email,
    },
    db::{
        Db, Sql, SystemReason, SystemTx,
        journal::{Entry, Origin},
    },
    organization::{
        auth::{AccessChange, publish_access_change},
        second_factor,
    },
};

/// In whose name the operator's acts are recorded.
const AUTHOR: &str = "system:operator";

/// What the operator wants.
#[derive(Debug, Subcommand)]
pub enum PersonCommand {
    /// Tells where a person is a member and whether they may sign in.
    Show {
        /// The address they sign in with.
        email: String,
    },
    /// Keeps a person out of all tenants, and ends their sessions at once.
    Deactivate {
        /// The address they sign in with.
        email: String,
    },
    /// Lets a person sign in again.
    Reactivate {
        /// The address they sign in with.
        email: String,
    },
    /// Turns off the second factor of a person who lost it with all recovery codes. Make sure that it is them.
    ResetSecondFactor {
        /// The address they sign in with.
        email: String,
    },
}

/// Does what the operator wants; `print` takes lines for the operator.
///
/// # Errors
/// `NOT_FOUND` on `email`, `INVALID_EMAIL`, or the database.
pub async fn run(command: PersonCommand, db: &Db, print: impl Fn(String)) -> Result<()> {
    match command {
        PersonCommand::Show { email } => {
            let mut tx = db.system(SystemReason::SignIn).await?;
            let user = find(&mut tx, &email).await?;
            let standing = store::standing(&mut tx, user).await?;
            let active = standing.is_some_and(|standing| standing.active);
            print(format!(
                "{user}\t{}",
                if active { "active" } else { "deactivated" }
            ));
            for joined in store::joined_tenants(&mut tx, user).await? {
                print(format!("{}\t{:?}", joined.slug, joined.role));
            }
        }
        PersonCommand::Deactivate { email } => {
            let ended = set_active(db, &email, false).await?;
            print(format!("{email}: kept out, sessions ended: {ended}"));
        }
        PersonCommand::Reactivate { email } => {
            set_active(db, &email, true).await?;
            print(format!("{email}: may sign in again"));
        }
        PersonCommand::ResetSecondFactor { email } => {
            reset_second_factor(db, &email).await?;
            print(format!("{email}: has no second factor any more"));
        }
    }
    Ok(())
}

/// Activates or deactivates an account, on every server within a second; answers how many sessions ended.
async fn set_active(db: &Db, email: &str, active: bool) -> Result<usize> {
    let mut tx = db.system(SystemReason::SignIn).await?;
    let user = find(&mut tx, email).await?;
    let sql = Sql::new("UPDATE users SET active = ")
        .bind(active)
        .push(" WHERE user_id = ")
        .bind(user);
    tx.execute(sql).await?;
    let ended = if active {
        0
    } else {
        sessions::end_all(&mut tx, user, Which::All, Ended::Operator)
            .await?
            .len()
    };
    publish_access_change(&mut tx, AccessChange::Person(user)).await?;

    let action = if active {
        "person.reactivated"
    } else {
        "person.deactivated"
    };
    let entry = Entry::new(AUTHOR, action).about("user", user.uuid());
    trail::leave_entry(&mut tx, user, entry, &origin()).await?;
    tx.commit().await?;
    Ok(ended)
}

/// Turns a second factor off and ends all sessions, since a thief of the phone may have one open.
async fn reset_second_factor(db: &Db, email: &str) -> Result<()> {
    let mut tx = db.system(SystemReason::SignIn).await?;
    let user = find(&mut tx, email).await?;
    second_factor::forget(&mut tx, user).await?;
    sessions::end_all(&mut tx, user, Which::All, Ended::Operator).await?;
    publish_access_change(&mut tx, AccessChange::Person(user)).await?;
    let entry = Entry::new(AUTHOR, "second_factor.disabled").about("user", user.uuid());
    trail::leave_entry(&mut tx, user, entry, &origin()).await?;
    tx.commit().await
}

fn origin() -> Origin {
    Origin::process(format!("operator-{}", crate::base::ids::mint()))
}

async fn find(tx: &mut SystemTx, email: &str) -> Result<UserId> {
    let person = store::by_email(tx, normalize_email(email, "email")?).await?;
    let person = person.ok_or(Error::NotFound {
        kind: "person",
        field: "email",
    })?;
    Ok(person.user_id)
}
