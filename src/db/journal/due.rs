//! The queue of jobs that a transaction has put some into: when the tenant's is to be looked at next.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{
    base::error::Result,
    db::{Sql, Statements},
};

use super::Commit;

/// When the first of some jobs is due, by the database's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct FirstDue {
    at: Option<DateTime<Utc>>,
    after: Option<Duration>,
}

impl FirstDue {
    /// Counts a job in: due at an instant and so much later, or so long after now.
    pub(crate) fn include(&mut self, at: Option<DateTime<Utc>>, pause: Duration) {
        match at {
            Some(at) => {
                let at = at + pause;
                self.at = Some(self.at.map_or(at, |first| first.min(at)));
            }
            None => self.after = Some(self.after.map_or(pause, |first| first.min(pause))),
        }
    }
}

/// Moves the tenant's queue, if it is to be looked at sooner now. The row is locked from here to COMMIT, so that whoever
/// takes jobs meanwhile sees these; so it comes last, before the counter of events.
pub(super) async fn move_queue(
    statements: &mut Statements,
    commit: Commit<'_>,
    due: FirstDue,
) -> Result<()> {
    let sql = Sql::new("INSERT INTO job_queues AS q (tenant_id, due_at) VALUES (")
        .bind(commit.tenant)
        .push(", least(")
        .bind(due.at)
        .push("::timestamptz, now() + make_interval(secs => ")
        .bind(due.after.map(|after| after.as_secs_f64()))
        .push(
            "))) ON CONFLICT (tenant_id) DO UPDATE SET due_at = least(q.due_at, excluded.due_at)",
        );
    statements.execute(sql).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_some_jobs_is_due_first() {
        let (mut due, at) = (FirstDue::default(), DateTime::<Utc>::UNIX_EPOCH);
        due.include(Some(at), Duration::from_secs(9));
        due.include(Some(at), Duration::from_secs(3));
        due.include(None, Duration::from_secs(7));
        due.include(None, Duration::from_secs(5));
        let expected = FirstDue {
            at: Some(at + Duration::from_secs(3)),
            after: Some(Duration::from_secs(5)),
        };
        assert_eq!(due, expected);
    }
}
