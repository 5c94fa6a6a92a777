//! What a login finds at the end of its address: for an operator who asks whether all is well. Each look is a connection of
//! its own; nothing is changed.

mod citus;
mod pooler;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::base::clock::Clock;
pub use citus::{Citus, citus};
pub use pooler::{Pooler, pooler};

/// What it is called, where Postgres lists connections.
const APPLICATION: &str = "dealgraph-doctor";
/// How often a clock is asked.
const CLOCK_QUESTIONS: usize = 5;

/// Why nothing could be found out.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The login does not get in, or the database refuses a question.
    #[error("{0}")]
    Refused(String),
    /// A pooler refuses what every client of ours sends.
    #[error("a PgBouncer refuses the parameter {0}")]
    Parameter(String),
}

impl From<sqlx::Error> for ProbeError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(error) = error else {
            return Self::Refused(error.to_string());
        };
        match error.message().split_once("unsupported startup parameter") {
            Some((_, parameter)) => Self::Parameter(parameter.trim_matches([':', ' ']).to_owned()),
            None => Self::Refused(error.message().to_owned()),
        }
    }
}

/// What a login is and finds.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Login {
    /// Its name.
    pub login: String,
    /// Whether it is a superuser.
    pub superuser: bool,
    /// Whether it has BYPASSRLS.
    pub bypass: bool,
    /// Whether it may make or change roles.
    pub creates_roles: bool,
    /// Whether it owns tables, or is a member of who does.
    pub owner: bool,
    /// The roles that it is a member of.
    pub member_of: Vec<String>,
    /// Tables of tenants that it may read and whose policies do not bind it.
    pub unbound: Vec<String>,
    /// The settings that it begins every session with.
    pub settings: Vec<String>,
    /// Whether the session is encrypted.
    pub encrypted: bool,
    /// Whether Postgres runs on this machine, reached by a socket or the loopback address.
    pub local: bool,
}

const LOGIN: &str = "SELECT r.rolname::text AS login, r.rolsuper AS superuser, r.rolbypassrls AS bypass, \
        r.rolcreaterole AS creates_roles, \
        EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
                AND pg_has_role(r.oid, c.relowner, 'USAGE')) AS owner, \
        ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid) AS member_of, \
        ARRAY(SELECT c.relname::text FROM pg_class c \
              WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition \
                AND c.relname <> '_sqlx_migrations' AND has_any_column_privilege(c.oid, 'SELECT') \
                AND NOT row_security_active(c.oid) ORDER BY 1) AS unbound, \
        coalesce(r.rolconfig, '{}') AS settings, \
        coalesce((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS encrypted, \
        coalesce(inet_server_addr() << '127.0.0.0/8' OR inet_server_addr() = '::1', true) AS local \
     FROM pg_roles r WHERE r.rolname = current_user";

/// Postgres itself, as a login sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Cluster {
    /// The version, such as 150018.
    pub version_number: i32,
    /// The version as it is written.
    pub version: String,
    /// Which cluster it is, or is a copy of.
    pub system: i64,
    /// Whether it only follows another.
    pub standby: bool,
    /// Whether transactions only read by themselves.
    pub read_only: bool,
    /// Connections for logins that are no superusers.
    pub connections: i32,
    /// Connections that are there now, of all databases.
    pub connected: i64,
    /// Settings by which a commit that was answered may be lost, and their values.
    pub loose: Vec<String>,
}

const CLUSTER: &str = "SELECT current_setting('server_version_num')::int AS version_number, \
        current_setting('server_version') AS version, pg_is_in_recovery() AS standby, \
        (SELECT system_identifier FROM pg_control_system()) AS system, \
        current_setting('default_transaction_read_only')::bool AS read_only, \
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections, \
        (SELECT coalesce(sum(numbackends), 0)::int8 FROM pg_stat_database) AS connected, \
        ARRAY(SELECT name || ' = ' || setting FROM pg_settings \
              WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off' ORDER BY 1) AS loose";

/// A clock beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What it said.
    pub theirs: DateTime<Utc>,
    /// What ours said half-way between question and answer.
    pub ours: DateTime<Utc>,
    /// How long the answer took.
    pub took: Duration,
}

/// Looks at a login.
///
/// # Errors
/// [`ProbeError`].
pub async fn login(options: &PgConnectOptions) -> Result<Login, ProbeError> {
    let mut connection = connect(options).await?;
    let mut tx = connection.begin().await?;
    let login = sqlx::query_as(LOGIN).persistent(false);
    let login = login.fetch_one(&mut *tx).await?;
    tx.rollback().await?;
    close(connection).await;
    Ok(login)
}

/// Looks at Postgres.
///
/// # Errors
/// [`ProbeError`].
pub async fn cluster(options: &PgConnectOptions) -> Result<Cluster, ProbeError> {
    let mut connection = connect(options).await?;
    let mut tx = connection.begin().await?;
    let cluster = sqlx::query_as(CLUSTER).persistent(false);
    let cluster = cluster.fetch_one(&mut *tx).await?;
    tx.rollback().await?;
    close(connection).await;
    Ok(cluster)
}

/// Reads Postgres' clock beside ours.
///
/// # Errors
/// [`ProbeError`].
pub async fn clock(options: &PgConnectOptions, clock: &Clock) -> Result<Reading, ProbeError> {
    let mut connection = connect(options).await?;
    let mut tx = connection.begin().await?;
    // The quickest answer says it most exactly.
    let mut best: Option<Reading> = None;
    for _ in 0..CLOCK_QUESTIONS {
        let (asked, began) = (clock.now(), Instant::now());
        let theirs: DateTime<Utc> = sqlx::query_scalar("SELECT clock_timestamp()")
            .persistent(false)
            .fetch_one(&mut *tx)
            .await?;
        let took = began.elapsed();
        let ours = asked + took / 2;
        if best.is_none_or(|best| took < best.took) {
            best = Some(Reading { theirs, ours, took });
        }
    }
    tx.rollback().await?;
    close(connection).await;
    best.ok_or_else(|| ProbeError::Refused("no answer".to_owned()))
}

/// Statements are not kept prepared on it, and are asked in a transaction: a pooler may have changed sessions between any
/// two messages otherwise.
async fn connect(options: &PgConnectOptions) -> Result<PgConnection, ProbeError> {
    let options = options
        .clone()
        .application_name(APPLICATION)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    Ok(PgConnection::connect_with(&options).await?)
}

async fn close(connection: PgConnection) {
    // It has answered all that was asked; how it ends is nobody's concern.
    _ = connection.close().await;
}
