//! Jobs: what is put into the queue is done, by whom and with what rights, and nothing of it twice.

mod operating;
mod probe;
mod repeated;
mod scheduled;
mod watched;

use std::time::Duration;

use dealgraph::{
    db::journal::Origin,
    jobs::{When, enqueue},
    organization::members::reassignment,
};
use serde_json::{Value, json};
use sqlx::Row as _;

use self::probe::{
    Act, Probe, Single, Working, census, ended, jobs, probe, put, put_at, quick, until,
};
use crate::harness::{A, B, Side, Who, World, test};

/// How many products of a name there are.
async fn products(world: &World, name: &str) -> i64 {
    let row = sqlx::query("SELECT count(*) FROM products WHERE name = $1").bind(name.to_owned());
    let row = row.fetch_one(&mut world.database.superuser().await).await;
    row.expect("products can be counted").get(0)
}

async fn arrange(world: &World, sql: &'static str) -> u64 {
    let mut superuser = world.database.superuser().await;
    let done = sqlx::query(sql).execute(&mut superuser);
    done.await.expect("a test can arrange rows").rows_affected()
}

async fn call(world: &World, who: (Side, Who), verb: &str, id: &Value) -> Value {
    let document = format!(
        "mutation($id: ID!) {{ {verb}(input: {{ id: $id }}) {{ job {{ status }} userErrors {{ code }} }} }}"
    );
    let client = world.member(who.0, who.1);
    let answer = client.query_with(&document, json!({ "id": id })).await;
    answer[verb].clone()
}

#[test]
fn a_job_is_done_once_in_the_name_of_who_caused_it_and_only_they_and_admins_see_it() {
    test(async |world| {
        let work = Working::begin(world, quick()).await;
        put(
            world,
            A,
            Who::Admin,
            &probe(Act::Create("Wanted".to_owned())),
        )
        .await;
        put(world, A, Who::Rep, &probe(Act::Nothing(1))).await;
        let done = ended(world, A, Who::Admin).await;
        assert_eq!(census(&done)["SUCCEEDED"], 2, "{done:#?}");
        assert_eq!(
            done[0]["author"],
            json!({ "kind": "USER", "user": { "id": A.user(Who::Admin) } })
        );
        assert!(
            done[0]["result"]["product"]
                .as_str()
                .is_some_and(|id| id.starts_with("product:"))
        );
        assert_eq!(products(world, "Wanted").await, 1);
        let own = jobs(world, A, Who::Rep).await;
        assert_eq!(own.len(), 1, "a person sees the jobs they caused: {own:#?}");
        assert_eq!(
            (
                jobs(world, A, Who::Manager).await,
                jobs(world, B, Who::Admin).await
            ),
            (vec![], vec![])
        );
        for who in [(A, Who::Rep), (B, Who::Admin)] {
            let read = world.member(who.0, who.1);
            let read = read.query_with(
                "query($id: ID!) { job(id: $id) { kind } }",
                json!({ "id": done[0]["id"] }),
            );
            assert_eq!(read.await["job"], Value::Null);
            let refused = call(world, who, "jobCancel", &done[0]["id"]).await;
            assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
        }
        let begun = work.seen.begun();
        let admin = A.user(Who::Admin).to_string();
        assert_eq!(
            begun.iter().filter(|(author, _)| *author == admin).count(),
            1
        );
        work.end().await;
    });
}

#[test]
fn a_job_whose_cause_was_rolled_back_is_none_and_of_one_key_there_is_one() {
    test(async |world| {
        let (actor, origin) = (A.actor(Who::Admin), Origin::process("rolled-back"));
        let given_up = world.db.write(&actor, &origin, async |tx| {
            enqueue(tx, &probe(Act::Nothing(1)), When::Now).await?;
            Err::<(), _>(dealgraph::base::error::Error::Collided)
        });
        assert!(given_up.await.is_err());
        assert_eq!(jobs(world, A, Who::Admin).await, [json!(null); 0]);
        let keyed = Probe {
            act: Act::Nothing(2),
            key: Some("one".to_owned()),
        };
        for _ in 0..3 {
            put(world, A, Who::Admin, &keyed).await;
        }
        put(world, B, Who::Admin, &keyed).await;
        assert_eq!(jobs(world, A, Who::Admin).await.len(), 1);
        let work = Working::begin(world, quick()).await;
        ended(world, A, Who::Admin).await;
        put(world, A, Who::Admin, &keyed).await;
        let again = until(world, (A, Who::Admin), |jobs| jobs.len() == 2).await;
        assert_eq!(again.len(), 2, "one that has ended leaves its place");
        ended(world, A, Who::Admin).await;
        work.end().await;
    });
}

