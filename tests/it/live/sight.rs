//! What an event says of other records is no more than its reader sees of those: live and after a break, for
//! every reader.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use super::{Socket, act};
use crate::harness::{A, Client, Who, World, global_id, test};

const KINDS: [&str; 5] = ["company", "contact", "lead", "opportunity", "activity"];

fn id(kind: &str, n: u32) -> String {
    global_id(kind, A.uuid(kind, n))
}

fn subscription(kind: &str) -> String {
    format!(
        "subscription($after: EventCursor) {{ {kind}Events(after: $after) {{ kind recordId changes {{ field before after }} }} }}"
    )
}

fn list(kind: &str) -> &'static str {
    match kind {
        "company" => "companies",
        "contact" => "contacts",
        "lead" => "leads",
        "opportunity" => "opportunities",
        _ => "activities",
    }
}

/// Writes every reference that there is, to several records each, and in the end a sign in every record.
async fn write_all(admin: &Client<'_>) {
    for n in 1..=4 {
        let others: Vec<u32> = (1..=4).filter(|other| *other != n).collect();
        for other in others {
            for (kind, mut input) in [
                (
                    "opportunity",
                    json!({ "companyId": id("company", other), "primaryContactId": id("contact", other) }),
                ),
                (
                    "contact",
                    json!({ "companyId": id("company", other), "reportsToId": id("contact", other) }),
                ),
                (
                    "activity",
                    json!({ "targetIds": KINDS[..4].iter().map(|kind| id(kind, other)).collect::<Vec<_>>() }),
                ),
            ] {
                // Nobody reports to a contact who reports to them.
                if kind == "contact" {
                    let free = json!({ "id": id(kind, other), "reportsToId": null });
                    act(admin, "contactUpdate", free).await;
                }
                input["id"] = json!(id(kind, n));
                act(admin, &format!("{kind}Update"), input).await;
            }
            act(
                admin,
                "companyUpdate",
                json!({ "id": id("company", other), "parentCompanyId": null }),
            )
            .await;
            act(
                admin,
                "companyUpdate",
                json!({ "id": id("company", n), "parentCompanyId": id("company", other) }),
            )
            .await;
        }
        for owner in [Who::Rep, Who::OtherRep, Who::Admin] {
            let next =
                json!({ "at": "2027-01-01T00:00:00Z", "kind": "CALL", "ownerId": A.user(owner) });
            act(
                admin,
                "opportunitySetNextAction",
                json!({ "id": id("opportunity", n), "nextAction": next }),
            )
            .await;
        }
        act(
            admin,
            "opportunityMoveStage",
            json!({ "id": id("opportunity", n), "stageId": id("stage", 5) }),
        )
        .await;
        // To a member beside the owner in sight, so that who sees all receives both.
        for kind in KINDS {
            act(
                admin,
                &format!("{kind}Update"),
                json!({ "id": id(kind, n), "ownerId": A.user(Who::OtherRep) }),
            )
            .await;
            act(
                admin,
                &format!("{kind}Update"),
                json!({ "id": id(kind, n), "ownerId": A.user(Who::Manager) }),
            )
            .await;
        }
    }
    for kind in KINDS {
        for n in 1..=4 {
            act(admin, &format!("{kind}Update"), sign(kind, n)).await;
        }
    }
}

fn sign(kind: &str, n: u32) -> Value {
    let field = match kind {
        "contact" | "lead" => "lastName",
        "activity" => "subject",
        _ => "name",
    };
    json!({ "id": id(kind, n), field: "The end" })
}

/// The ids of each field that a subscriber receives, until the signs.
async fn received(
    client: &Client<'_>,
    socket: &mut Socket<'_>,
    kinds: &[(&str, usize)],
) -> BTreeMap<String, BTreeSet<String>> {
    let mut received: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (kind, seen) in kinds {
        let mut signs = 0;
        while signs < *seen {
            let event = socket.change(kind).await;
            signs += usize::from(event.to_string().contains("The end"));
            for change in event["changes"].as_array().expect("changes") {
                let field = change["field"].as_str().expect("a name");
                let mut ids = BTreeSet::new();
                uuids(&change["before"], &mut ids);
                uuids(&change["after"], &mut ids);
                received.entry(field.to_owned()).or_default().extend(ids);
            }
        }
    }
    let all: BTreeSet<&String> = received.values().flatten().collect();
    for id in all {
        let found = client
            .query_with(
                "query($id: ID!) { node(id: $id) { id } }",
                json!({ "id": id }),
            )
            .await;
        assert_eq!(
            found["node"]["id"],
            id.as_str(),
            "notified of what is not in sight"
        );
    }
    received
}

