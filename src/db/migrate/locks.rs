//! The locks of a policy file, taken before it is applied, so that nobody who serves meanwhile is a deadlock's victim.
//!
//! A file changes several tables. Who waits for one that it has while it waits for one that they have is in a deadlock with
//! it, and Postgres ends whoever notices first: after a second, most likely the request. So only the first lock is waited
//! for, when nothing is held yet; the others are there at once or the attempt gives up. The next one begins with the table
//! that was in the way.

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};

/// How long each lock but the first is waited for. All together, and what the file does, take less than a second.
const AT_ONCE: &str = "SET LOCAL lock_timeout = '50ms'";
/// What comes before the name of a table that a file changes.
const BEFORE_NAMES: [&str; 3] = ["ALTER TABLE ", "CALL app.secure_", "CREATE POLICY "];

/// The tables that a policy file changes, in the order in which they are locked.
pub(super) struct TableLocks(Vec<String>);

impl TableLocks {
    /// Those of a file.
    pub(super) fn of(text: &str) -> Self {
        let mut tables: Vec<String> = Vec::new();
        for line in text.lines().map(str::trim_start) {
            for before in BEFORE_NAMES {
                let name = line.strip_prefix(before).and_then(|rest| match before {
                    "ALTER TABLE " => first_word(rest),
                    "CREATE POLICY " => first_word(rest.split_once(" ON ")?.1),
                    _ => first_word(rest.split_once('\'')?.1),
                });
                if let Some(name) = name.filter(|name| !tables.iter().any(|known| known == name)) {
                    tables.push(name.to_owned());
                }
            }
        }
        Self(tables)
    }

    /// Takes them all in a transaction, or fails soon.
    pub(super) async fn take(&mut self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        for at in 0..self.0.len() {
            if at == 1 {
                tx.execute(AT_ONCE).await?;
            }
            let lock = format!(
                "LOCK TABLE ONLY public.{} IN ACCESS EXCLUSIVE MODE",
                self.0[at]
            );
            if let Err(error) = tx.execute(AssertSqlSafe(lock)).await {
                let in_the_way = self.0.remove(at);
                self.0.insert(0, in_the_way);
                return Err(error);
            }
        }
        Ok(())
    }
}

fn first_word(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    let word = &text[..end.unwrap_or(text.len())];
    (!word.is_empty()).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::migrate::POLICIES;

    #[test]
    fn the_tables_of_a_file_are_found() {
        let text = "CALL app.secure_owned_table('companies', 'company_id', 'companies');\n\
                    CREATE POLICY of_events ON events FOR SELECT\n\
                    ALTER TABLE events_default ENABLE ROW LEVEL SECURITY;\n\
                    CALL app.secure_table('events');\n-- ALTER TABLE no_table\n\
                    GRANT SELECT ON teams TO dealgraph_app;";
        assert_eq!(
            TableLocks::of(text).0,
            ["companies", "events", "events_default"]
        );
    }

    #[test]
    fn no_file_changes_more_tables_than_are_locked_within_a_second() {
        for (name, text) in POLICIES.iter().filter(|(name, _)| !name.starts_with("02")) {
            let tables = TableLocks::of(text).0;
            assert!(tables.len() <= 12, "{name}: {tables:?}");
        }
    }
}
