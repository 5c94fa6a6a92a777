//! The due list: what is overdue, due today or later, where days are those of the tenant's own time zone.

use chrono::{DateTime, TimeDelta, Utc};
use dealgraph::base::ids::{OpportunityId, Typed as _};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::{DEALS, new_deal};
use crate::{
    harness::{A, Client, Who, World, test},
    records::{arrange, uuid_of},
};

const ZONES: [&str; 4] = [
    "Pacific/Auckland",
    "America/Los_Angeles",
    "Asia/Kolkata",
    "Atlantic/Reykjavik",
];
const BUCKETS: [&str; 3] = ["overdue", "today", "upcoming"];

/// All deals of a part of the due list, by pages of three from its front; from its back they are the same.
async fn walk(client: &Client<'_>, scope: &str, bucket: &str) -> Vec<Value> {
    let ids = walk_from(client, (scope, bucket), true).await;
    let mut back = walk_from(client, (scope, bucket), false).await;
    back.reverse();
    assert_eq!(ids, back, "{scope} {bucket} from its back");
    ids
}

async fn walk_from(client: &Client<'_>, (scope, bucket): (&str, &str), front: bool) -> Vec<Value> {
    let (size, from, further, end) = match front {
        true => ("first", "after", "hasNextPage", "endCursor"),
        false => ("last", "before", "hasPreviousPage", "startCursor"),
    };
    let (mut ids, mut at) = (Vec::new(), String::new());
    loop {
        let document = format!(
            "{{ dueActions(scope: {scope}) {{ {bucket}({size}: 3{at}) {{ nodes {{ id }} totalCount pageInfo {{ {further} {end} }} }} }} }}"
        );
        let page = client.query(&document).await["dueActions"][bucket].clone();
        let nodes = page["nodes"].as_array().expect("nodes").iter();
        let mut here: Vec<_> = nodes.map(|node| node["id"].clone()).collect();
        if !front {
            here.reverse();
        }
        ids.extend(here);
        if page["pageInfo"][further] == json!(false) {
            assert_eq!(page["totalCount"], ids.len(), "{scope} {bucket}");
            return ids;
        }
        at = format!(", {from}: {}", page["pageInfo"][end]);
    }
}

/// When it is in a zone and when the day ends there, by Postgres' reckoning from the calendar, unless that is about to change.
async fn day_in(world: &World, zone: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let sql = format!(
        "SELECT now(), ((now() AT TIME ZONE '{zone}')::date + 1)::timestamp AT TIME ZONE '{zone}'"
    );
    let mut superuser = world.database.superuser().await;
    let (now, ends): (DateTime<Utc>, DateTime<Utc>) = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(&mut superuser)
        .await
        .expect("a known zone");
    (ends - now > TimeDelta::minutes(15)).then_some((now, ends))
}

