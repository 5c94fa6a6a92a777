//! One's own account, and the devices one is signed in on.

use async_graphql::{Object, SimpleObject};
use chrono::{DateTime, Utc};

use crate::{
    access::Oneself,
    base::{
        error::{Error, Result},
        ids::SessionId,
    },
    organization::accounts::{Accounts, sessions::Device, store},
};

/// Your account, the same in all tenants.
#[derive(SimpleObject)]
#[graphql(name = "ViewerAccount")]
pub(super) struct Account {
    /// Your name.
    name: String,
    /// The e-mail address you sign in with.
    email: String,
    /// Whether you have shown that the e-mail address is yours.
    email_verified: bool,
    /// Whether signing in wants a second factor from you.
    second_factor_enabled: bool,
    /// Whether you can sign in with a password.
    has_password: bool,
}

/// Reads the own account, which is beyond the tenant.
pub(super) async fn get(accounts: &Accounts, oneself: &Oneself) -> Result<Account> {
    let gone = || Error::Unauthenticated("this account was closed");
    let (mut tx, user) = (accounts.db.account(oneself).await?, oneself.user());
    let standing = store::standing(&mut tx, user).await?.ok_or_else(gone)?;
    let known = store::secrets(&mut tx, user).await?.ok_or_else(gone)?;
    Ok(Account {
        name: known.name,
        email: known.email,
        email_verified: known.has_verified_email,
        second_factor_enabled: standing.has_second_factor,
        has_password: known.password_hash.is_some(),
    })
}

/// A device you are signed in on.
pub(super) struct SignedInDevice {
    pub(super) device: Device,
    pub(super) is_current: bool,
}

/// A device you are signed in on.
#[Object]
impl SignedInDevice {
    /// The session's id, as `session:<uuid>`.
    async fn id(&self) -> SessionId {
        self.device.session
    }

    /// What it looks like, for example `Firefox on Linux`.
    async fn device(&self) -> String {
        self.device
            .user_agent
            .as_deref()
            .map_or_else(|| "Unknown device".to_owned(), describe)
    }

    /// The network address it was last used from.
    async fn address(&self) -> Option<&str> {
        self.device.address.as_deref()
    }

    /// The provider you came through, if you did.
    async fn provider(&self) -> Option<&str> {
        self.device.provider.as_deref()
    }

    /// Since when you are signed in.
    async fn created_at(&self) -> DateTime<Utc> {
        self.device.created_at
    }

    /// When it last got an access token.
    async fn last_used_at(&self) -> DateTime<Utc> {
        self.device.last_used_at
    }

    /// When you have to sign in again, however often it is used.
    async fn expires_at(&self) -> DateTime<Utc> {
        self.device.expires_at
    }

    /// Whether it is the one you are asking with.
    async fn current(&self) -> bool {
        self.is_current
    }
}

/// Programs by what their user agents contain; who pretends to be another one comes first.
const PROGRAMS: [(&str, &str); 8] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("FxiOS/", "Firefox"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
/// Systems by what user agents contain.
const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// A user agent in words.
fn describe(user_agent: &str) -> String {
    let found = |table: &[(&str, &'static str)]| {
        let mut known = table.iter().filter(|(part, _)| user_agent.contains(part));
        known.next().map(|(_, word)| *word)
    };
    let first = user_agent.split([' ', '/']).next().unwrap_or_default();
    let program = found(&PROGRAMS).unwrap_or(first);
    match found(&SYSTEMS) {
        Some(system) => format!("{program} on {system}"),
        None if program.is_empty() => "Unknown device".to_owned(),
        None => program.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_is_put_in_words() {
        for (user_agent, words) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            ("dealgraph-cli/1.0", "dealgraph-cli"),
            ("", "Unknown device"),
        ] {
            assert_eq!(describe(user_agent), words);
        }
    }
}
