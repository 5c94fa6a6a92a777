//! The people of a deal: contacts, collaborators and its owner, and what each of them may see.

use dealgraph::base::ids::{ContactId, LeadId, UserId};
use serde_json::{Value, json};

use super::{DEALS, deal};
use crate::{
    harness::{A, Who, World, test},
    records::{Domain, arrange, uuid_of},
};

const ACTIVITIES: Domain = Domain {
    one: "activity",
    many: "activities",
    of: "Activity",
    fields: "id",
};

/// An activity of nobody about a deal.
async fn activity_about(world: &World, deal: &Value) -> Value {
    let input =
        json!({ "kind": "CALL", "subject": "About it", "ownerId": null, "targetIds": [deal] });
    ACTIVITIES.done(&world.a(Who::Admin), "Create", input).await["id"].clone()
}

/// Whether a member sees a deal with all its parts and its activity; seeing only some of that is a failure.
async fn sees(world: &World, who: Who, (deal, activity): (&Value, &Value)) -> bool {
    let client = world.a(who);
    let seen = DEALS.read(&client, deal).await;
    let listed = DEALS.ids(&client, "first: 100").await.contains(deal);
    let activity_listed = ACTIVITIES
        .ids(&client, "first: 100")
        .await
        .contains(activity);
    let is_seen = seen != Value::Null;
    assert_eq!(
        (
            listed,
            ACTIVITIES.is_seen(&client, activity).await,
            activity_listed
        ),
        (is_seen, is_seen, is_seen),
        "{who:?}"
    );
    if is_seen {
        for part in ["stageHistory", "contactRoles", "collaborators"] {
            assert_ne!(seen[part], json!([]), "{who:?} sees the {part}");
        }
    }
    // All parts say the same of who sees them.
    let parts = ["opportunity_contacts", "opportunity_users", "opportunity_stage_history"].map(|part| {
        format!("(SELECT bool_and(p.visible_to = d.visible_to) FROM {part} p JOIN opportunities d USING (tenant_id, opportunity_id) WHERE p.opportunity_id = '{}')", uuid_of(deal))
    });
    arrange(
        world,
        format!(
            "DO $$ BEGIN ASSERT coalesce({}, true), 'a part was left behind'; END $$",
            parts.join(" IS NOT FALSE AND ") + " IS NOT FALSE"
        ),
    )
    .await;
    is_seen
}

#[test]
fn a_collaborator_sees_the_deal_with_all_its_parts_until_they_are_removed() {
    test(async |world| {
        let (admin, id) = (world.a(Who::Admin), deal(3));
        let activity = activity_about(world, &id).await;
        let both = (&id, &activity);
        assert!(!sees(world, Who::Rep, both).await);
        let with = |users: Value| json!({ "id": id, "collaborators": users });
        let (rep, manager) = (A.user(Who::Rep), A.user(Who::Manager));
        let shared = DEALS.done(&admin, "SetCollaborators", with(json!([{ "userId": rep, "role": " closes " }, { "userId": manager }, { "userId": rep }]))).await;
        let mut people: Vec<_> = shared["collaborators"].as_array().unwrap().clone();
        people.sort_by_key(|person| person["user"]["id"].to_string());
        assert_eq!(
            people,
            [
                json!({ "user": { "id": manager }, "role": null }),
                json!({ "user": { "id": rep }, "role": "closes" })
            ]
        );
        for who in [Who::Rep, Who::Manager, Who::OtherRep] {
            assert!(sees(world, who, both).await, "{who:?}");
        }
        assert!(
            !sees(world, Who::Both, both).await,
            "the team of a collaborator is not asked in"
        );
        // They work on it too.
        DEALS
            .done(
                &world.a(Who::Rep),
                "Update",
                json!({ "id": id, "source": "shared" }),
            )
            .await;

        DEALS
            .done(
                &admin,
                "SetCollaborators",
                with(json!([{ "userId": manager }])),
            )
            .await;
        assert!(!sees(world, Who::Rep, both).await);
        assert!(sees(world, Who::Manager, both).await);
        DEALS
            .done(&admin, "SetCollaborators", with(json!([])))
            .await;
        assert!(DEALS.read(&world.a(Who::Manager), &id).await == Value::Null);

        DEALS.refuses((world, &admin), "SetCollaborators", json!({ "id": id }), vec![
            (json!({ "collaborators": [{ "userId": UserId::new() }] }), "NOT_FOUND", "collaborators"),
            (json!({ "collaborators": [{ "userId": rep, "role": "x".repeat(201) }] }), "TOO_LONG", "collaborators.0.role"),
            (json!({ "collaborators": (0..51).map(|_| json!({ "userId": UserId::new() })).collect::<Vec<_>>() }), "TOO_MANY_VALUES", "collaborators"),
            (json!({ "collaborators": [], "expectedVersion": 1 }), "CONFLICT", "expectedVersion"),
        ]).await;
    });
}