#[test]
fn what_fails_is_tried_again_and_then_waits_for_somebody_to_have_it_tried() {
    test(async |world| {
        let work = Working::begin(world, quick()).await;
        for act in [Act::Fail(2), Act::Fail(9), Act::Refuse, Act::Panic] {
            put(world, A, Who::Admin, &probe(act)).await;
        }
        let done = ended(world, A, Who::Admin).await;
        let of = |n: usize| {
            let code = done[n]["error"]["code"].as_str().map(str::to_owned);
            (
                done[n]["status"].as_str().unwrap_or_default().to_owned(),
                done[n]["attempts"].clone(),
                code,
            )
        };
        let failed = |attempts: i32, code: &str| {
            ("FAILED".to_owned(), json!(attempts), Some(code.to_owned()))
        };
        assert_eq!(of(0), ("SUCCEEDED".to_owned(), json!(3), None));
        assert_eq!(
            (of(1), of(2), of(3)),
            (
                failed(3, "NOT_YET"),
                failed(1, "NEVER"),
                failed(3, "PANICKED")
            )
        );
        assert!(
            !done[3].to_string().contains("a job that panics"),
            "what a panic says is the log's"
        );
        let retried = call(world, (A, Who::Admin), "jobRetry", &done[1]["id"]).await;
        assert_eq!(
            retried,
            json!({ "job": { "status": "QUEUED" }, "userErrors": [] })
        );
        let again = call(world, (A, Who::Admin), "jobRetry", &done[0]["id"]).await;
        assert_eq!(
            again["userErrors"][0]["code"], "NOT_FOUND",
            "what succeeded is not done again"
        );
        until(world, (A, Who::Admin), |jobs| {
            jobs[1]["status"] == "FAILED" && jobs[1]["attempts"] == 3
        })
        .await;
        assert_eq!(work.seen.begun().len(), 3 + 3 + 1 + 3 + 3);
        work.end().await;
    });
}

#[test]
fn a_job_is_ended_by_whoever_caused_it_while_it_waits_and_while_it_runs() {
    test(async |world| {
        put_at(
            world,
            (A, Who::Rep),
            &probe(Act::Nothing(1)),
            When::After(Duration::from_secs(3_600)),
        )
        .await;
        let waiting = jobs(world, A, Who::Rep).await;
        let cancelled = call(world, (A, Who::Rep), "jobCancel", &waiting[0]["id"]).await;
        assert_eq!(cancelled["job"]["status"], "CANCELLED");
        // It looks after its jobs every third of the lease.
        let settings = dealgraph::jobs::WorkerSettings {
            lease: Duration::from_millis(600),
            ..quick()
        };
        let work = Working::begin(world, settings).await;
        put(world, A, Who::Rep, &probe(Act::Wait)).await;
        let running = until(world, (A, Who::Rep), |jobs| jobs[1]["status"] == "RUNNING").await;
        let asked = call(world, (A, Who::Rep), "jobCancel", &running[1]["id"]).await;
        assert_eq!(
            asked["job"]["status"], "RUNNING",
            "it ends as soon as it can"
        );
        let done = ended(world, A, Who::Rep).await;
        assert_eq!(done[1]["result"], "was asked to end");
        assert!(!done[1]["cancelRequestedAt"].is_null());
        work.end().await;
        let audited =
            "{ auditLog(filter: { action: { startsWith: \"job.\" } }) { nodes { action } } }";
        let audited = world.a(Who::Admin).query(audited).await;
        assert_eq!(
            audited["auditLog"]["nodes"].as_array().map(Vec::len),
            Some(2),
            "{audited}"
        );
    });
}

