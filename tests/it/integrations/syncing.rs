//! Records are brought in step once, page by page, whatever happens in between.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    arrange, connected, contacts, count, counts, done, fill, ran, runs, seen, synced, until,
};
use crate::{
    defaults::served::Served,
    harness::{A, B, Who, providers, test},
    inbound::{Endpoint, Sent},
};

#[test]
fn records_are_read_page_by_page_and_then_only_what_has_changed() {
    test(async |world| {
        let admin = (A, Who::Admin);
        fill(world, 250);
        let id = connected(world, admin, "rolodex").await;
        let first = ran(world, &id, 1).await.remove(0);
        assert_eq!(
            (&first["mode"], &first["trigger"], &first["status"]),
            (&json!("FULL"), &json!("CONNECTED"), &json!("SUCCEEDED"))
        );
        assert_eq!(counts(&first), json!({ "read": 250, "created": 250 }));
        assert_eq!(
            (&first["cursorBefore"], &first["cursorAfter"]),
            (&Value::Null, &json!("250"))
        );
        assert_eq!(world.rolodex.asked("people"), 3, "three pages");
        let one = contacts(world, "No7", "firstName createdBy { kind source } email").await;
        assert_eq!(one.len(), 1);
        assert_eq!(
            one[0]["createdBy"],
            json!({ "kind": "INTEGRATION", "source": id })
        );
        let now = seen(world, admin, &id).await;
        assert_eq!(
            (&now["externalAccount"], &now["externalName"]),
            (&json!("account-1"), &json!("The rolodex"))
        );
        assert_eq!(now["health"]["state"], "HEALTHY");
        assert_eq!(
            now["runsAs"]["user"]["id"],
            json!(A.user(Who::Admin).to_string())
        );
        world
            .rolodex
            .put("7", "Other", "No7", Some("person7@rolo.example"));
        let second = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(
            (&second["mode"], &second["trigger"]),
            (&json!("INCREMENTAL"), &json!("REQUEST"))
        );
        assert_eq!(counts(&second), json!({ "read": 1, "updated": 1 }));
        let one = contacts(world, "No7", "firstName").await;
        assert_eq!(one[0]["firstName"], "Other");
        let third = synced(world, &id, "FULL").await;
        assert_eq!(counts(&third), json!({ "read": 250, "unchanged": 250 }));
        let links = "query($id: ID!) { externalLinks(recordId: $id) { providerKey kind externalId createdBySync pulledAt pushedAt
            integration { id } } }";
        let linked = world
            .a(Who::Admin)
            .query_with(links, json!({ "id": one[0]["id"] }))
            .await;
        let link = &linked["externalLinks"][0];
        assert_eq!(
            (
                &link["providerKey"],
                &link["externalId"],
                &link["createdBySync"],
                &link["integration"]["id"]
            ),
            (&json!("rolodex"), &json!("7"), &json!(true), &id)
        );
        // Nobody else sees any of it.
        for who in [(A, Who::Manager), (A, Who::Rep), (B, Who::Admin)] {
            assert_eq!(seen(world, who, &id).await, Value::Null, "{who:?}");
        }
    });
}

