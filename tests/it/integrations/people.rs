//! Accounts of people: everybody connects their own, and what it writes it writes with their rights.

use serde_json::{Value, json};

use super::{BACK, call, connected, counts, done, refused, seen};
use crate::harness::{A, B, Who, test};

#[test]
fn everybody_connects_their_own_and_only_they_and_managers_of_programs_see_it() {
    test(async |world| {
        let rep = (A, Who::Rep);
        world
            .rolodex
            .put("1", "Of", "TheRep", Some("of@rolo.example"));
        let id = connected(world, rep, "mailbox").await;
        let own = seen(world, rep, &id).await;
        assert_eq!(own["user"]["id"], json!(A.user(Who::Rep).to_string()));
        let run = super::ran(world, &id, 1).await.remove(0);
        assert_eq!(counts(&run), json!({ "read": 1, "created": 1 }));
        let managed = seen(world, (A, Who::Admin), &id).await;
        assert_eq!(managed["id"], id);
        for who in [
            (A, Who::Manager),
            (A, Who::OtherRep),
            (A, Who::Viewer),
            (B, Who::Admin),
        ] {
            assert_eq!(seen(world, who, &id).await, Value::Null, "{who:?}");
            let pause = refused(world, who, "integrationPause", json!({ "id": id })).await;
            assert_eq!(pause.0, "NOT_FOUND", "{who:?}");
        }
        // Its history too.
        let document = "{ syncRuns { nodes { id } } integrations { nodes { id } } }";
        let listed = world.a(Who::Rep).query(document).await;
        assert_eq!(listed["integrations"]["nodes"], json!([{ "id": id }]));
        assert_eq!(
            listed["syncRuns"]["nodes"].as_array().map(Vec::len),
            Some(1)
        );
        let other = world.a(Who::OtherRep).query(document).await;
        assert_eq!(
            other,
            json!({ "syncRuns": { "nodes": [] }, "integrations": { "nodes": [] } })
        );
        // A manager of programs may end it, and not take it over.
        let again = json!({ "provider": "mailbox", "redirectUri": BACK, "id": id });
        let begun = call(world, (A, Who::Admin), "integrationAuthorize", again).await;
        assert_ne!(begun["userErrors"], json!([]), "{begun}");
        done(world, rep, "integrationPause", json!({ "id": id })).await;
        done(world, rep, "integrationResume", json!({ "id": id })).await;
        done(
            world,
            (A, Who::Admin),
            "integrationPause",
            json!({ "id": id }),
        )
        .await;
    });
}

#[test]
fn what_an_account_writes_it_writes_with_the_rights_of_who_connected_it() {
    test(async |world| {
        world
            .rolodex
            .put("1", "Of", "TheViewer", Some("of@rolo.example"));
        let id = connected(world, (A, Who::Rep), "mailbox").await;
        super::ran(world, &id, 1).await;
        // Their role changes: from now on it reads, and writes nothing.
        let change = format!(
            "mutation {{ membershipUpdate(input: {{ userId: \"{}\", role: VIEWER }}) {{ userErrors {{ code }} }} }}",
            A.user(Who::Rep)
        );
        let changed = world.a(Who::Admin).query(&change).await;
        assert_eq!(changed["membershipUpdate"]["userErrors"], json!([]));
        // Rights that were read are relied on for a moment.
        let mut refused = None;
        for n in 2..40 {
            let email = format!("more{n}@rolo.example");
            world
                .rolodex
                .put(&n.to_string(), "More", "OfThem", Some(&email));
            let run = super::synced(world, &id, "INCREMENTAL").await;
            if counts(&run)["failed"] == 1 {
                refused = Some(run);
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let run = refused.expect("their rights have ended");
        assert_eq!(run["problems"][0]["code"], "FORBIDDEN", "{run}");
    });
}