/// Every text with a uuid in it, in whatever form.
fn uuids(value: &Value, ids: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.contains("01980000-") || text.contains("a0a00") => {
            ids.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| uuids(item, ids)),
        Value::Object(fields) => fields.values().for_each(|field| uuids(field, ids)),
        _ => {}
    }
}

#[test]
fn of_other_records_members_receive_only_what_is_in_their_sight() {
    test(async |world: &World| {
        let role = |n, permissions: &str| {
            format!(
                "UPDATE roles SET permissions = '{{{permissions}}}' WHERE tenant_id = '{}' AND role_id = '{}';",
                A.uuid("tenant", 1),
                A.uuid("role", n)
            )
        };
        let closer = "companies:read:team,contacts:read:team,leads:read:team,opportunities:read:all,activities:read:all";
        let auditor = "contacts:read:all,opportunities:read:all,activities:read:all";
        raw_sql(AssertSqlSafe(role(1, closer) + &role(2, auditor)))
            .execute(&mut world.database.superuser().await)
            .await
            .expect("the superuser writes");
        let admin = world.a(Who::Admin);
        let before = admin.query("{ eventCursor }").await["eventCursor"].clone();
        let mut live = Vec::new();
        for who in Who::ROLES {
            let client = world.a(who);
            let mut socket = Socket::open(&client).await;
            let mut kinds = Vec::new();
            for kind in KINDS {
                let permission = json!({ "permission": format!("{}:read", list(kind)) });
                let may = "query($permission: String!) { viewer { can(permission: $permission) } }";
                let may = client.query_with(may, permission).await;
                if may["viewer"]["can"] == true {
                    socket.subscribe(kind, &subscription(kind), json!({})).await;
                    kinds.push(kind);
                }
            }
            live.push((who, socket, kinds));
        }
        write_all(&admin).await;
        let mut of_admin = BTreeMap::new();
        let mut hidden = BTreeSet::new();
        for (who, socket, kinds) in &mut live {
            let client = world.a(*who);
            let mut seen = Vec::new();
            for kind in &*kinds {
                let page = client
                    .query(&format!(
                        "{{ {}(first: 100) {{ nodes {{ id }} }} }}",
                        list(kind)
                    ))
                    .await;
                let nodes = page[list(kind)]["nodes"].as_array().expect("nodes").clone();
                let signed = (1..=4)
                    .filter(|n| nodes.iter().any(|node| node["id"] == id(kind, *n).as_str()));
                seen.push((*kind, signed.count()));
            }
            let at_once = received(&client, socket, &seen).await;
            let mut later = Socket::open(&client).await;
            for kind in &*kinds {
                later
                    .ask(kind, &subscription(kind), json!({ "after": before }))
                    .await;
            }
            assert_eq!(
                received(&client, &mut later, &seen).await,
                at_once,
                "{who:?} after a break"
            );
            if *who == Who::Admin {
                of_admin = at_once;
                continue;
            }
            for (field, ids) in &of_admin {
                if at_once.get(field).is_some_and(|received| *received != *ids) {
                    hidden.insert(field.clone());
                }
            }
        }
        let told_of: BTreeSet<&str> = of_admin
            .iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(field, _)| field.as_str())
            .collect();
        let fields = [
            "companyId",
            "nextActionOwnerId",
            "ownerId",
            "parentCompanyId",
            "pipelineId",
            "primaryContactId",
            "reportsToId",
            "stageId",
            "targetIds",
        ];
        assert_eq!(
            told_of,
            BTreeSet::from(fields),
            "a member who sees all receives all"
        );
        for field in [
            "companyId",
            "ownerId",
            "parentCompanyId",
            "primaryContactId",
            "targetIds",
        ] {
            assert!(
                hidden.contains(field),
                "nobody lacks sight of any {field}: {hidden:?}"
            );
        }
    });
}