#[test]
fn who_is_here_already_is_found_and_not_made_again() {
    test(async |world| {
        let made = "mutation { contactCreate(input: { firstName: \"Here\", lastName: \"Already\",
            contactMethods: [{ kind: EMAIL, value: \"Same@Rolo.example\" }] }) { contact { id } } }";
        let made = world.a(Who::Admin).query(made).await;
        world
            .rolodex
            .put("1", "There", "Already", Some("same@rolo.example"));
        let id = connected(world, (A, Who::Admin), "rolodex").await;
        let run = ran(world, &id, 1).await.remove(0);
        assert_eq!(counts(&run), json!({ "read": 1, "updated": 1 }));
        let found = contacts(world, "Already", "firstName").await;
        assert_eq!(
            found,
            [json!({ "id": made["contactCreate"]["contact"]["id"], "firstName": "There" })]
        );
    });
}

#[test]
fn two_there_that_are_one_here_are_told_and_stop_nobody() {
    test(async |world| {
        let admin = (A, Who::Admin);
        for (id, first) in [("1", "One"), ("2", "Two")] {
            world
                .rolodex
                .put(id, first, "Shared", Some("shared@rolo.example"));
        }
        world.rolodex.put("3", "Three", "Alone", None);
        let id = connected(world, admin, "rolodex").await;
        let run = ran(world, &id, 1).await.remove(0);
        assert_eq!(run["status"], "SUCCEEDED", "{run}");
        assert_eq!(
            counts(&run),
            json!({ "read": 3, "created": 2, "failed": 1 })
        );
        assert_eq!(run["problems"][0]["code"], "ALREADY_LINKED");
        // In another page, and another run, too.
        world
            .rolodex
            .put("4", "Four", "Shared", Some("shared@rolo.example"));
        let run = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(counts(&run), json!({ "read": 1, "failed": 1 }));
        let shared = contacts(world, "Shared", "firstName").await;
        assert_eq!(shared.len(), 1);
        assert_eq!(shared[0]["firstName"], "One", "who came first stays");
    });
}

#[test]
fn what_is_gone_there_is_archived_here_and_never_much_of_it_unasked() {
    test(async |world| {
        fill(world, 60);
        let id = connected(world, (A, Who::Admin), "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.lose("3");
        let said = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(counts(&said), json!({ "read": 1, "removed": 1 }));
        let archived = contacts(world, "No3", "archivedAt").await;
        assert!(archived[0]["archivedAt"].is_string());
        // What is gone without a word shows when all is read.
        world.rolodex.inner().people.remove("4");
        let found = synced(world, &id, "FULL").await;
        assert_eq!(found["status"], "SUCCEEDED", "{found}");
        assert_eq!(counts(&found)["removed"], 1);
        for n in 10..40 {
            world.rolodex.inner().people.remove(&n.to_string());
        }
        let refused = synced(world, &id, "FULL").await;
        assert_eq!(
            (&refused["status"], &refused["errorCode"]),
            (&json!("FAILED"), &json!("TOO_MANY_REMOVALS"))
        );
        assert!(contacts(world, "No20", "archivedAt").await[0]["archivedAt"].is_null());
        let now = seen(world, (A, Who::Admin), &id).await;
        assert_eq!(
            (&now["health"]["state"], &now["health"]["errorCode"]),
            (&json!("FAILING"), &json!("TOO_MANY_REMOVALS"))
        );
        let before = runs(world, &id).await.len();
        let input = json!({ "id": id, "mode": "FULL", "allowRemovals": true });
        done(world, (A, Who::Admin), "integrationSync", input).await;
        let allowed = ran(world, &id, before + 1).await.pop().expect("a run");
        assert_eq!(counts(&allowed)["removed"], 30);
        assert!(contacts(world, "No20", "archivedAt").await[0]["archivedAt"].is_string());
        let now = seen(world, (A, Who::Admin), &id).await;
        assert_eq!(now["health"]["state"], "HEALTHY");
    });
}

#[test]
fn what_is_wrong_with_one_record_keeps_no_other_from_being_written() {
    test(async |world| {
        fill(world, 20);
        world.rolodex.put("a", "", "Blank", None);
        world.rolodex.put("b", "Bad", "Address", Some("no address"));
        world.rolodex.put("c", "Too", &"long".repeat(500), None);
        world.rolodex.put("d", "Last", "Sound", None);
        let id = connected(world, (A, Who::Admin), "rolodex").await;
        let run = ran(world, &id, 1).await.remove(0);
        assert_eq!(run["status"], "SUCCEEDED");
        assert_eq!(
            counts(&run),
            json!({ "read": 24, "created": 21, "failed": 3 })
        );
        let problems = run["problems"].as_array().expect("a list");
        let told: Vec<_> = problems
            .iter()
            .map(|one| (one["externalId"].as_str(), one["field"].as_str()))
            .collect();
        assert_eq!(told[0], (Some("a"), Some("firstName")), "{problems:?}");
        assert_eq!(
            told.iter()
                .map(|(id, _)| id.expect("one"))
                .collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        assert!(
            !run.to_string().contains("no address"),
            "values are not told: {run}"
        );
        assert_eq!(contacts(world, "Sound", "").await.len(), 1);
    });
}

#[test]
fn who_was_given_up_for_dead_writes_nothing_and_the_next_one_goes_on_where_it_was() {
    test(async |world| {
        fill(world, 230);
        world.rolodex.inner().takes = Duration::from_millis(700);
        let tokens = std::sync::Arc::clone(&world.tokens);
        let other = Served::knowing(&world.database, tokens, providers(&world.rolodex.url)).await;
        let id = connected(world, (A, Who::Admin), "rolodex").await;
        let running =
            "SELECT count(*) FROM jobs WHERE kind = 'integrations.sync' AND status = 'RUNNING'";
        // Whoever has it is taken for dead again and again, while it waits for the service.
        for _ in 0..4 {
            for _ in 0..100 {
                if count(world, running).await > 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            arrange(
                world,
                "UPDATE jobs SET due_at = now() WHERE kind = 'integrations.sync' AND status = 'RUNNING';
                 UPDATE job_queues SET due_at = now() WHERE tenant_id IN (SELECT tenant_id FROM jobs WHERE kind = 'integrations.sync')",
            )
            .await;
        }
        world.rolodex.inner().takes = Duration::ZERO;
        let all = ran(world, &id, 1).await;
        assert_eq!(
            all.len(),
            1,
            "it is one run, in however many attempts: {all:#?}"
        );
        assert_eq!(counts(&all[0]), json!({ "read": 230, "created": 230 }));
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM contacts WHERE created_by ^@ 'integration:'"
            )
            .await,
            230
        );
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM external_links WHERE external_id !~ 'kept'"
            )
            .await,
            230
        );
        other.stop().await;
    });
}

#[test]
fn what_is_paused_is_left_alone_and_goes_on_when_it_is_resumed() {
    test(async |world| {
        let admin = (A, Who::Admin);
        fill(world, 2);
        let id = connected(world, admin, "rolodex").await;
        ran(world, &id, 1).await;
        done(world, admin, "integrationPause", json!({ "id": id })).await;
        let asked = world.rolodex.asked("people");
        world.rolodex.put("3", "While", "Paused", None);
        assert_eq!(
            super::refused(world, admin, "integrationSync", json!({ "id": id }))
                .await
                .0,
            "NOT_ACTIVE"
        );
        assert_eq!(
            super::refused(world, admin, "integrationPause", json!({ "id": id }))
                .await
                .0,
            "NOT_ACTIVE"
        );
        arrange(world, "UPDATE jobs SET due_at = now() WHERE kind = 'integrations.sync' AND due_at IS NOT NULL").await;
        let paused = seen(world, admin, &id).await;
        assert_eq!(paused["health"]["state"], "PAUSED");
        done(world, admin, "integrationResume", json!({ "id": id })).await;
        let all = ran(world, &id, 2).await;
        assert_eq!(counts(&all[1]), json!({ "read": 1, "created": 1 }));
        assert_eq!(world.rolodex.asked("people"), asked + 1);
        until(world, &id, |now| now["health"]["state"] == "HEALTHY").await;
    });
}

#[test]
fn a_message_of_the_service_has_it_looked_at_once() {
    test(async |world| {
        let admin = (A, Who::Admin);
        fill(world, 1);
        let id = connected(world, admin, "rolodex").await;
        ran(world, &id, 1).await;
        let endpoint =
            "mutation($input: InboundEndpointCreateInput!) { inboundEndpointCreate(input: $input) {
            inboundEndpoint { id integrationId } path secret userErrors { code field } } }";
        let input = json!({ "name": "Rolodex", "verification": "STANDARD_WEBHOOKS", "handler": "INTEGRATION" });
        let blank = world
            .a(Who::Admin)
            .query_with(endpoint, json!({ "input": input }))
            .await;
        assert_eq!(
            blank["inboundEndpointCreate"]["userErrors"][0]["field"],
            json!(["input", "integrationId"])
        );
        let mut input = input;
        input["integrationId"] = id.clone();
        let endpoint = Endpoint::make(world, input.clone()).await;
        world.rolodex.put("2", "New", "Here", None);
        let sent = Sent::of("message-1", "{\"changed\": \"people\"}");
        for _ in 0..2 {
            let learned = endpoint.send(world, &sent).await;
            assert!((200..300).contains(&learned.status), "{learned:?}");
        }
        let all = ran(world, &id, 2).await;
        assert_eq!(
            (&all[1]["trigger"], counts(&all[1])),
            (&json!("WEBHOOK"), json!({ "read": 1, "created": 1 }))
        );
        // Of another tenant's nothing can be had looked at.
        input["integrationId"] = json!(crate::harness::global_id(
            "integration",
            B.uuid("integration", 1)
        ));
        let document =
            "mutation($input: InboundEndpointCreateInput!) { inboundEndpointCreate(input: $input) {
            userErrors { code field } } }";
        let other = world
            .a(Who::Admin)
            .query_with(document, json!({ "input": input }))
            .await;
        assert_eq!(
            other["inboundEndpointCreate"]["userErrors"][0]["code"],
            "NOT_FOUND"
        );
    });
}
