//! Services that fail: nothing is lost, nothing is asked too often, and the account says how it is.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{arrange, connected, count, counts, done, fill, ran, runs, seen, synced, until};
use crate::{
    defaults::served::Served,
    harness::{A, Who, providers, test},
};

const ADMIN: (crate::harness::Side, Who) = (A, Who::Admin);

/// What is due after a pause is due now.
const NOW: &str = "UPDATE jobs SET due_at = now() WHERE kind = 'integrations.sync' AND status = 'QUEUED'; \
    UPDATE job_queues SET due_at = now() WHERE tenant_id IN (SELECT tenant_id FROM jobs WHERE kind = 'integrations.sync')";

#[test]
fn a_service_that_is_out_of_order_is_asked_again_later_and_the_account_says_so() {
    test(async |world| {
        fill(world, 150);
        world.rolodex.inner().answers = vec![(200, None), (503, None)];
        // The first answer is no page at all.
        let id = connected(world, ADMIN, "rolodex").await;
        let first = ran(world, &id, 1).await.remove(0);
        assert_eq!(
            (&first["status"], &first["errorCode"]),
            (&json!("FAILED"), &json!("ANSWER_UNREADABLE"))
        );
        assert!(first["nextAttemptAt"].is_string());
        let failing = seen(world, ADMIN, &id).await;
        assert_eq!(failing["health"]["state"], "FAILING");
        assert_eq!(failing["streams"][0]["failures"], 1);
        arrange(world, NOW).await;
        let second = ran(world, &id, 2).await.remove(1);
        assert_eq!(
            (&second["status"], &second["errorCode"], &second["trigger"]),
            (&json!("FAILED"), &json!("SERVICE_FAILED"), &json!("RETRY"))
        );
        arrange(world, NOW).await;
        let third = ran(world, &id, 3).await.remove(2);
        assert_eq!(counts(&third), json!({ "read": 150, "created": 150 }));
        let healthy = seen(world, ADMIN, &id).await;
        assert_eq!(
            healthy["health"],
            json!({ "state": "HEALTHY", "since": null, "errorCode": null })
        );
    });
}

#[test]
fn a_service_that_wants_a_pause_gets_it_from_all_servers() {
    test(async |world| {
        fill(world, 150);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.inner().answers = vec![(429, Some(600))];
        let asked = world.rolodex.asked("people");
        done(
            world,
            ADMIN,
            "integrationSync",
            json!({ "id": id, "mode": "FULL" }),
        )
        .await;
        let paused = until(world, &id, |now| {
            let stream = &now["streams"][0];
            let next = stream["nextAt"]
                .as_str()
                .and_then(|next| next.parse::<DateTime<Utc>>().ok());
            let soon = DateTime::<Utc>::from(SystemTime::now()) + TimeDelta::minutes(5);
            stream["running"] == true && next.is_some_and(|next| next > soon)
        })
        .await;
        assert_eq!(paused["health"]["state"], "HEALTHY", "it goes on by itself");
        let all = runs(world, &id).await;
        assert_eq!(
            (&all[1]["status"], all[1]["nextAttemptAt"].is_string()),
            (&json!("RUNNING"), true)
        );
        // Whoever wants it sooner waits too.
        done(world, ADMIN, "integrationSync", json!({ "id": id })).await;
        arrange(world, NOW).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(
            world.rolodex.asked("people"),
            asked + 1,
            "it was left alone"
        );
    });
}

#[test]
fn a_budget_is_not_exceeded() {
    test(async |world| {
        fill(world, 1_000);
        // It takes six requests at once, of which one says whose account it is, and one more each hour.
        let id = connected(world, ADMIN, "thrifty").await;
        for _ in 0..100 {
            let all = runs(world, &id).await;
            if all
                .first()
                .is_some_and(|run| run["nextAttemptAt"].is_string())
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for _ in 0..5 {
            arrange(world, NOW).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        assert_eq!(world.rolodex.asked("people"), 5);
        let run = runs(world, &id).await.remove(0);
        assert_eq!(
            (&run["status"], counts(&run)),
            (&json!("RUNNING"), json!({ "read": 500, "created": 500 }))
        );
    });
}

#[test]
fn a_service_that_has_forgotten_how_far_it_was_read_is_read_anew() {
    test(async |world| {
        fill(world, 30);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.put("new", "Brand", "New", None);
        world.rolodex.inner().known_from = 31;
        let run = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(
            (&run["mode"], &run["status"]),
            (&json!("FULL"), &json!("SUCCEEDED"))
        );
        assert_eq!(
            counts(&run),
            json!({ "read": 31, "created": 1, "unchanged": 30 })
        );
    });
}

#[test]
fn a_service_whose_pages_never_end_is_not_followed_for_ever() {
    test(async |world| {
        fill(world, 1);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.inner().repeats = true;
        let run = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(
            (&run["status"], &run["errorCode"]),
            (&json!("FAILED"), &json!("ANSWER_UNREADABLE"))
        );
    });
}

#[test]
fn tokens_that_end_soon_are_refreshed_by_one_at_a_time_whoever_works() {
    test(async |world| {
        // Each token ends before it would be used again, and each refresh token is good once.
        world.rolodex.inner().lasts_s = 61;
        let tokens = std::sync::Arc::clone(&world.tokens);
        let other = Served::knowing(&world.database, tokens, providers(&world.rolodex.url)).await;
        fill(world, 120);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.inner().lasts_s = 1;
        world.rolodex.end_access();
        for n in 0..6 {
            // One reads there while the other writes.
            let made = format!(
                "mutation {{ contactCreate(input: {{ firstName: \"A\", lastName: \"B{n}\",
                 contactMethods: [{{ kind: EMAIL, value: \"b{n}@rolo.example\" }}] }}) {{ contact {{ id }} }} }}"
            );
            world.a(Who::Admin).query(&made).await;
            world.rolodex.put(&format!("x{n}"), "X", "Y", None);
            let run = synced(world, &id, "INCREMENTAL").await;
            assert_eq!(run["status"], "SUCCEEDED", "{run}");
        }
        let now = seen(world, ADMIN, &id).await;
        assert_eq!(now["status"], "ACTIVE", "nobody locked anybody out");
        assert!(world.rolodex.asked("refresh") >= 6, "they were refreshed");
        other.stop().await;
    });
}

#[test]
fn an_access_token_that_the_service_ends_early_is_replaced_without_a_word() {
    test(async |world| {
        fill(world, 3);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.end_access();
        let run = synced(world, &id, "FULL").await;
        assert_eq!(
            (&run["status"], counts(&run)),
            (&json!("SUCCEEDED"), json!({ "read": 3, "unchanged": 3 }))
        );
        assert_eq!(world.rolodex.asked("refresh"), 1);
    });
}

#[test]
fn what_an_account_authenticates_with_is_nowhere_to_be_seen() {
    test(async |world| {
        world.secrets.add("rolo-access-");
        world.secrets.add("rolo-refresh-");
        world.secrets.add("rolo-code-");
        fill(world, 3);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.end_access();
        synced(world, &id, "FULL").await;
        // The world looks for them at its end, in every table, line and error; here that they are there to be found.
        let sealed = count(
            world,
            "SELECT count(*) FROM integrations WHERE octet_length(credentials) > 50",
        )
        .await;
        assert_eq!(sealed, 1);
        let shown = seen(world, ADMIN, &id).await;
        assert_ne!(shown, Value::Null);
    });
}
