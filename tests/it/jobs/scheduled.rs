//! Schedules: each occurrence is planned by one server, whatever dies.

use dealgraph::{
    db::journal::Origin,
    jobs::schedules::{self, Missed, Timetable},
};
use sqlx::Row as _;

use super::{
    arrange,
    probe::{Act, Working, census, jobs, probe, quick, until},
};
use crate::harness::{A, Who, World, test};

async fn set(world: &World, cron: &str, missed: Missed) {
    let (actor, origin) = (A.actor(Who::Admin), Origin::process("schedule"));
    let timetable = Timetable::parse(cron, "Europe/Berlin").expect("a timetable");
    let set = world.db.write(&actor, &origin, async |tx| {
        schedules::set(tx, "report", &probe(Act::Nothing(1)), &timetable, missed).await
    });
    set.await.expect("a schedule can be set");
}

async fn planned(world: &World) -> Vec<(String, bool)> {
    let rows = sqlx::query("SELECT status, planned_for > now() FROM jobs WHERE schedule_id IS NOT NULL ORDER BY planned_for, created_at")
        .fetch_all(&mut world.database.superuser().await)
        .await;
    let rows = rows.expect("jobs can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn queued() -> (String, bool) {
    ("QUEUED".to_owned(), true)
}

#[test]
fn an_occurrence_is_done_once_and_the_next_planned_with_it() {
    test(async |world| {
        set(world, "0 9 * * *", Missed::Once).await;
        set(world, "0 9 * * *", Missed::Once).await;
        assert_eq!(
            planned(world).await,
            [queued()],
            "the same again changes nothing"
        );
        // Three days in which no worker was there.
        arrange(world, "UPDATE jobs SET planned_for = planned_for - interval '4 days', due_at = due_at - interval '4 days', unique_key = 'earlier' WHERE schedule_id IS NOT NULL").await;
        arrange(world, "UPDATE job_queues SET due_at = now()").await;
        let (one, other) = (
            Working::begin(world, quick()).await,
            Working::begin(world, quick()).await,
        );
        // The one that was taken, the last of those that were missed, and the one to come.
        let jobs = until(world, (A, Who::Admin), |jobs| {
            jobs.len() == 3 && census(jobs).get("SUCCEEDED") == Some(&2)
        })
        .await;
        assert_eq!(census(&jobs)["SUCCEEDED"], 2, "{jobs:#?}");
        assert_eq!(planned(world).await.last(), Some(&queued()));
        assert_eq!(one.seen.begun().len() + other.seen.begun().len(), 2);
        one.end().await;
        other.end().await;
    });
}

#[test]
fn what_is_left_out_is_not_done_and_a_schedule_that_is_taken_away_plans_nothing() {
    test(async |world| {
        set(world, "0 9 * * *", Missed::Skip).await;
        arrange(world, "UPDATE jobs SET planned_for = planned_for - interval '2 days', due_at = due_at - interval '2 days', unique_key = 'earlier' WHERE schedule_id IS NOT NULL").await;
        arrange(world, "UPDATE job_queues SET due_at = now()").await;
        let work = Working::begin(world, quick()).await;
        let left_out =
            |jobs: &[serde_json::Value]| jobs.len() == 2 && jobs[0]["status"] == "CANCELLED";
        until(world, (A, Who::Admin), left_out).await;
        assert_eq!(work.seen.begun(), []);
        set(world, "30 9 * * *", Missed::Skip).await;
        let replaced = census(&jobs(world, A, Who::Admin).await);
        assert_eq!((replaced["QUEUED"], replaced["CANCELLED"]), (1, 2));
        let (actor, origin) = (A.actor(Who::Admin), Origin::process("schedule"));
        let removed = world.db.write(&actor, &origin, async |tx| {
            schedules::remove(tx, "report").await
        });
        removed.await.expect("a schedule can be taken away");
        assert_eq!(census(&jobs(world, A, Who::Admin).await)["CANCELLED"], 3);
        work.end().await;
    });
}
