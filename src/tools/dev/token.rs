//! Access tokens for the people of a development cluster, which has no passwords.

use std::{
    fs::OpenOptions,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::Arc,
};

use chrono::TimeDelta;

use super::{DevError, datadir, postgres::Endpoint, run::Failure};
use crate::{
    base::clock::Clock,
    db::{Db, Logins, PoolOptions, SystemReason, journal::Hints},
    organization::{
        auth::{IssuedToken, TokenOptions},
        members::provision::{self, KnownPerson},
    },
    platform::Vault,
    tools::app::TokenSettings,
};

/// The database of a development cluster.
pub(super) const DATABASE: &str = "dealgraph";
/// Tokens of development clusters last a working day.
const LIFETIME: TimeDelta = TimeDelta::hours(12);
/// Who makes the tokens of development clusters, and for whom.
const ISSUER: &str = "dealgraph";

/// Opens the database of the development cluster that runs on a data folder.
///
/// # Errors
/// [`DevError::NoAccount`].
pub fn connect(data_dir: &Path, hints: Hints) -> Result<Db, DevError> {
    let endpoint = Endpoint::of(data_dir)?;
    let logins = Logins::by_name(|login| endpoint.connect_options(login, DATABASE));
    Ok(Db::open(
        logins,
        &PoolOptions {
            size: 2,
            system_size: 2,
            ..PoolOptions::default()
        },
        Clock::system(),
        hints,
    ))
}

/// The database of a running development cluster as the login that owns its tables, for what no other may do.
///
/// # Errors
/// [`DevError`] when the cluster does not run.
pub fn connect_as_owner(data_dir: &Path, hints: Hints) -> Result<Db, DevError> {
    let login = Endpoint::of(data_dir)?.connect_options("dealgraph_owner", DATABASE);
    let pools = PoolOptions {
        size: 1,
        system_size: 1,
        ..PoolOptions::default()
    };
    Ok(Db::open(
        Logins::only(login),
        &pools,
        Clock::system(),
        hints,
    ))
}

/// How development clusters make tokens.
#[must_use]
pub fn token_settings() -> TokenSettings {
    TokenSettings {
        options: TokenOptions {
            issuer: ISSUER.to_owned(),
            audience: ISSUER.to_owned(),
            lifetime: LIFETIME,
        },
        hs256_secret: None,
    }
}

/// What seals the secrets of a development cluster, as `DEALGRAPH_ENCRYPTION_KEYS` takes it; made at its first use and
/// kept beside the data, since it protects nothing that lies open there.
///
/// # Errors
/// [`DevError::File`].
pub fn encryption_keys(data_dir: &Path) -> Result<String, DevError> {
    let path = datadir::state_of(data_dir).join("encryption.key");
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(&path) {
        Ok(mut file) => {
            let key = Vault::generate_key();
            file.write_all(key.as_bytes())
                .map_err(DevError::file("write", &path))?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            std::fs::read_to_string(&path).map_err(DevError::file("read", &path))
        }
        Err(error) => Err(DevError::file("create", &path)(error)),
    }
}

/// The vault of a development cluster.
///
/// # Errors
/// [`DevError::File`].
pub fn vault(data_dir: &Path) -> Result<Arc<Vault>, DevError> {
    let keys = encryption_keys(data_dir)?;
    let bad = |bad| {
        let path = datadir::state_of(data_dir).join("encryption.key");
        DevError::file("use", &path)(std::io::Error::other(bad))
    };
    Ok(Arc::new(Vault::new(&keys).map_err(bad)?))
}

/// Makes an access token for a person of the running development cluster.
///
/// # Errors
/// [`Failure::NotRunning`], [`Failure::NoSuchPerson`], [`Failure::WhichTenant`].
pub async fn token(
    data_dir: &Path,
    email: &str,
    tenant: Option<&str>,
) -> Result<IssuedToken, Failure> {
    let db = connect(data_dir, Hints::default())?;
    let mut tx = db
        .system(SystemReason::SignIn)
        .await
        .map_err(|_| Failure::NotRunning(data_dir.to_owned()))?;
    let people = provision::known_people(&mut tx).await?;
    let person = choose(&people, email, tenant)?;
    drop(tx);
    let tokens = token_settings().open(&db, &vault(data_dir)?).await?;
    Ok(tokens.issue(person.user_id, person.tenant_id)?)
}

pub(super) fn choose<'a>(
    people: &'a [KnownPerson],
    email: &str,
    tenant: Option<&str>,
) -> Result<&'a KnownPerson, Failure> {
    let known: Vec<_> = people
        .iter()
        .filter(|person| person.email.eq_ignore_ascii_case(email.trim()))
        .collect();
    let slugs = || {
        known
            .iter()
            .map(|person| person.slug.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match (known.as_slice(), tenant) {
        ([], _) => Err(Failure::NoSuchPerson(email.to_owned())),
        ([only], None) => Ok(only),
        (_, None) => Err(Failure::WhichTenant {
            email: email.to_owned(),
            tenants: slugs(),
        }),
        (several, Some(tenant)) => several
            .iter()
            .find(|person| person.slug == tenant)
            .copied()
            .ok_or_else(|| Failure::WhichTenant {
                email: email.to_owned(),
                tenants: slugs(),
            }),
    }
}
