//! The configuration: read from `DEALGRAPH_…` variables and nothing else, typed once, with all wrong ones reported
//! together.
//!
//! An unknown variable is an error, because a mistyped name would otherwise leave a setting at its default in silence.

mod accounts;
mod auth;
mod limits;
mod listing;
mod nearest;
mod outbound;
mod problem;
mod reader;
mod server;
mod stores;
mod telemetry;
mod typed;
mod variables;

use std::path::PathBuf;

use reader::Reader;

use crate::platform::{outbound::OutboundSettings, telemetry::TelemetryConfig};

pub use accounts::AccountsConfig;
pub use auth::AuthConfig;
pub use limits::LimitsConfig;
pub use listing::{listing, markdown_table};
pub use problem::{ConfigError, Problem};
pub use server::ServerConfig;
pub use stores::{CacheConfig, DatabaseConfig, RedisConfig};
pub use variables::{PREFIX, VARIABLES, Variable};

/// All settings of a process.
#[derive(Debug, Clone)]
pub struct Config {
    /// The HTTP server.
    pub server: ServerConfig,
    /// Postgres.
    pub database: DatabaseConfig,
    /// Redis.
    pub redis: RedisConfig,
    /// The answers that are kept.
    pub cache: CacheConfig,
    /// Access tokens.
    pub auth: AuthConfig,
    /// People's accounts.
    pub accounts: AccountsConfig,
    /// Requests to servers that tenants name.
    pub outbound: OutboundSettings,
    /// Limits of GraphQL requests.
    pub limits: LimitsConfig,
    /// Logs and traces.
    pub telemetry: TelemetryConfig,
    /// The folder of the Postgres programs for a development cluster, when they are not to be searched for.
    pub pg_bin: Option<PathBuf>,
}

/// What the process is about to do, which decides the variables that must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Serve requests: both logins of the server, and what seals secrets.
    Serve,
    /// Change the database: the owner's login.
    Migrate,
    /// Load data through the product's write path: both logins of the server.
    Import,
    /// Change the keys that sign tokens: both logins of the server, and what seals secrets.
    Keys,
    /// Develop or test: nothing, the process starts what it needs.
    Develop,
}

impl Config {
    /// Reads the environment of this process.
    ///
    /// # Errors
    /// [`ConfigError`] with every unknown, bad and missing variable.
    pub fn from_env(purpose: Purpose) -> Result<Self, ConfigError> {
        // Bytes that are not UTF-8 become a character that the reader refuses, so the error can name the variable.
        let text = |raw: std::ffi::OsString| raw.to_string_lossy().into_owned();
        let vars = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self::from_vars(vars, purpose)
    }

    /// Reads the given variables; those without the prefix are passed over.
    ///
    /// # Errors
    /// [`ConfigError`] with every unknown, bad and missing variable.
    pub fn from_vars(
        vars: impl Iterator<Item = (String, String)>,
        purpose: Purpose,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(vars);
        let config = Self::read(&mut reader);
        require(&mut reader, purpose);
        let problems = reader.into_problems();
        if problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError { problems })
        }
    }

    /// Reads the environment of this process as far as it can be read: what is wrong, and all the rest, with defaults in
    /// the places of what is wrong.
    #[must_use]
    pub fn examine_env() -> (Self, Vec<Problem>) {
        let text = |raw: std::ffi::OsString| raw.to_string_lossy().into_owned();
        Self::examine(std::env::vars_os().map(|(name, value)| (text(name), text(value))))
    }

    /// Reads the given variables as far as they can be read, for serving.
    pub fn examine(vars: impl Iterator<Item = (String, String)>) -> (Self, Vec<Problem>) {
        let mut reader = Reader::new(vars);
        let config = Self::read(&mut reader);
        require(&mut reader, Purpose::Serve);
        (config, reader.into_problems())
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            server: ServerConfig::read(reader),
            database: DatabaseConfig::read(reader),
            redis: RedisConfig::read(reader),
            cache: CacheConfig::read(reader),
            auth: AuthConfig::read(reader),
            accounts: AccountsConfig::read(reader),
            outbound: OutboundSettings::read(reader),
            limits: LimitsConfig::read(reader),
            telemetry: TelemetryConfig::read(reader),
            pg_bin: reader.optional("DEALGRAPH_PG_BIN", "a folder", |value| Some(value.into())),
        }
    }
}

fn require(reader: &mut Reader, purpose: Purpose) {
    if matches!(purpose, Purpose::Serve | Purpose::Import | Purpose::Keys) {
        let why = "the address of Postgres with the login of requests (dealgraph_app)";
        reader.require_one_of(&["DEALGRAPH_DATABASE_URL"], why);
        let why = "the address of Postgres with the login of the server itself (dealgraph_system)";
        reader.require_one_of(&["DEALGRAPH_SYSTEM_DATABASE_URL"], why);
    }
    if purpose == Purpose::Migrate {
        let why = "the address of Postgres with the login that owns the tables";
        reader.require_one_of(&["DEALGRAPH_OWNER_DATABASE_URL"], why);
    }
    if matches!(purpose, Purpose::Serve | Purpose::Keys) {
        let why = "what seals secrets in the database: `openssl rand -base64 32` makes one";
        reader.require_one_of(&["DEALGRAPH_ENCRYPTION_KEYS"], why);
    }
}

#[cfg(test)]
mod tests;
