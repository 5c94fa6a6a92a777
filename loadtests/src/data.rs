//! Makes the data, or finds that it is there.

use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
    say,
};

/// Which data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Set {
    /// 50 tenants, one 25 times larger, and two for comparing due lists: 35,000 companies, 148,000 contacts, 175,000 deals,
    /// 444,000 activities.
    Usual,
    /// A tenant of 10,000 deals and one of so many.
    Sizes(u32),
}

/// What is done, in this order, when it is known which tenants there are: what it makes, and the statements.
const STEPS: [(&str, &str); 5] = [
    ("people", include_str!("../data/01_tenants.sql")),
    ("companies", include_str!("../data/02_companies.sql")),
    ("contacts", include_str!("../data/03_contacts.sql")),
    ("deals", include_str!("../data/04_opportunities.sql")),
    ("activities", include_str!("../data/05_activities.sql")),
];

impl Set {
    /// The statements that say which tenants there are and how large they are.
    fn tenants(self) -> String {
        match self {
            Self::Usual => include_str!("../data/00_usual.sql").to_owned(),
            Self::Sizes(deals) => {
                include_str!("../data/00_sizes.sql").replace("{deals}", &deals.to_string())
            }
        }
    }

    /// Changes whenever the statements do.
    fn fingerprint(self) -> String {
        let mut digest = Sha256::new_with_prefix(self.tenants());
        for (_, statements) in STEPS {
            digest.update(statements);
        }
        digest
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// Makes the data unless this very data is there.
pub(crate) async fn ensure(cluster: &Cluster, set: Set) -> Outcome<()> {
    cluster.migrate().await?;
    let mut database = cluster.superuser().await?;
    if loaded(&mut database).await? == Some(set.fingerprint()) {
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
    load(&mut cluster.superuser().await?, set).await
}

async fn load(database: &mut PgConnection, set: Set) -> Outcome<()> {
    // The keys are right by construction; checking each would take as long again.
    database
        .execute("SET session_replication_role = replica")
        .await?;
    database.execute(AssertSqlSafe(set.tenants())).await?;
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
        .bind(set.fingerprint())
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
