//! The sums of a pipeline are sent when, and only when, they change, and worked out once for all who see the same.

use serde_json::{Value, json};

use super::{Socket, act, deal, rename};
use crate::harness::{A, Who, World, global_id, test};

const STATS: &str = "subscription($id: ID!) { pipelineStats(pipelineId: $id) {
    open { count sums { amount { amountMinor currency } weightedAmount { amountMinor } } } won { count }
    stages { stage { id } totals { count } } } }";

fn pipeline() -> Value {
    json!({ "id": global_id("pipeline", A.uuid("pipeline", 1)) })
}

#[test]
fn totals_are_sent_when_they_change_and_only_then() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let mut socket = Socket::open(&world.a(Who::Analyst)).await;
        socket.ask("1", STATS, pipeline()).await;
        let first = socket.event("1").await;
        assert_eq!(
            first["open"],
            json!({ "count": 5, "sums": [{ "amount": { "amountMinor": 15000, "currency": "EUR" },
                                           "weightedAmount": { "amountMinor": 7500 } }] })
        );
        assert_eq!(first["won"]["count"], 0);
        rename(&admin, 1, "It counts the same").await;
        assert!(socket.is_silent().await, "nothing changed in it");
        act(&admin, "opportunityWin", json!({ "id": deal(1) })).await;
        let second = socket.event("1").await;
        assert_eq!(
            (&second["open"]["count"], &second["won"]["count"]),
            (&json!(4), &json!(1))
        );
        let asked = STATS.replace("subscription", "query");
        let queried = admin.query_with(&asked, pipeline()).await;
        assert_eq!(queried["pipelineStats"], second);
    });
}

#[test]
fn every_member_gets_the_sums_of_what_they_see() {
    test(async |world: &World| {
        let mut counts = Vec::new();
        for who in [Who::Analyst, Who::Manager, Who::Rep, Who::Auditor] {
            let mut socket = Socket::open(&world.a(who)).await;
            socket.ask("1", STATS, pipeline()).await;
            let first = socket.event("1").await;
            let sums = first["open"]["sums"].as_array().map_or(0, Vec::len);
            counts.push((who, first["open"]["count"].as_i64().unwrap_or(-1), sums));
        }
        assert_eq!(
            counts,
            [
                (Who::Analyst, 5, 1),
                (Who::Manager, 2, 1),
                (Who::Rep, 2, 1),
                (Who::Auditor, 5, 0)
            ]
        );
        let mut rep = Socket::open(&world.a(Who::Rep)).await;
        let foreign = json!({ "id": global_id("pipeline", crate::harness::B.uuid("pipeline", 1)) });
        rep.ask("1", STATS, foreign).await;
        assert_eq!(rep.failure("1").await.0, "NOT_FOUND");
    });
}

#[test]
fn what_a_class_watches_costs_the_same_for_one_and_for_many() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let events = "subscription { opportunityEvents { kind opportunity { id name owner { name } stage { name } } } }";
        let mut costs = Vec::new();
        let mut sockets = Vec::new();
        for many in [1, 20] {
            while sockets.len() < many {
                let who = if sockets.len() % 2 == 0 {
                    Who::Analyst
                } else {
                    Who::Viewer
                };
                let who = if sockets.is_empty() {
                    Who::Analyst
                } else {
                    who
                };
                // Viewers and analysts have roles of different names, so they are two classes.
                let who = if many == 20 && sockets.len() < 10 {
                    Who::Analyst
                } else {
                    who
                };
                let mut socket = Socket::open(&world.a(who)).await;
                socket.subscribe("1", events, json!({})).await;
                sockets.push(socket);
            }
            let ((), statements) = world
                .statements
                .during(async {
                    rename(&admin, 1, &format!("Sent to {many}")).await;
                    for socket in &mut sockets {
                        assert_eq!(
                            socket.event("1").await["opportunity"]["name"],
                            format!("Sent to {many}")
                        );
                    }
                })
                .await;
            let reads = statements.iter().filter(|sql| {
                sql.contains(
                    "FROM opportunities t WHERE t.tenant_id = $1 AND t.opportunity_id IN (",
                )
            });
            costs.push(reads.count());
        }
        assert_eq!(
            costs,
            [1, 2],
            "a deal is read once for each class that watches it"
        );
    });
}
