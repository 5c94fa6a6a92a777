//! The tree of teams: who leads a team sees what its sub-teams own, also after a team has moved.

use dealgraph::base::ids::{LeadId, TeamId, Typed as _};
use serde_json::{Value, json};

use crate::{
    harness::{A, Client, Who, test},
    members::{act, arrange, count, refusal},
};

const FIELDS: &str = "team { id name parent { id } version }";

async fn make(admin: &Client<'_>, name: &str, parent: Option<&Value>) -> Value {
    let input = json!({ "name": name, "parentId": parent });
    let answer = act(admin, "teamCreate", input, FIELDS).await.data();
    assert_eq!(answer["teamCreate"]["userErrors"], json!([]), "{name}");
    answer["teamCreate"]["team"].clone()
}

#[test]
fn teams_are_made_renamed_and_deleted_when_they_are_empty() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let (west, north) = (A.id::<TeamId>(1), A.id::<TeamId>(2));
        let south = make(&admin, " South ", Some(&json!(west))).await;
        assert_eq!(south["name"], "South");
        assert_eq!(south["parent"]["id"], json!(west));
        let renamed = json!({ "id": south["id"], "name": "Deep South", "expectedVersion": 1 });
        let answer = act(&admin, "teamUpdate", renamed.clone(), FIELDS)
            .await
            .data();
        assert_eq!(answer["teamUpdate"]["team"]["version"], 2);
        assert_eq!(refusal(&admin, "teamUpdate", renamed).await, "CONFLICT");
        assert_eq!(
            refusal(&admin, "teamCreate", json!({ "name": " " })).await,
            "BLANK"
        );

        let listed = world.a(Who::Viewer).query("{ teams { nodes { name } totalCount } tops: teams(filter: { parentId: { null: true } }) { nodes { name } } }").await;
        assert_eq!(listed["teams"]["totalCount"], 4);
        let names: Vec<_> = listed["teams"]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(|node| node["name"].clone())
            .collect();
        let place = |name: &str| {
            names
                .iter()
                .position(|known| known == name)
                .expect("it is listed")
        };
        assert!(place("West") < place("North") && place("West") < place("Deep South"));
        assert_eq!(listed["tops"]["nodes"].as_array().map(Vec::len), Some(2));

        for id in [json!(west), json!(north)] {
            assert_eq!(
                refusal(&admin, "teamDelete", json!({ "id": id })).await,
                "IN_USE"
            );
        }
        let invited = json!({ "email": "x@example.com", "role": "VIEWER", "teamId": south["id"] });
        let open = act(&admin, "memberInvite", invited, "invitation { id }")
            .await
            .data();
        let gone = json!({ "id": south["id"] });
        assert_eq!(refusal(&admin, "teamDelete", gone.clone()).await, "IN_USE");
        refusal(
            &admin,
            "invitationRevoke",
            json!({ "id": open["memberInvite"]["invitation"]["id"] }),
        )
        .await;
        let answer = act(&admin, "teamDelete", gone.clone(), "deletedId")
            .await
            .data();
        assert_eq!(answer["teamDelete"]["deletedId"], south["id"]);
        assert_eq!(refusal(&admin, "teamDelete", gone).await, "NOT_FOUND");
        let events = "SELECT count(*) FROM events WHERE entity = 'team'";
        assert_eq!(count(world, events).await, 3);
    });
}

#[test]
fn teams_stay_a_tree_and_no_deeper_than_ten() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let (west, north) = (A.id::<TeamId>(1), A.id::<TeamId>(2));
        for parent in [west, north] {
            let input = json!({ "id": west, "parentId": parent });
            assert_eq!(refusal(&admin, "teamUpdate", input).await, "LOOP");
        }
        let mut above = make(&admin, "1", None).await;
        let top = above.clone();
        for depth in 2..=10 {
            above = make(&admin, &depth.to_string(), Some(&above["id"])).await;
        }
        let input = json!({ "name": "11", "parentId": above["id"] });
        assert_eq!(refusal(&admin, "teamCreate", input).await, "TOO_DEEP");
        let input = json!({ "id": top["id"], "parentId": north });
        assert_eq!(refusal(&admin, "teamUpdate", input).await, "TOO_DEEP");
        let tenant = A.tenant().uuid();
        arrange(
            world,
            &format!("UPDATE tenants SET quota_teams = 13 WHERE tenant_id = '{tenant}'"),
        )
        .await;
        assert_eq!(
            refusal(&admin, "teamCreate", json!({ "name": "More" })).await,
            "QUOTA_EXCEEDED"
        );
    });
}

