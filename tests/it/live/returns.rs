//! Coming back while things happen: what is read meanwhile must not be taken for all there is.

use serde_json::json;

use super::Socket;
use crate::harness::{A, Who, World, global_id, test};

const VERSIONS: &str = "subscription($filter: OpportunityFilter, $after: EventCursor) {
    opportunityEvents(filter: $filter, after: $after) { kind cursor version } }";
/// How often a deal is renamed.
const RENAMINGS: u64 = 120;
/// How far a subscriber who comes back is behind, and how much they listen to then.
const BEHIND: usize = 10;
const HEARD: u64 = 15;

#[test]
fn who_comes_back_while_much_happens_misses_nothing() {
    test(async |world: &World| {
        let admin = world.a(Who::Admin);
        let id = global_id("opportunity", A.uuid("opportunity", 1));
        // Others of the same rights are notified all the while, so that the log is being read whenever a subscriber joins.
        let mut usual = Socket::open(&admin).await;
        let began = usual.subscribe("usual", VERSIONS, json!({})).await;
        let write = async {
            let rename = "mutation($input: OpportunityUpdateInput!) { opportunityUpdate(input: $input) { userErrors { code } } }";
            for n in 0..RENAMINGS {
                let input = json!({ "id": id, "name": format!("Deal 1, {n}") });
                let answer = admin.query_with(rename, json!({ "input": input })).await;
                assert_eq!(answer["opportunityUpdate"]["userErrors"], json!([]));
            }
        };
        let read = async {
            let mut socket = Socket::open(&admin).await;
            // The deal is at its first version where the cursor is.
            let mut known = vec![(1, began["cursor"].clone())];
            for round in 0.. {
                let (mut version, after) = known[known.len().saturating_sub(BEHIND)].clone();
                known.retain(|(known, _)| *known <= version);
                // Nobody else asks the same, so it is a shared subscription of its own that is made.
                let filter = json!({ "name": { "neq": format!("Nothing is called {round}") } });
                let name = round.to_string();
                let variables = json!({ "filter": filter, "after": after });
                socket.ask(&name, VERSIONS, variables).await;
                for _ in 0..HEARD {
                    let event = socket.change(&name).await;
                    version += 1;
                    assert_eq!(event["version"], version, "round {round}");
                    known.push((version, event["cursor"].clone()));
                    if version == RENAMINGS + 1 {
                        return;
                    }
                }
                socket.say(json!({ "id": name, "type": "complete" })).await;
            }
        };
        tokio::join!(write, read);
    });
}
