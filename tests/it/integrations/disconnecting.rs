//! Disconnecting: the credentials are gone at once, the links soon, and records as was wished.

use serde_json::json;

use super::{BACK, agreed, connected, contacts, count, counts, done, fill, ran, seen};
use crate::harness::{A, Who, World, test};

const ADMIN: (crate::harness::Side, Who) = (A, Who::Admin);

async fn unlinked(world: &World) {
    for _ in 0..600 {
        let left = count(
            world,
            "SELECT count(*) FROM external_links WHERE external_id !~ 'kept'",
        )
        .await;
        if left == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("there are links still");
}

#[test]
fn a_disconnected_account_keeps_its_records_or_archives_those_that_came_by_it() {
    test(async |world| {
        let made = "mutation { contactCreate(input: { firstName: \"Here\", lastName: \"Before\",
            contactMethods: [{ kind: EMAIL, value: \"before@rolo.example\" }] }) { contact { id } } }";
        world.a(Who::Admin).query(made).await;
        fill(world, 230);
        world
            .rolodex
            .put("same", "There", "Before", Some("before@rolo.example"));
        let id = connected(world, ADMIN, "rolodex").await;
        ran(world, &id, 1).await;
        done(world, ADMIN, "integrationDisconnect", json!({ "id": id })).await;
        assert_eq!(world.rolodex.asked("revoke"), 1, "the service knows");
        let gone = seen(world, ADMIN, &id).await;
        assert_eq!(
            (&gone["status"], &gone["health"]["state"]),
            (&json!("DISCONNECTED"), &json!("DISCONNECTED"))
        );
        assert_eq!(
            count(
                world,
                "SELECT count(*) FROM integrations WHERE credentials IS NOT NULL"
            )
            .await,
            0
        );
        unlinked(world).await;
        assert!(contacts(world, "No7", "archivedAt").await[0]["archivedAt"].is_null());
        assert_eq!(
            super::refused(world, ADMIN, "integrationDisconnect", json!({ "id": id }))
                .await
                .0,
            "ALREADY_DISCONNECTED"
        );
        // Again, another account even: all of it is found again and not made twice.
        world.rolodex.inner().account = "account-2".to_owned();
        let again = json!({ "provider": "rolodex", "redirectUri": BACK, "id": id });
        let back = agreed(world, ADMIN, again).await;
        done(world, ADMIN, "integrationAuthorizeFinish", back).await;
        let run = ran(world, &id, 2).await.remove(1);
        assert_eq!(
            (&run["mode"], counts(&run)),
            (&json!("FULL"), json!({ "read": 231, "updated": 231 }))
        );
        world
            .rolodex
            .put("late", "Late", "Comer", Some("late@rolo.example"));
        super::synced(world, &id, "INCREMENTAL").await;
        let input = json!({ "id": id, "createdRecords": "ARCHIVE" });
        done(world, ADMIN, "integrationDisconnect", input).await;
        unlinked(world).await;
        let archived = contacts(world, "Comer", "archivedAt").await;
        assert!(archived[0]["archivedAt"].is_string(), "it came by it");
        for found in ["No7", "Before"] {
            let kept = contacts(world, found, "archivedAt").await;
            assert!(kept[0]["archivedAt"].is_null(), "{found} was there before");
        }
    });
}

#[test]
fn a_run_that_goes_on_ends_with_its_account() {
    test(async |world| {
        let rep = (A, Who::Rep);
        world.rolodex.inner().answers = vec![(429, Some(600))];
        let id = connected(world, rep, "mailbox").await;
        for _ in 0..200 {
            let all = super::runs(world, &id).await;
            if all
                .first()
                .is_some_and(|run| run["nextAttemptAt"].is_string())
            {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        done(world, rep, "integrationDisconnect", json!({ "id": id })).await;
        let run = ran(world, &id, 1).await.remove(0);
        assert_eq!(run["status"], "CANCELLED", "{run}");
    });
}
