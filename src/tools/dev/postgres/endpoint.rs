//! How to reach the cluster of a data folder: a socket in a folder that nobody else can enter.

use std::path::{Path, PathBuf};

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::super::account::Account;
use super::super::error::DevError;
use super::super::layout::Layout;

/// Only part of the socket's name, since the server listens on no network.
pub(super) const PORT: u16 = 5432;

/// The address of a cluster, running or not.
#[derive(Debug, Clone)]
pub struct Endpoint {
    sockets: PathBuf,
}

impl Endpoint {
    pub(super) fn new(sockets: PathBuf) -> Self {
        Self { sockets }
    }

    /// The address of the cluster that a `dealgraph dev` on the data folder `path` runs; takes no lock.
    ///
    /// # Errors
    /// [`DevError::NoAccount`] as root on a system without an account for the servers.
    pub fn of(path: &Path) -> Result<Self, DevError> {
        let layout = Layout::of(path);
        let account = Account::choose(&layout.cluster())?;
        Ok(Self::new(layout.sockets(account)))
    }

    /// Options to connect as `user` to `database`.
    #[must_use]
    pub fn connect_options(&self, user: &str, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.sockets)
            .port(PORT)
            .username(user)
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// The same as a URL, for `psql` and `pgbench`.
    #[must_use]
    pub fn url(&self, user: &str, database: &str) -> String {
        let sockets = escaped(&self.sockets.to_string_lossy());
        let (user, database) = (escaped(user), escaped(database));
        format!("postgresql://{user}@/{database}?host={sockets}&port={PORT}")
    }
}

/// Percent-encodes all that is not a letter, a digit or one of `-._~`.
fn escaped(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        letter if letter.is_ascii_alphanumeric() => char::from(letter).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_odd_folders_and_names() {
        let endpoint = Endpoint::new(PathBuf::from("/tmp/a b&c"));
        assert_eq!(
            endpoint.url("app", "two words"),
            "postgresql://app@/two%20words?host=%2Ftmp%2Fa%20b%26c&port=5432"
        );
    }
}
