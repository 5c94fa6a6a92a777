//! Schedules: what is done again and again, by a cron expression in a time zone.
//!
//! Each occurrence is a job. When one is taken, the next is put into the queue by the same transaction, so that exactly
//! one server plans it, whatever dies.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

pub use super::timetable::Timetable;
use super::{
    Claim, Job,
    queue::{self, NewJob},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{JobId, Typed as _, mint},
    },
    db::{Sql, Tx},
};

/// An occurrence that is later than this was missed.
const GRACE: TimeDelta = TimeDelta::minutes(5);

/// Schedules of a tenant, with the database's time.
const SELECT: &str = "SELECT s.schedule_id, s.kind, s.arguments, s.cron, s.time_zone, s.missed, s.author, s.visible_to, \
     now() AS now FROM job_schedules s WHERE s.tenant_id = ";

/// What becomes of occurrences whose time came while no worker was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// They are left out.
    Skip,
    /// The last of them is made up for.
    Once,
    /// Each is made up for, one after the other.
    All,
}

impl Missed {
    fn word(self) -> &'static str {
        match self {
            Self::Skip => "SKIP",
            Self::Once => "ONCE",
            Self::All => "ALL",
        }
    }

    fn stored(word: &str) -> Self {
        match word {
            "ALL" => Self::All,
            "ONCE" => Self::Once,
            _ => Self::Skip,
        }
    }
}

/// Has a job done by a timetable from now on, in the name of who does the unit of work. Another schedule of the name is
/// replaced; one that is the same already stays as it is.
///
/// # Errors
/// `INVALID_CRON` for a timetable without a next occurrence; the database.
pub async fn set<J: Job>(
    tx: &mut Tx,
    name: &str,
    job: &J,
    timetable: &Timetable,
    missed: Missed,
) -> Result<()> {
    let next = timetable.next_after(tx.now()).ok_or_else(|| {
        Error::invalid(
            "INVALID_CRON",
            "cron",
            "this never comes in the next five years",
        )
    })?;
    let arguments = serde_json::to_value(job).map_err(Error::internal)?;
    let known = Sql::new(SELECT)
        .bind(tx.tenant())
        .push(" AND s.name = ")
        .bind(name.to_owned())
        .push(" FOR UPDATE");
    let known: Option<Planned> = tx.optional(known).await?;
    let schedule = Schedule {
        schedule_id: mint(),
        kind: J::KIND.to_owned(),
        arguments,
        cron: timetable.expression.clone(),
        time_zone: timetable.zone.name().to_owned(),
        missed: missed.word().to_owned(),
        author: tx.author(),
        visible_to: tx.actor().me(),
    };
    if known
        .as_ref()
        .is_some_and(|known| known.schedule.says_the_same(&schedule))
    {
        return Ok(());
    }
    if known.is_some() {
        remove(tx, name).await?;
    }
    schedule.insert(tx, name).await?;
    schedule.enqueue(tx, next).await
}

/// Takes a schedule away, with its next occurrence. One that runs already goes on.
///
/// # Errors
/// The database.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<()> {
    let sql = Sql::new("DELETE FROM job_schedules WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND name = ")
        .bind(name.to_owned())
        .push(" RETURNING schedule_id");
    for schedule in tx.column::<Uuid>(sql).await? {
        let sql = Sql::new(
            "UPDATE jobs SET status = 'CANCELLED', due_at = NULL, ended_at = now() WHERE tenant_id = ",
        )
        .bind(tx.tenant())
        .push(" AND schedule_id = ")
        .bind(schedule)
        .push(" AND status = 'QUEUED'");
        tx.execute(sql).await?;
    }
    Ok(())
}