#[test]
fn the_due_list_parts_by_the_days_of_the_tenant_for_me_my_team_and_all() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        arrange(world, "UPDATE opportunities SET next_action_at = NULL, next_action_kind = NULL, next_action_owner_id = NULL".to_owned()).await;
        // Of each owner as many deals as there are times below; the ids decide among equal times.
        let owners = [Who::Rep, Who::Manager, Who::OtherRep];
        let creations = (0..24).map(|n| {
            let owner = A.user(owners[n % 3]);
            let input = new_deal(json!({ "name": format!("Due {n}"), "ownerId": owner, "nextAction": { "at": "2027-01-01T00:00:00Z", "kind": "CALL" } }));
            let admin = &admin;
            async move { DEALS.done(admin, "Create", input).await["id"].clone() }
        });
        let deals = futures_util::future::join_all(creations).await;
        // Neither archived nor closed deals are due.
        DEALS
            .done(&admin, "Archive", json!({ "id": deals[23] }))
            .await;
        DEALS.done(&admin, "Win", json!({ "id": deals[22] })).await;

        let mut zones = 0;
        for zone in ZONES {
            let Some((now, ends)) = day_in(world, zone).await else {
                continue;
            };
            if zones == 2 {
                break;
            }
            zones += 1;
            let (minute, second, day) = (
                TimeDelta::minutes(1),
                TimeDelta::seconds(1),
                TimeDelta::days(1),
            );
            let times = [
                (now - day * 400, 0),
                (now - minute, 0),
                (now - minute, 0),
                (now + minute * 10, 1),
                (ends - second, 1),
                (ends, 2),
                (ends + second, 2),
                (ends + day * 9000, 2),
            ];
            let due: Vec<_> = deals[..22]
                .iter()
                .enumerate()
                .map(|(n, id)| (times[n / 3], owners[n % 3], id))
                .collect();
            let rows = due.iter().map(|((at, _), _, id)| {
                format!(
                    "('{}'::uuid, '{}'::timestamptz)",
                    uuid_of(id),
                    at.to_rfc3339()
                )
            });
            arrange(world, format!(
                "UPDATE tenants SET time_zone = '{zone}' WHERE tenant_id = '{}';
                 UPDATE opportunities t SET next_action_at = v.at FROM (VALUES {}) v (id, at) WHERE t.opportunity_id = v.id",
                A.tenant().uuid(), rows.collect::<Vec<_>>().join(", "))).await;

            let everyone = &owners[..];
            for (who, scope, whose) in [
                (Who::Rep, "MINE", &owners[..1]),
                (Who::Manager, "MINE", &owners[1..2]),
                (Who::Admin, "MINE", &[]),
                (Who::Rep, "TEAM", &owners[..1]),
                (Who::Manager, "TEAM", &owners[..2]),
                (Who::OtherRep, "TEAM", &owners[2..]),
                (Who::Rep, "ALL", &owners[..1]),
                (Who::Manager, "ALL", &owners[..2]),
                (Who::Viewer, "ALL", everyone),
            ] {
                for (n, bucket) in BUCKETS.into_iter().enumerate() {
                    let mut expected: Vec<_> = due
                        .iter()
                        .filter(|((_, part), owner, _)| *part == n && whose.contains(owner))
                        .map(|((at, _), _, id)| (*at, id.as_str(), *id))
                        .collect();
                    expected.sort_by_key(|(at, text, _)| (*at, *text));
                    let expected: Vec<Value> =
                        expected.into_iter().map(|(_, _, id)| id.clone()).collect();
                    assert_eq!(
                        walk(&world.a(who), scope, bucket).await,
                        expected,
                        "{zone} {who:?} {scope} {bucket}"
                    );
                }
            }
        }
        assert!(zones >= 2, "it can't be midnight everywhere");
    });
}

#[test]
fn an_action_of_another_member_is_theirs_and_a_page_that_makes_no_sense_is_refused() {
    test(async |world| {
        let (rep, admin) = (world.a(Who::Rep), world.a(Who::Admin));
        let id = json!(A.id::<OpportunityId>(1));
        assert_eq!(
            walk(&rep, "MINE", "overdue").await,
            std::slice::from_ref(&id)
        );
        DEALS.done(&rep, "SetNextAction", json!({ "id": id, "nextAction": { "at": "2026-01-01T00:00:00Z", "kind": "CALL", "ownerId": A.user(Who::Admin) } })).await;
        assert_eq!(walk(&rep, "MINE", "overdue").await, [] as [Value; 0]);
        assert_eq!(
            walk(&admin, "MINE", "overdue").await,
            std::slice::from_ref(&id)
        );
        DEALS
            .done(
                &rep,
                "SetNextAction",
                json!({ "id": id, "nextAction": null }),
            )
            .await;
        assert_eq!(walk(&admin, "MINE", "overdue").await, [] as [Value; 0]);
        for bad in ["first: -1", "first: 101", "first: 1, after: \"x\""] {
            let answer = admin
                .send(
                    &format!("{{ dueActions {{ today({bad}) {{ totalCount }} }} }}"),
                    json!({}),
                )
                .await;
            assert!(
                ["INVALID_PAGE", "INVALID_CURSOR", "BAD_USER_INPUT"].contains(&answer.code()),
                "{bad}: {}",
                answer.body
            );
        }
    });
}
