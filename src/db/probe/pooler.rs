//! Whether a pooler stands between, by what it does: it has no other way to be known from a login of ours.

use sqlx::{
    ConnectOptions as _, Connection as _, Executor as _, PgConnection, Row as _,
    postgres::PgConnectOptions,
};

use super::{ProbeError, close, connect};

/// The database of PgBouncer's own console.
const CONSOLE: &str = "pgbouncer";
/// Postgres' word for a database that there is not.
const NO_DATABASE: &str = "3D000";

/// What stands between a login and Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooler {
    /// Whether it is PgBouncer, as far as that shows.
    pub is_bouncer: bool,
    /// Whether a client's transactions come to several sessions of Postgres.
    pub changes_sessions: bool,
    /// Whether a statement that was prepared in one session is there in another; unknown where sessions don't change.
    pub keeps_prepared: Option<bool>,
    /// Its version and the settings that matter to us, if the login may see its console: name and value.
    pub settings: Vec<(String, String)>,
}

/// Finds out what stands between.
///
/// # Errors
/// [`ProbeError`].
pub async fn pooler(options: &PgConnectOptions) -> Result<Pooler, ProbeError> {
    let (is_bouncer, settings) = console(options).await;
    let (changes_sessions, keeps_prepared) = behaviour(options).await?;
    Ok(Pooler {
        is_bouncer: is_bouncer || changes_sessions,
        changes_sessions,
        keeps_prepared,
        settings,
    })
}

/// Asks for PgBouncer's console: Postgres has no database of that name, and PgBouncer answers or says that we may not.
async fn console(options: &PgConnectOptions) -> (bool, Vec<(String, String)>) {
    let options = options
        .clone()
        .database(CONSOLE)
        .disable_statement_logging();
    let mut connection = match PgConnection::connect_with(&options).await {
        Ok(connection) => connection,
        Err(sqlx::Error::Database(error)) => {
            let says_so = ["not allowed", "bouncer"];
            let is_bouncer = error.code().as_deref() != Some(NO_DATABASE)
                && says_so.iter().any(|words| error.message().contains(words));
            return (is_bouncer, Vec::new());
        }
        Err(_) => return (false, Vec::new()),
    };
    // A database of Postgres that happens to have this name does not know the command.
    let Ok(version) = connection.fetch_one(sqlx::raw_sql("SHOW VERSION")).await else {
        return (false, Vec::new());
    };
    let mut settings = vec![("version".to_owned(), version.try_get(0).unwrap_or_default())];
    let config = connection.fetch_all(sqlx::raw_sql("SHOW CONFIG")).await;
    for row in config.unwrap_or_default() {
        let (key, value): (String, String) = (
            row.try_get(0).unwrap_or_default(),
            row.try_get(1).unwrap_or_default(),
        );
        if ["pool_mode", "max_prepared_statements"].contains(&key.as_str()) {
            settings.push((key, value));
        }
    }
    close(connection).await;
    (true, settings)
}

/// Takes the session that a client has used, by a transaction of another client, and looks which one the first gets then.
async fn behaviour(options: &PgConnectOptions) -> Result<(bool, Option<bool>), ProbeError> {
    let prepared = options
        .clone()
        .statement_cache_capacity(10)
        .disable_statement_logging();
    let mut first = PgConnection::connect_with(&prepared).await?;
    let mut second = connect(options).await?;
    let session = "SELECT pg_backend_pid()";
    let used: Result<i32, _> = sqlx::query_scalar(session).fetch_one(&mut first).await;
    second.execute(sqlx::raw_sql("BEGIN")).await?;
    let taken: i32 = sqlx::query_scalar(session)
        .persistent(false)
        .fetch_one(&mut second)
        .await?;
    // The same statement once more, prepared as it was.
    let found: Result<i32, _> = sqlx::query_scalar(session).fetch_one(&mut first).await;
    second.execute(sqlx::raw_sql("ROLLBACK")).await?;
    close(second).await;
    let behaves = match (used, found) {
        (Ok(used), Ok(now)) if now == used && taken != used => (false, None),
        (Ok(_), Ok(_)) => (true, Some(true)),
        (Err(error), _) | (_, Err(error)) if is_forgotten(&error) => (true, Some(false)),
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    };
    close(first).await;
    Ok(behaves)
}

/// Whether the session does not know a statement that was prepared in another, or has one of that name from somebody else.
fn is_forgotten(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    matches!(error.code().as_deref(), Some("26000" | "42P05"))
}