#[test]
fn rights_are_those_of_the_time_when_it_runs() {
    test(async |world| {
        put(
            world,
            A,
            Who::Rep,
            &probe(Act::Create("By a rep".to_owned())),
        )
        .await;
        put(world, A, Who::Manager, &probe(Act::Nothing(1))).await;
        let suspend = "UPDATE memberships SET status = 'SUSPENDED' WHERE user_id = $1";
        let suspended =
            sqlx::query(suspend).bind(dealgraph::base::ids::Typed::uuid(A.user(Who::Manager)));
        suspended
            .execute(&mut world.database.superuser().await)
            .await
            .expect("a member can be suspended");
        let work = Working::begin(world, quick()).await;
        let done = ended(world, A, Who::Admin).await;
        let codes: Vec<_> = done
            .iter()
            .map(|job| job["error"]["code"].as_str().unwrap_or(""))
            .collect();
        assert_eq!(codes, ["FORBIDDEN", "ACTOR_GONE"], "{done:#?}");
        assert_eq!(census(&done)["FAILED"], 2);
        assert_eq!(products(world, "By a rep").await, 0);
        work.end().await;
    });
}

#[test]
fn a_worker_that_was_thought_dead_writes_nothing_when_it_comes_back() {
    test(async |world| {
        let first = Working::begin(world, quick()).await;
        put(world, A, Who::Admin, &probe(Act::Hold("Held".to_owned()))).await;
        until(world, (A, Who::Admin), |jobs| {
            jobs[0]["progress"]["done"] == 1
        })
        .await;
        // What the database's clock says when a process was stopped for longer than its lease.
        assert_eq!(arrange(world, "UPDATE jobs SET due_at = now() - interval '1 s' WHERE status = 'RUNNING' AND kind = 'test.probe'").await, 1);
        arrange(world, "UPDATE job_queues SET due_at = now()").await;
        let second = Working::begin(world, quick()).await;
        until(world, (A, Who::Admin), |_| {
            second.seen.begun().len() + first.seen.begun().len() == 2
        })
        .await;
        // Whichever of both took it again: the attempt that has the newer fence ends it.
        first.seen.go_on.notify_waiters();
        second.seen.go_on.notify_waiters();
        let done = until(world, (A, Who::Admin), |jobs| {
            first.seen.go_on.notify_waiters();
            second.seen.go_on.notify_waiters();
            !jobs[0]["endedAt"].is_null()
        })
        .await;
        assert_eq!(
            (&done[0]["status"], &done[0]["attempts"]),
            (&json!("SUCCEEDED"), &json!(2))
        );
        first.end().await;
        second.end().await;
        assert_eq!(
            products(world, "Held").await,
            1,
            "the first attempt was too late"
        );
    });
}

#[test]
fn what_a_killed_server_leaves_is_done_by_another_and_no_more_often_than_it_may() {
    test(async |world| {
        put(
            world,
            A,
            Who::Admin,
            &probe(Act::Create("After all".to_owned())),
        )
        .await;
        put(
            world,
            A,
            Who::Admin,
            &probe(Act::Create("Poison".to_owned())),
        )
        .await;
        let killed = "UPDATE jobs SET status = 'RUNNING', fence = 1, started_at = now(), due_at = now() - interval '1 s', \
                      attempts = CASE WHEN arguments::text LIKE '%Poison%' THEN 3 ELSE 1 END WHERE kind = 'test.probe'";
        assert_eq!(arrange(world, killed).await, 2);
        let work = Working::begin(world, quick()).await;
        let done = ended(world, A, Who::Admin).await;
        assert_eq!(
            (&done[0]["status"], &done[0]["attempts"]),
            (&json!("SUCCEEDED"), &json!(2))
        );
        assert_eq!(done[1]["error"]["code"], "WORKER_LOST");
        assert_eq!(
            (
                products(world, "After all").await,
                products(world, "Poison").await
            ),
            (1, 0)
        );
        work.end().await;
    });
}

