//! Whether a pooler stands between, and whether its settings go with ours.

use super::{Finding, Subject};
use crate::db::probe::{self, Pooler, ProbeError};

const CHECK: &str = "pooler";

pub(super) async fn check(subject: &Subject<'_>) -> Vec<Finding> {
    let cache = subject.config.database.statement_cache;
    let mut findings = Vec::new();
    if let Some(app) = &subject.app {
        match probe::pooler(app).await {
            Ok(pooler) => findings.extend(judge(&pooler, cache)),
            Err(ProbeError::Parameter(parameter)) => findings.push(refused(&parameter)),
            Err(ProbeError::Refused(why)) if why.contains("statement pooling") => {
                findings.push(no_transactions());
            }
            Err(ProbeError::Refused(why)) => {
                let found = format!("it can't be told whether there is one: {why}");
                findings.push(Finding::warning(
                    CHECK,
                    found,
                    "see what is said of the logins",
                ));
            }
        }
    }
    if let Some(owner) = &subject.owner
        && probe::pooler(owner)
            .await
            .is_ok_and(|found| found.is_bouncer)
    {
        findings.push(Finding::error(
            CHECK,
            "DEALGRAPH_OWNER_DATABASE_URL leads through a pooler",
            "let it lead to Postgres itself: the lock of `migrate` belongs to a session",
        ));
    }
    findings
}

fn refused(parameter: &str) -> Finding {
    Finding::error(
        CHECK,
        format!("a PgBouncer refuses the parameter {parameter}"),
        format!("set ignore_startup_parameters = {parameter} in pgbouncer.ini"),
    )
}

fn no_transactions() -> Finding {
    let advice = "set pool_mode = transaction";
    Finding::error(CHECK, "its pool_mode is statement", advice)
}

fn judge(pooler: &Pooler, cache: usize) -> Vec<Finding> {
    if !pooler.is_bouncer {
        return vec![Finding::ok(CHECK, "there is none")];
    }
    let set = |name: &str| {
        let found = pooler.settings.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    };
    let mut findings = Vec::new();
    if set("pool_mode") == Some("statement") {
        findings.push(no_transactions());
    }
    if pooler.keeps_prepared == Some(false) && cache > 0 {
        let advice = format!(
            "set max_prepared_statements = {cache} in PgBouncer 1.21 or newer, or DEALGRAPH_STATEMENT_CACHE=0"
        );
        let found = "prepared statements are lost between transactions";
        findings.push(Finding::error(CHECK, found, advice));
    } else if let Some(most) = set("max_prepared_statements").and_then(|most| most.parse().ok())
        && (1..cache).contains(&most)
    {
        let found = format!("max_prepared_statements is {most}, DEALGRAPH_STATEMENT_CACHE {cache}");
        let advice = "let the first be as large as the second: others are prepared again and again";
        findings.push(Finding::warning(CHECK, found, advice));
    }
    if !pooler.changes_sessions {
        let found = "there is one, and each of our connections keeps a session of Postgres";
        let advice = "set pool_mode = transaction, so that servers share sessions";
        findings.push(Finding::warning(CHECK, found, advice));
    }
    if findings.is_empty() {
        let found = "there is a PgBouncer in transaction mode";
        findings.push(Finding::ok(CHECK, found));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{super::Level, *};

    fn bouncer(keeps_prepared: bool, settings: &[(&str, &str)]) -> Pooler {
        let settings = settings.iter();
        Pooler {
            is_bouncer: true,
            changes_sessions: true,
            keeps_prepared: Some(keeps_prepared),
            settings: settings
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn a_pooler_is_held_against_the_statements_that_we_keep() {
        let worst = |pooler: &Pooler, cache| {
            let findings = judge(pooler, cache);
            findings.iter().map(|finding| finding.level).max()
        };
        let few = [("max_prepared_statements", "100")];
        assert_eq!(worst(&bouncer(true, &[]), 200), Some(Level::Ok));
        assert_eq!(worst(&bouncer(true, &few), 200), Some(Level::Warning));
        assert_eq!(worst(&bouncer(true, &few), 100), Some(Level::Ok));
        assert_eq!(worst(&bouncer(false, &[]), 200), Some(Level::Error));
        assert_eq!(worst(&bouncer(false, &[]), 0), Some(Level::Ok));
        let statement = bouncer(true, &[("pool_mode", "statement")]);
        assert_eq!(worst(&statement, 0), Some(Level::Error));
        let session = Pooler {
            changes_sessions: false,
            keeps_prepared: None,
            ..bouncer(true, &[])
        };
        assert_eq!(worst(&session, 200), Some(Level::Warning));
        let none = Pooler {
            is_bouncer: false,
            ..session
        };
        assert_eq!(worst(&none, 200), Some(Level::Ok));
    }
}