#[test]
fn two_teams_that_move_below_each_other_at_once_make_no_circle() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let (west, east) = (A.id::<TeamId>(1), A.id::<TeamId>(3));
        for _ in 0..4 {
            let below = |id, parent| json!({ "id": id, "parentId": parent });
            let (one, two) = tokio::join!(
                act(&admin, "teamUpdate", below(west, json!(east)), ""),
                act(&admin, "teamUpdate", below(east, json!(west)), ""),
            );
            let codes = [
                one.user_error("teamUpdate").0,
                two.user_error("teamUpdate").0,
            ];
            assert!(
                codes.contains(&"LOOP".to_owned()) && codes.contains(&String::new()),
                "{codes:?}"
            );
            for team in [west, east] {
                act(&admin, "teamUpdate", below(team, Value::Null), "").await;
            }
        }
    });
}

#[test]
fn a_manager_sees_what_a_team_owns_that_was_moved_below_theirs_and_not_before() {
    test(async |world| {
        let (admin, manager) = (world.a(Who::Admin), world.a(Who::Manager));
        let (west, east) = (A.id::<TeamId>(1), A.id::<TeamId>(3));
        let document = "query($id: ID!) { lead(id: $id) { owner { id } } }";
        // Row 3 is the other rep's, who is in the team East.
        let lead = json!({ "id": A.id::<LeadId>(3) });
        assert_eq!(
            manager.query_with(document, lead.clone()).await["lead"],
            Value::Null
        );
        arrange(world, &format!("UPDATE api_keys SET team_id = '{}', team_path = (SELECT path FROM teams WHERE team_id = '{0}') WHERE tenant_id = '{}'", east.uuid(), A.tenant().uuid())).await;

        let moved = act(
            &admin,
            "teamUpdate",
            json!({ "id": east, "parentId": west }),
            FIELDS,
        )
        .await
        .data();
        assert_eq!(moved["teamUpdate"]["team"]["parent"]["id"], json!(west));
        assert_eq!(
            manager.query_with(document, lead.clone()).await["lead"]["owner"]["id"],
            json!(A.user(Who::OtherRep))
        );
        let stray = |table: &str| {
            format!(
                "SELECT count(*) FROM {table} r JOIN teams t ON t.tenant_id = r.tenant_id AND t.team_id = r.team_id WHERE r.team_path <> t.path"
            )
        };
        for table in ["memberships", "api_keys"] {
            assert_eq!(count(world, &stray(table)).await, 0, "{table} moved along");
        }
        let events = "SELECT count(*) FROM events WHERE entity = 'lead' AND actor = 'system:placement' AND visible_before <> visible_after";
        assert_eq!(count(world, events).await, 1);

        act(
            &admin,
            "teamUpdate",
            json!({ "id": east, "parentId": null }),
            "",
        )
        .await;
        assert_eq!(
            manager.query_with(document, lead).await["lead"],
            Value::Null
        );
    });
}

#[test]
fn a_member_who_changes_teams_takes_their_records_along() {
    test(async |world| {
        let (admin, manager) = (world.a(Who::Admin), world.a(Who::Manager));
        let document = "query($id: ID!) { lead(id: $id) { id } }";
        let lead = json!({ "id": A.id::<LeadId>(3) });
        assert_eq!(
            manager.query_with(document, lead.clone()).await["lead"],
            Value::Null
        );
        let input = json!({ "userId": A.user(Who::OtherRep), "teamId": A.id::<TeamId>(2) });
        let answer = act(
            &admin,
            "membershipUpdate",
            input,
            "membership { moving recordsToMove }",
        )
        .await
        .data();
        assert_eq!(
            answer["membershipUpdate"]["membership"],
            json!({ "moving": false, "recordsToMove": 0 })
        );
        assert_ne!(
            manager.query_with(document, lead.clone()).await["lead"],
            Value::Null
        );
        let input = json!({ "userId": A.user(Who::OtherRep), "teamId": null });
        act(&admin, "membershipUpdate", input, "").await;
        assert_eq!(
            manager.query_with(document, lead).await["lead"],
            Value::Null
        );
        let kept = world
            .a(Who::OtherRep)
            .query_with(document, json!({ "id": A.id::<LeadId>(3) }))
            .await;
        assert_ne!(
            kept["lead"],
            Value::Null,
            "what is one's own stays in sight"
        );
    });
}