#[test]
fn a_deal_takes_its_parts_and_its_activities_along_to_another_owner() {
    test(async |world| {
        let (admin, id) = (world.a(Who::Admin), deal(1));
        let activity = activity_about(world, &id).await;
        let both = (&id, &activity);
        let of = async |owner: Value| {
            DEALS
                .done(&admin, "Update", json!({ "id": id, "ownerId": owner }))
                .await
        };
        let seen_by = async || {
            let mut seen = Vec::new();
            for who in [Who::Rep, Who::Manager, Who::OtherRep, Who::Admin] {
                if sees(world, who, both).await {
                    seen.push(who);
                }
            }
            seen
        };
        DEALS
            .done(
                &admin,
                "SetCollaborators",
                json!({ "id": id, "collaborators": [{ "userId": A.user(Who::Analyst) }] }),
            )
            .await;
        assert_eq!(seen_by().await, [Who::Rep, Who::Manager, Who::Admin]);
        of(json!(A.user(Who::OtherRep))).await;
        assert_eq!(seen_by().await, [Who::OtherRep, Who::Admin]);
        of(json!(A.user(Who::Manager))).await;
        assert_eq!(seen_by().await, [Who::Manager, Who::Admin]);
        // Nobody gives away what they then could not change.
        of(json!(A.user(Who::Rep))).await;
        let given = json!({ "id": id, "ownerId": A.user(Who::OtherRep) });
        for who in [Who::Rep, Who::Manager] {
            assert_eq!(
                DEALS
                    .refused(&world.a(who), "Update", given.clone())
                    .await
                    .0,
                "FORBIDDEN",
                "{who:?}"
            );
        }
    });
}

#[test]
fn contacts_of_a_deal_are_replaced_as_a_whole_and_its_primary_contact_is_one_of_them() {
    test(async |world| {
        let (rep, id) = (world.a(Who::Rep), deal(1));
        let [one, two, three] = [1, 2, 3].map(|n| json!(A.id::<ContactId>(n)));
        let role = |contact: &Value, role: Value, primary: bool| json!({ "contact": { "id": contact }, "role": role, "primary": primary });
        let roles = |deal: &Value| {
            let mut roles = deal["contactRoles"].as_array().unwrap().clone();
            roles.sort_by_key(|role| role["contact"]["id"].to_string());
            roles
        };
        let set = DEALS.done(&rep, "SetContacts", json!({ "id": id, "contacts": [{ "contactId": two, "role": "pays" }, { "contactId": one }, { "contactId": two }] })).await;
        assert_eq!(
            roles(&set),
            [
                role(&one, Value::Null, true),
                role(&two, json!("pays"), false)
            ]
        );
        assert_eq!(
            (&set["primaryContact"]["id"], &set["version"]),
            (&one, &json!(2))
        );
        let without = DEALS
            .done(
                &rep,
                "SetContacts",
                json!({ "id": id, "contacts": [{ "contactId": two, "role": "pays" }] }),
            )
            .await;
        assert_eq!(
            (roles(&without), &without["primaryContact"]),
            (vec![role(&two, json!("pays"), false)], &Value::Null)
        );
        let primary = DEALS
            .done(
                &rep,
                "Update",
                json!({ "id": id, "primaryContactId": three }),
            )
            .await;
        assert_eq!(
            roles(&primary),
            [
                role(&two, json!("pays"), false),
                role(&three, Value::Null, true)
            ]
        );

        DEALS.refuses((world, &rep), "SetContacts", json!({ "id": id }), vec![
            (json!({ "contacts": [{ "contactId": two }, { "contactId": ContactId::new() }] }), "NOT_FOUND", "contacts"),
            (json!({ "contacts": [{ "contactId": two, "role": "a\u{0}" }] }), "INVALID_TEXT", "contacts.0.role"),
            (json!({ "contacts": (0..51).map(|_| json!({ "contactId": ContactId::new() })).collect::<Vec<_>>() }), "TOO_MANY_VALUES", "contacts"),
            (json!({ "contacts": [], "expectedVersion": 1 }), "CONFLICT", "expectedVersion"),
        ]).await;
        let wrong = DEALS
            .act(
                &rep,
                "SetContacts",
                &json!({ "id": id, "contacts": [{ "contactId": A.id::<LeadId>(1) }] }),
            )
            .await;
        assert_eq!(wrong.code(), "INVALID_ID", "{}", wrong.body);
        assert_eq!(
            DEALS
                .done(&rep, "SetContacts", json!({ "id": id, "contacts": [] }))
                .await["contactRoles"],
            json!([])
        );
    });
}