#[test]
fn a_tenant_with_many_jobs_delays_nobody_and_a_kind_runs_no_more_often_than_it_may() {
    test(async |world| {
        let many = "INSERT INTO jobs (tenant_id, job_id, kind, arguments, due_at, author, visible_to, request_id, created_at) \
                    SELECT $1, gen_random_uuid(), 'test.probe', \
                    '{\"act\": {\"Nothing\": 1}, \"key\": null}', now() - interval '1 min', 'system:test', '', 'many', now() \
                    FROM generate_series(1, 3000)";
        let arranged = sqlx::query(many).bind(dealgraph::base::ids::Typed::uuid(A.tenant()));
        let mut superuser = world.database.superuser().await;
        let arranged = arranged.execute(&mut superuser);
        arranged.await.expect("jobs can be arranged");
        for n in 0..6 {
            put(world, A, Who::Admin, &Single(n)).await;
        }
        put(world, B, Who::Admin, &probe(Act::Nothing(1))).await;
        let (one, other) = (
            Working::begin(world, quick()).await,
            Working::begin(world, quick()).await,
        );
        ended(world, B, Who::Admin).await;
        let left = sqlx::query("SELECT count(*) FROM jobs WHERE due_at IS NOT NULL");
        let left = left
            .fetch_one(&mut world.database.superuser().await)
            .await
            .expect("a count");
        assert!(
            left.get::<i64, _>(0) > 1_000,
            "the other tenant's single job does not wait for all of them"
        );
        arrange(
            world,
            "UPDATE jobs SET status = 'CANCELLED', due_at = NULL, ended_at = now() \
                        WHERE status = 'QUEUED' AND kind = 'test.probe'",
        )
        .await;
        until(world, (A, Who::Admin), |jobs| {
            jobs.iter()
                .all(|job| job["kind"] != "test.single" || !job["endedAt"].is_null())
        })
        .await;
        let most = one.seen.most_together().max(other.seen.most_together());
        assert_eq!(most, 1, "one at a time on both servers together");
        one.end().await;
        other.end().await;
    });
}

#[test]
fn the_jobs_of_a_suspended_tenant_wait_and_old_ones_are_forgotten() {
    test(async |world| {
        arrange(world, "UPDATE tenant_seq SET open = false").await;
        put(world, A, Who::Admin, &probe(Act::Nothing(1))).await;
        let work = Working::begin(world, quick()).await;
        // Time for some looks.
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(work.seen.begun(), []);
        arrange(world, "UPDATE tenant_seq SET open = true").await;
        ended(world, A, Who::Admin).await;
        assert_eq!(
            dealgraph::jobs::forget(&world.db)
                .await
                .expect("it can forget"),
            0
        );
        arrange(
            world,
            "UPDATE jobs SET ended_at = now() - interval '15 days' WHERE kind = 'test.probe'",
        )
        .await;
        assert_eq!(
            dealgraph::jobs::forget(&world.db)
                .await
                .expect("it can forget"),
            1
        );
        assert_eq!(jobs(world, A, Who::Admin).await, [json!(null); 0]);
        work.end().await;
    });
}

#[test]
fn a_member_whom_a_server_of_before_has_begun_to_move_is_moved_by_a_job() {
    test(async |world| {
        let begun = "UPDATE memberships SET moving = true, updated_at = now() - interval '1 min' WHERE user_id = $1";
        let begun =
            sqlx::query(begun).bind(dealgraph::base::ids::Typed::uuid(A.user(Who::OtherRep)));
        let mut superuser = world.database.superuser().await;
        begun
            .execute(&mut superuser)
            .await
            .expect("a member can be arranged");
        for _ in 0..2 {
            assert_eq!(
                reassignment::adopt(&world.db)
                    .await
                    .expect("they are found"),
                1
            );
        }
        let jobs = "SELECT count(*), bool_and(author = 'system:members.reassign_records') FROM jobs WHERE kind LIKE 'members.%'";
        let jobs = sqlx::query(jobs)
            .fetch_one(&mut superuser)
            .await
            .expect("jobs can be counted");
        assert_eq!((jobs.get::<i64, _>(0), jobs.get::<bool, _>(1)), (1, true));
        // The server of the world does it.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let moving = sqlx::query("SELECT count(*) FROM memberships WHERE moving");
            let moving = moving
                .fetch_one(&mut superuser)
                .await
                .expect("they can be counted");
            if moving.get::<i64, _>(0) == 0 {
                break;
            }
            assert!(tokio::time::Instant::now() < deadline, "nobody moved them");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}
