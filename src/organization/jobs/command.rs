//! `dealgraph jobs …`: the platform operator's view of a tenant's jobs.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;

use crate::{
    access::Actor,
    base::{
        error::Result,
        ids::{JobId, TenantId},
    },
    db::{Db, Freshness, Sql, journal::Origin},
    organization::tenants::operator::Operator,
};

/// Jobs that are listed.
const LISTED: i64 = 100;

/// What the operator wants.
#[derive(Debug, Subcommand)]
#[expect(missing_docs, reason = "the help describes the arguments")]
pub enum JobCommand {
    /// Lists the latest hundred jobs of a tenant.
    List {
        slug: String,
        /// Only those that failed for good, and wait for somebody to have them tried again.
        #[arg(long)]
        failed: bool,
    },
    /// Has a job that failed or was cancelled tried again, with all its attempts.
    Retry { slug: String, id: JobId },
    /// Ends a job: one that waits at once, one that runs as soon as it can be interrupted.
    Cancel { slug: String, id: JobId },
}

/// Does what the operator wants; `print` takes lines for them.
///
/// # Errors
/// `NOT_FOUND` for a tenant or a job; what the act fails with.
pub async fn run(command: JobCommand, db: &Db, print: impl Fn(String)) -> Result<()> {
    match command {
        JobCommand::List { slug, failed } => {
            let tenant = tenant(db, &slug).await?;
            for line in list(db, tenant, failed).await? {
                print(line.to_string());
            }
        }
        JobCommand::Retry { slug, id } => {
            let (actor, origin) = by(tenant(db, &slug).await?);
            let retried = db.write(&actor, &origin, async |tx| super::retry(tx, id).await);
            print(format!("{id}: {:?}", retried.await?.status));
        }
        JobCommand::Cancel { slug, id } => {
            let (actor, origin) = by(tenant(db, &slug).await?);
            let cancelled = db.write(&actor, &origin, async |tx| super::cancel(tx, id).await);
            print(format!("{id}: {:?}, to be ended", cancelled.await?.status));
        }
    }
    Ok(())
}

async fn tenant(db: &Db, slug: &str) -> Result<TenantId> {
    Ok(Operator::new(db).find(slug).await?.tenant_id)
}

/// In whose name: the server's own, in the tenant.
fn by(tenant: TenantId) -> (Arc<Actor>, Origin) {
    let origin = Origin::process(format!("operator-{}", crate::base::ids::mint()));
    (Arc::new(Actor::worker(tenant, "operator")), origin)
}

#[derive(sqlx::FromRow)]
struct Line {
    job_id: JobId,
    kind: String,
    status: String,
    attempts: i32,
    created_at: DateTime<Utc>,
    error_code: Option<String>,
    error_message: Option<String>,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.created_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let (id, kind, status) = (self.job_id, &self.kind, &self.status);
        write!(
            f,
            "{id}\t{kind}\t{status}\t{} attempts\t{at}",
            self.attempts
        )?;
        match (&self.error_code, &self.error_message) {
            (Some(code), Some(message)) => write!(f, "\t{code}: {message}"),
            _ => Ok(()),
        }
    }
}

async fn list(db: &Db, tenant: TenantId, failed: bool) -> Result<Vec<Line>> {
    let (actor, _) = by(tenant);
    let read = db.read(&actor, Freshness::Current, async |tx| {
        let sql = Sql::new(
            "SELECT j.job_id, j.kind, j.status, j.attempts, j.created_at, j.error_code, j.error_message FROM jobs j \
             WHERE j.tenant_id = ",
        )
        .bind(tx.tenant())
        .push(" AND (NOT ")
        .bind(failed)
        .push(" OR j.status = 'FAILED') ORDER BY j.created_at DESC, j.job_id DESC LIMIT ")
        .bind(LISTED);
        tx.all(sql).await
    });
    read.await
}