/// Puts the occurrence after one that was just taken into the queue. Whether the one that was taken is to be left out,
/// because it comes too late.
///
/// # Errors
/// The database.
pub(super) async fn plan_next(tx: &mut Tx, claim: &Claim) -> Result<bool> {
    let (Some(id), Some(planned)) = (claim.schedule_id, claim.planned_for) else {
        return Ok(false);
    };
    // It is planned when it is taken for the first time.
    if claim.fence > 1 {
        return Ok(false);
    }
    let sql = Sql::new(SELECT)
        .bind(tx.tenant())
        .push(" AND s.schedule_id = ")
        .bind(id);
    // It may have been taken away since.
    let Some(Planned { schedule, now }) = tx.optional(sql).await? else {
        return Ok(false);
    };
    match schedule.next(planned, now) {
        Ok(Some(next)) => schedule.enqueue(tx, next).await?,
        Ok(None) => tracing::warn!(schedule = %id, "a schedule has no next occurrence"),
        // It was read when it was set; other jobs of the tenant must not wait for it.
        Err(error) => tracing::error!(schedule = %id, %error, "a schedule can't be read any more"),
    }
    Ok(schedule.leaves_out(now - planned))
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct Schedule {
    schedule_id: Uuid,
    kind: String,
    arguments: Json,
    cron: String,
    time_zone: String,
    missed: String,
    author: String,
    visible_to: String,
}

#[derive(sqlx::FromRow)]
struct Planned {
    #[sqlx(flatten)]
    schedule: Schedule,
    now: DateTime<Utc>,
}

impl Schedule {
    fn says_the_same(&self, other: &Self) -> bool {
        let of = |schedule: &Self| {
            let Schedule {
                kind,
                arguments,
                cron,
                time_zone,
                missed,
                author,
                ..
            } = schedule.clone();
            (kind, arguments, cron, time_zone, missed, author)
        };
        of(self) == of(other)
    }

    /// The occurrence after one that was planned and is taken now.
    fn next(&self, planned: DateTime<Utc>, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
        let timetable = Timetable::parse(&self.cron, &self.time_zone)?;
        Ok(match Missed::stored(&self.missed) {
            Missed::All => timetable.next_after(planned),
            Missed::Skip => timetable.next_after(now.max(planned)),
            // The one that is taken stands for all that were missed, unless later ones were missed as well.
            Missed::Once => timetable
                .last_until(planned, now)
                .or_else(|| timetable.next_after(now.max(planned))),
        })
    }

    /// Whether an occurrence that is taken so late is left out.
    fn leaves_out(&self, late: TimeDelta) -> bool {
        Missed::stored(&self.missed) == Missed::Skip && late > GRACE
    }

    async fn insert(&self, tx: &mut Tx, name: &str) -> Result<()> {
        let sql = Sql::new(
            "INSERT INTO job_schedules (tenant_id, schedule_id, name, kind, arguments, cron, time_zone, missed, author, \
             visible_to, created_at)",
        );
        let (tenant, now) = (tx.tenant(), tx.now());
        let sql = sql.rows([self.clone()], |mut row, schedule| {
            row.bind(tenant)
                .bind(schedule.schedule_id)
                .bind(name.to_owned())
                .bind(schedule.kind)
                .bind(schedule.arguments)
                .bind(schedule.cron)
                .bind(schedule.time_zone)
                .bind(schedule.missed)
                .bind(schedule.author)
                .bind(schedule.visible_to)
                .bind(now);
        });
        tx.execute(sql).await?;
        Ok(())
    }

    async fn enqueue(&self, tx: &mut Tx, at: DateTime<Utc>) -> Result<()> {
        let request = format!("schedule-{}", self.schedule_id.simple());
        let new = NewJob {
            id: JobId::from_uuid(mint()),
            kind: &self.kind,
            arguments: self.arguments.clone(),
            unique_key: Some(format!(
                "schedule:{}:{}",
                self.schedule_id.simple(),
                at.timestamp()
            )),
            due: (Some(at), Duration::ZERO),
            author: self.author.clone(),
            visible_to: self.visible_to.clone(),
            request_id: request,
            schedule: Some((self.schedule_id, at)),
        };
        queue::insert(tx, new).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("an instant")
    }

    #[test]
    fn what_was_missed_is_left_out_done_once_or_each() {
        let schedule = |missed: Missed| Schedule {
            schedule_id: Uuid::nil(),
            kind: "test".to_owned(),
            arguments: Json::Null,
            cron: "0 9 * * *".to_owned(),
            time_zone: "UTC".to_owned(),
            missed: missed.word().to_owned(),
            author: "system:test".to_owned(),
            visible_to: String::new(),
        };
        let planned = at("2027-01-01T09:00:00Z");
        let next = |missed, now| {
            schedule(missed)
                .next(planned, at(now))
                .expect("a timetable")
        };
        let late = "2027-01-04T10:00:00Z";
        assert_eq!(next(Missed::Skip, late), Some(at("2027-01-05T09:00:00Z")));
        assert_eq!(next(Missed::Once, late), Some(at("2027-01-04T09:00:00Z")));
        assert_eq!(next(Missed::All, late), Some(at("2027-01-02T09:00:00Z")));
        for missed in [Missed::Skip, Missed::Once, Missed::All] {
            let in_time = next(missed, "2027-01-01T09:00:01Z");
            assert_eq!(in_time, Some(at("2027-01-02T09:00:00Z")), "{missed:?}");
        }
        let leaves_out = |missed, late| schedule(missed).leaves_out(late);
        assert!(leaves_out(Missed::Skip, TimeDelta::hours(1)));
        assert!(!leaves_out(Missed::Skip, TimeDelta::seconds(1)));
        assert!(!leaves_out(Missed::Once, TimeDelta::hours(1)));
    }
}
