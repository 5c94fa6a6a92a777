//! The tenant, its people and its teams, as they are read.

use dealgraph::base::ids::TeamId;
use serde_json::{Value, json};

use crate::harness::{A, Who, test};

#[test]
fn every_role_reads_who_they_are_and_what_they_may_do() {
    test(async |world| {
        let mut text = String::new();
        for who in Who::ROLES {
            let seen = world.a(who).query("{ viewer { id role permissions user { name membership { team { name } } } tenant { id } } }").await;
            let viewer = &seen["viewer"];
            assert_eq!(viewer["id"], A.user(who).to_string());
            assert_eq!(viewer["tenant"]["id"], A.tenant().to_string());
            let words = |list: &Value| {
                list.as_array()
                    .expect("a list")
                    .iter()
                    .map(|word| word.as_str().unwrap_or_default().to_owned())
                    .collect::<Vec<_>>()
            };
            let team = viewer["user"]["membership"]["team"]["name"]
                .as_str()
                .unwrap_or("no team");
            text += &format!(
                "{} ({team})\n  {}\n",
                viewer["role"],
                words(&viewer["permissions"]).join("\n  ")
            );
        }
        insta::assert_snapshot!(text);
    });
}

#[test]
fn the_tenant_is_the_tokens_own() {
    test(async |world| {
        let seen = world.a(Who::Viewer).query("{ tenant { slug name status baseCurrency timeZone fiscalYearStart lostReasonRequired } }").await;
        let expected = json!({
            "slug": "side-a0a0", "name": "Twin", "status": "ACTIVE", "baseCurrency": "EUR", "timeZone": "UTC",
            "fiscalYearStart": 1, "lostReasonRequired": true,
        });
        assert_eq!(seen["tenant"], expected);
    });
}

#[test]
fn members_are_listed_by_name_and_found_by_role_team_and_status() {
    test(async |world| {
        let rep = world.a(Who::Rep);
        let names = async |arguments: &str| {
            let seen = rep
                .query(&format!(
                    "{{ memberships({arguments}) {{ nodes {{ user {{ name }} }} totalCount }} }}"
                ))
                .await;
            let nodes = seen["memberships"]["nodes"]
                .as_array()
                .expect("nodes")
                .clone();
            assert_eq!(seen["memberships"]["totalCount"], nodes.len());
            nodes
                .iter()
                .map(|node| {
                    node["user"]["name"]
                        .as_str()
                        .expect("a name")
                        .replace("Person ", "")
                })
                .collect::<String>()
        };
        // "Person 10" stands before "Person 2".
        assert_eq!(names("first: 100").await, "11023456789");
        assert_eq!(
            names("orderBy: [{ field: NAME, direction: DESC }]").await,
            "98765432101"
        );
        assert_eq!(names("filter: { role: { eq: SALES_REP } }").await, "347");
        assert_eq!(
            names("filter: { role: { in: [ADMIN, VIEWER] } }").await,
            "16"
        );
        assert_eq!(names("filter: { status: { neq: ACTIVE } }").await, "7");
        assert_eq!(
            names(&format!(
                "filter: {{ teamId: {{ eq: \"{}\" }} }}",
                A.id::<TeamId>(1)
            ))
            .await,
            "289"
        );
        assert_eq!(
            names("filter: { name: { startsWith: \"PERSON 3\" } }").await,
            "3"
        );
    });
}

#[test]
fn teams_form_a_tree_that_can_be_walked_both_ways() {
    test(async |world| {
        let document = "query($id: ID!) { team(id: $id) { name parent { name parent { name } memberships { nodes { user { name } team { name } } } } } }";
        let seen = world
            .a(Who::Viewer)
            .query_with(document, json!({ "id": A.id::<TeamId>(2) }))
            .await;
        let members = ["Person 2", "Person 8", "Person 9"]
            .map(|name| json!({ "user": { "name": name }, "team": { "name": "West" } }));
        assert_eq!(
            seen["team"],
            json!({ "name": "North", "parent": { "name": "West", "parent": null, "memberships": { "nodes": members } } })
        );
    });
}

#[test]
fn a_person_of_two_tenants_has_in_each_the_role_of_there() {
    test(async |world| {
        let document = "{ viewer { role user { membership { role status team { name } } } } }";
        let a = world.a(Who::Both).query(document).await;
        assert_eq!(
            a["viewer"]["user"]["membership"],
            json!({ "role": "MANAGER", "status": "ACTIVE", "team": { "name": "West" } })
        );
        let b = world.b(Who::Both).query(document).await;
        assert_eq!(
            b["viewer"]["user"]["membership"],
            json!({ "role": "VIEWER", "status": "ACTIVE", "team": null })
        );
    });
}
