//! What changes here is written there, once, and does not come back as an echo.

use serde_json::{Value, json};

use super::{connected, contacts, counts, done, fill, ran, synced, until};
use crate::harness::{A, Who, World, test};

const ADMIN: (crate::harness::Side, Who) = (A, Who::Admin);

async fn create(world: &World, last: &str, email: Option<&str>) -> Value {
    let methods = email.map(|email| json!({ "kind": "EMAIL", "value": email }));
    let input = json!({ "firstName": "Made", "lastName": last, "contactMethods": methods.into_iter().collect::<Vec<_>>() });
    let document = "mutation($i: ContactCreateInput!) { contactCreate(input: $i) { contact { id } userErrors { code } } }";
    let made = world
        .a(Who::Admin)
        .query_with(document, json!({ "i": input }))
        .await;
    made["contactCreate"]["contact"]["id"].clone()
}

async fn rename(world: &World, id: &Value, last: &str) {
    let document = "mutation($i: ContactUpdateInput!) { contactUpdate(input: $i) { contact { id } userErrors { code } } }";
    let input = json!({ "id": id, "lastName": last });
    let made = world
        .a(Who::Admin)
        .query_with(document, json!({ "i": input }))
        .await;
    assert_eq!(made["contactUpdate"]["userErrors"], json!([]));
}

/// Waits until the service has somebody of that name; what it calls them.
async fn there(world: &World, last: &str) -> String {
    for _ in 0..400 {
        let found = world
            .rolodex
            .inner()
            .people
            .iter()
            .find(|(_, person)| person.last == last)
            .map(|(id, _)| id.clone());
        if let Some(id) = found {
            return id;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:#?}", world.rolodex.inner().people);
}

#[test]
fn what_changes_here_is_written_there_and_does_not_echo() {
    test(async |world| {
        fill(world, 5);
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        let written = world.rolodex.asked("write");
        assert_eq!(written, 0, "what came from there is not told back");
        let made = create(world, "Fresh", Some("fresh@rolo.example")).await;
        let external = there(world, "Fresh").await;
        rename(world, &made, "Renamed").await;
        assert_eq!(
            there(world, "Renamed").await,
            external,
            "it is the same one"
        );
        let links = "query($id: ID!) { externalLinks(recordId: $id) { externalId createdBySync pushedAt pulledAt } }";
        let linked = world
            .a(Who::Admin)
            .query_with(links, json!({ "id": made }))
            .await;
        assert_eq!(linked["externalLinks"][0]["externalId"], json!(external));
        assert_eq!(linked["externalLinks"][0]["createdBySync"], false);
        assert!(linked["externalLinks"][0]["pushedAt"].is_string());
        // The service says that it changed. It says what is here.
        let run = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(counts(&run), json!({ "read": 1, "unchanged": 1 }));
        let asked = world.rolodex.asked("write");
        world.rolodex.put(
            &external,
            "Made",
            "Changed there",
            Some("fresh@rolo.example"),
        );
        let run = synced(world, &id, "INCREMENTAL").await;
        assert_eq!(counts(&run), json!({ "read": 1, "updated": 1 }));
        assert_eq!(contacts(world, "Changed there", "").await.len(), 1);
        // What has no address is not told, and what the service does not take keeps nobody from being told.
        create(world, "Silent", None).await;
        create(world, "Unwanted", Some("unwanted@rolo.example")).await;
        create(world, "After", Some("after@rolo.example")).await;
        there(world, "After").await;
        assert!(
            world
                .rolodex
                .inner()
                .people
                .values()
                .all(|person| person.last != "Silent" && person.last != "Unwanted")
        );
        assert_eq!(
            world.rolodex.asked("write"),
            asked + 2,
            "nothing else was written"
        );
    });
}

#[test]
fn what_changed_while_it_was_paused_is_written_when_it_is_resumed() {
    test(async |world| {
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        create(world, "Before", Some("before@rolo.example")).await;
        there(world, "Before").await;
        done(world, ADMIN, "integrationPause", json!({ "id": id })).await;
        create(world, "Meanwhile", Some("meanwhile@rolo.example")).await;
        let asked = world.rolodex.asked("write");
        done(world, ADMIN, "integrationResume", json!({ "id": id })).await;
        there(world, "Meanwhile").await;
        assert_eq!(
            world.rolodex.asked("write"),
            asked + 1,
            "and nothing once more"
        );
        until(world, &id, |now| now["health"]["state"] == "HEALTHY").await;
    });
}
