//! The policy files: applied whenever their text changed, each in a transaction of its own.

use std::{sync::LazyLock, time::Instant};

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{MigrateError, Release, attempts::Attempts, locks::TableLocks};

static POLICY_FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// The policy files in the order they are applied, which is that of their names: name and text.
pub static POLICIES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let files = POLICY_FILES.files().filter_map(|file| {
        let name = file.path().to_str()?;
        Some((name, file.contents_utf8()?))
    });
    let mut files: Vec<_> = files.filter(|(name, _)| name.ends_with(".sql")).collect();
    files.sort_unstable();
    files
});

/// What only a superuser can take away from everybody, in the product's database.
pub const SUPERUSER: &str = include_str!("../../../policies/superuser/large_objects.sql");
/// The policy file with the procedures that those after it call.
const PROCEDURES: (&str, &str) = (
    "02_tables.sql",
    include_str!("../../../policies/02_tables.sql"),
);
/// The revisions of the policies: a number and the digest of all files each, the latest last. Texts have no order, so the
/// number is what says which of two versions' policies are the newer ones.
const REVISIONS: &str = include_str!("../../../policies/revisions.txt");

/// The revision of the policies of this version.
pub(super) fn revision() -> i32 {
    let (number, _) = last_revision().expect("a unit test reads the file");
    number
}

fn last_revision() -> Option<(i32, &'static str)> {
    let line = REVISIONS.lines().rfind(|line| !line.starts_with('#'))?;
    let (number, digest) = line.split_once(' ')?;
    Some((number.parse().ok()?, digest))
}

/// Applies the files whose text is another than what was applied last; which ones those were.
pub(super) async fn apply_all(
    connection: &mut PgConnection,
    attempts: &mut Attempts,
    release: &Release,
) -> Result<Vec<&'static str>, MigrateError> {
    connection
        .execute(
            "CREATE TABLE IF NOT EXISTS app.applied_policies (
                name text PRIMARY KEY, hash text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
        )
        .await?;
    let mut applied = Vec::new();
    for &(name, text) in &release.policies {
        let began = Instant::now();
        let step = format!("policies/{name}");
        let mut locks = TableLocks::of(text);
        let work = async |connection: &mut PgConnection| {
            let done = apply(connection, (name, text), &mut locks).await;
            done.map_err(|source| MigrateError::Policy { name, source })
        };
        if attempts.attempt(connection, &step, work).await? {
            tracing::info!(ms = began.elapsed().as_millis(), "{step} is applied");
            applied.push(name);
        }
    }
    // Only when all are there: servers take it for granted then.
    sqlx::query("UPDATE app.schema_state SET policies = $1 WHERE policies <> $1")
        .bind(release.revision)
        .execute(connection)
        .await?;
    Ok(applied)
}

/// What a policy file is known by once it was applied. The files after the procedures do what the procedures say, so they
/// are others when those are.
fn fingerprint(name: &str, text: &str, (procedures, theirs): (&str, &str)) -> String {
    let mut digest = Sha256::new_with_prefix(text);
    if name > procedures {
        digest.update(theirs);
    }
    hex(&digest.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Applies a policy file unless this very text was applied before; tells whether it did.
async fn apply(
    connection: &mut PgConnection,
    (name, text): (&'static str, &'static str),
    locks: &mut TableLocks,
) -> Result<bool, sqlx::Error> {
    let hash = fingerprint(name, text, PROCEDURES);
    let before: Option<String> =
        sqlx::query_scalar("SELECT hash FROM app.applied_policies WHERE name = $1")
            .bind(name)
            .fetch_optional(&mut *connection)
            .await?;
    // The verification reads what all the others did, so it runs every time.
    if before.as_ref() == Some(&hash) && !name.starts_with("99") {
        return Ok(false);
    }
    let mut tx = connection.begin().await?;
    locks.take(&mut tx).await?;
    tx.execute(AssertSqlSafe(text)).await?;
    sqlx::query(
        "INSERT INTO app.applied_policies (name, hash) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET hash = excluded.hash, applied_at = now()",
    )
    .bind(name)
    .bind(&hash)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(before.as_ref() != Some(&hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_applied_again_when_the_procedures_that_it_calls_change() {
        let changed = (PROCEDURES.0, "others");
        for &(name, text) in POLICIES.iter() {
            assert_eq!(
                fingerprint(name, text, PROCEDURES) != fingerprint(name, text, changed),
                name > PROCEDURES.0,
                "{name}"
            );
        }
        assert!(POLICIES.contains(&PROCEDURES));
        assert!(
            POLICIES.is_sorted(),
            "files are applied in the order of their names"
        );
    }

    #[test]
    fn a_change_of_the_policies_is_a_revision_of_its_own() {
        let mut digest = Sha256::new();
        for (name, text) in POLICIES.iter() {
            digest.update(format!("{name} {}\n", text.len()));
            digest.update(text);
        }
        let digest = hex(&digest.finalize());
        let lines = REVISIONS.lines().filter(|line| !line.starts_with('#'));
        for (at, line) in lines.enumerate() {
            let number = line.split(' ').next();
            assert_eq!(number, Some((at + 1).to_string().as_str()), "{line}");
        }
        let (number, known) = last_revision().expect("a number and a digest");
        assert_eq!(
            digest, known,
            "policies changed since revision {number}: add a line to policies/revisions.txt, \
             or put this digest into the last one if no version with it was released"
        );
    }
}
