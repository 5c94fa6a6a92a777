//! Makes the data, or finds that it is there: 50 tenants, one 25 times larger, and two for comparing due lists.

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
    say,
};

/// What is done, in this order: what it makes, and the statements.
const STEPS: [(&str, &str); 5] = [
    (
        "52 tenants with their people",
        include_str!("../data/01_tenants.sql"),
    ),
    ("35,000 companies", include_str!("../data/02_companies.sql")),
    ("148,000 contacts", include_str!("../data/03_contacts.sql")),
    (
        "175,000 deals",
        include_str!("../data/04_opportunities.sql"),
    ),
    (
        "444,000 activities",
        include_str!("../data/05_activities.sql"),
    ),
];

/// Makes the data unless this very data is there.
pub(crate) async fn ensure(cluster: &Cluster) -> Outcome<()> {
    cluster.migrate().await?;
    let mut database = cluster.superuser().await?;
    if loaded(&mut database).await?.as_ref() == Some(&fingerprint()) {
        return Ok(());
    }
    drop(database);
    // Half-made or older data is in the way; the cluster is ours alone.
    let mut server = cluster.superuser_of("postgres").await?;
    server
        .execute(AssertSqlSafe(format!(
            "DROP DATABASE {DATABASE} WITH (FORCE)"
        )))
        .await?;
    cluster.migrate().await?;
    load(&mut cluster.superuser().await?).await
}

async fn load(database: &mut PgConnection) -> Outcome<()> {
    // The keys are right by construction; checking each would take as long again.
    database
        .execute("SET session_replication_role = replica")
        .await?;
    for (what, statements) in STEPS {
        say(&format!("making {what}"));
        database.execute(statements).await?;
        database.execute("ANALYZE").await?;
    }
    database.execute("VACUUM ANALYZE").await?;
    database.execute("CHECKPOINT").await?;
    database
        .execute("CREATE TABLE bench.loaded (fingerprint text NOT NULL)")
        .await?;
    sqlx::query("INSERT INTO bench.loaded VALUES ($1)")
        .bind(fingerprint())
        .execute(database)
        .await?;
    Ok(())
}

async fn loaded(database: &mut PgConnection) -> Outcome<Option<String>> {
    let noted: bool = sqlx::query_scalar("SELECT to_regclass('bench.loaded') IS NOT NULL")
        .fetch_one(&mut *database)
        .await?;
    if !noted {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("SELECT fingerprint FROM bench.loaded")
        .fetch_optional(database)
        .await?)
}

/// Changes whenever the statements do.
fn fingerprint() -> String {
    let mut digest = Sha256::new();
    for (_, statements) in STEPS {
        digest.update(statements);
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
