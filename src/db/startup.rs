//! What is checked before a server takes its first request: that its logins could not go around the policies, and that it
//! can serve the schema.

use super::{Db, Mode, SchemaState, Sql, SystemReason, schema_state};
use crate::base::error::Error;

/// Why a server must not start on this database.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// A login could bypass row-level security.
    #[error("the login {login} could bypass row-level security ({why}), use a plain login")]
    Bypass {
        /// The login.
        login: String,
        /// In which way.
        why: &'static str,
    },
    /// The tables are not there.
    #[error("the database has no Dealgraph schema, run `dealgraph migrate` first")]
    NotMigrated,
    /// The schema is not one that this version can serve.
    #[error("{0}")]
    Schema(SchemaState),
    /// The database does not answer.
    #[error("{0}")]
    Database(#[from] Error),
}

#[derive(sqlx::FromRow)]
struct Login {
    login: String,
    superuser: bool,
    bypass: bool,
    owner: bool,
    migrated: bool,
}

const LOGIN: &str = "SELECT r.rolname::text AS login, r.rolsuper AS superuser, r.rolbypassrls AS bypass, \
     EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
             AND pg_has_role(r.oid, c.relowner, 'USAGE')) AS owner, \
     to_regclass('public.opportunities') IS NOT NULL AS migrated \
     FROM pg_roles r WHERE r.rolname = current_user";

/// Refuses logins that own tables, are superuser or have BYPASSRLS, and databases whose schema this version can't serve.
///
/// # Errors
/// [`StartupError`].
pub async fn check(db: &Db) -> Result<(), StartupError> {
    let mut app = db.begin(&db.app, Mode::Change, String::new(), None).await?;
    let mut system = db.system(SystemReason::Health).await?;
    for login in [
        app.optional::<Login>(Sql::new(LOGIN)).await?,
        system.optional::<Login>(Sql::new(LOGIN)).await?,
    ] {
        let Some(login) = login else {
            return Err(StartupError::NotMigrated);
        };
        let why = [
            (login.superuser, "superuser"),
            (login.bypass, "BYPASSRLS"),
            (login.owner, "owner of tables"),
        ];
        if let Some((_, why)) = why.into_iter().find(|(could, _)| *could) {
            return Err(StartupError::Bypass {
                login: login.login,
                why,
            });
        }
        if !login.migrated {
            return Err(StartupError::NotMigrated);
        }
    }
    drop(system);
    match schema_state(db).await? {
        SchemaState::Current => {}
        newer @ SchemaState::Newer { .. } => tracing::info!("{newer}"),
        refused => return Err(StartupError::Schema(refused)),
    }
    Ok(())
}
