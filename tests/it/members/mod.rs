//! Members, teams and the viewer, as callers of the API know them.

mod change;
mod invitations;
mod removal;

use dealgraph::base::ids::TeamId;
use serde_json::{Value, json};

use crate::{
    harness::{A, Answer, Client, Who, World, test},
    records::walk,
};

#[test]
fn the_viewer_reads_who_they_are_and_what_they_may_do() {
    test(async |world| {
        let document = "{ viewer { id role permissions tenant { id slug baseCurrency timeZone lostReasonRequired } user { id name email membership { role status team { id } } } }
            tenant { id name } }";
        for who in [
            Who::Admin,
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Both,
        ] {
            let data = world.a(who).query(document).await;
            let (viewer, user) = (&data["viewer"], json!(A.user(who)));
            assert_eq!((&viewer["id"], &viewer["user"]["id"]), (&user, &user));
            assert_eq!(viewer["role"], viewer["user"]["membership"]["role"]);
            assert_eq!(
                (&viewer["tenant"]["id"], &data["tenant"]["id"]),
                (&json!(A.tenant()), &json!(A.tenant()))
            );
            let permissions = viewer["permissions"].as_array().expect("a list");
            let may = |permission: &str| permissions.contains(&json!(permission));
            let writes = matches!(who, Who::Admin | Who::Manager | Who::Rep | Who::Both);
            assert_eq!(
                (
                    may("opportunities:read"),
                    may("opportunities:write"),
                    may("admin")
                ),
                (true, writes, who == Who::Admin),
                "{who:?}"
            );
            assert_eq!(
                may("opportunities:delete"),
                writes && who != Who::Rep,
                "{who:?}"
            );
        }
    });
}

#[test]
fn members_are_listed_filtered_and_walked_in_every_order() {
    test(async |world| {
        let viewer = world.a(Who::Viewer);
        for order in ["NAME", "CREATED_AT"] {
            let mut ways = Vec::new();
            for direction in ["ASC", "DESC"] {
                let by = format!("orderBy: [{{ field: {order}, direction: {direction} }}]");
                let list = ("memberships", "user { id }", by.as_str());
                let whole = walk(&viewer, list, ("first: 100", "after")).await;
                assert_eq!(whole.len(), 10);
                assert_eq!(
                    walk(&viewer, list, ("first: 3", "after")).await,
                    whole,
                    "forward {by}"
                );
                assert_eq!(
                    walk(&viewer, list, ("last: 3", "before")).await,
                    whole,
                    "backward {by}"
                );
                ways.push(whole);
            }
            ways[1].reverse();
            assert_eq!(ways[0], ways[1]);
        }
        let team = format!("teamId: {{ eq: \"{}\" }}", A.id::<TeamId>(3));
        for (filter, found) in [
            ("role: { eq: SALES_REP }", vec![3, 4, 7]),
            ("role: { nin: [SALES_REP, MANAGER] }", vec![1, 10, 5, 6, 9]),
            ("status: { eq: SUSPENDED }", vec![7]),
            ("status: { neq: ACTIVE }", vec![7]),
            ("name: { eq: \"PERSON 2\" }", vec![2]),
            (
                "name: { startsWith: \"person\" }, not: { status: { eq: ACTIVE } }",
                vec![7],
            ),
            (team.as_str(), vec![4, 7]),
            ("role: { eq: CUSTOM }", vec![10, 9]),
            ("teamId: { null: true }", vec![1, 10, 5, 6]),
            (
                "or: [{ role: { eq: ADMIN } }, { role: { eq: VIEWER } }]",
                vec![1, 6],
            ),
        ] {
            let data = viewer.query(&format!("{{ memberships(filter: {{ {filter} }}, orderBy: [{{ field: NAME }}]) {{ nodes {{ user {{ name }} }} totalCount }} }}")).await;
            let expected: Vec<Value> = found
                .iter()
                .map(|n| json!({ "user": { "name": format!("Person {n}") } }))
                .collect();
            assert_eq!(
                data["memberships"],
                json!({ "nodes": expected, "totalCount": found.len() }),
                "{filter}"
            );
        }
    });
}

#[test]
fn people_and_teams_are_read_by_id_and_nested_both_ways() {
    test(async |world| {
        let document = "query($user: ID!, $team: ID!) {
            user(id: $user) { name membership { team { id name parent { id parent { id } } memberships { nodes { user { id } } } } } }
            person: node(id: $user) { id ... on User { name } } group: node(id: $team) { id ... on Team { name } }
            team(id: $team) { memberships(first: 1, orderBy: [{ field: NAME }]) { nodes { user { id } team { id } } pageInfo { hasNextPage } totalCount } } }";
        let (rep, west) = (A.user(Who::Rep), A.id::<TeamId>(1));
        let data = world
            .a(Who::OtherRep)
            .query_with(document, json!({ "user": rep, "team": west }))
            .await;
        assert_eq!(
            data["user"],
            json!({ "name": "Person 3", "membership": { "team": { "id": A.id::<TeamId>(2), "name": "North", "parent": { "id": west, "parent": null },
                "memberships": { "nodes": [{ "user": { "id": rep } }] } } } })
        );
        assert_eq!(
            (&data["person"]["name"], &data["group"]["name"]),
            (&json!("Person 3"), &json!("West"))
        );
        assert_eq!(
            data["team"]["memberships"],
            json!({ "nodes": [{ "user": { "id": A.user(Who::Manager) }, "team": { "id": west } }], "pageInfo": { "hasNextPage": true }, "totalCount": 3 })
        );
    });
}

/// Runs a mutation with its one input and asks for these fields beside the errors.
pub(crate) async fn act(client: &Client<'_>, mutation: &str, input: Value, fields: &str) -> Answer {
    let of = match mutation {
        "teamDelete" => "TeamRefInput".to_owned(),
        "invitationRevoke" => "InvitationRefInput".to_owned(),
        name => format!("{}{}Input", name[..1].to_uppercase(), &name[1..]),
    };
    let document = format!(
        "mutation($input: {of}!) {{ {mutation}(input: $input) {{ {fields} userErrors {{ code field message }} }} }}"
    );
    client.send(&document, json!({ "input": input })).await
}

/// The code of the first error of a mutation, empty when there is none.
pub(crate) async fn refusal(client: &Client<'_>, mutation: &str, input: Value) -> String {
    let answer = act(client, mutation, input, "").await;
    answer.user_error(mutation).0
}

/// Runs SQL that no policy binds.
pub(crate) async fn arrange(world: &World, sql: &str) {
    let mut superuser = world.database.superuser().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut superuser)
        .await
        .expect("the arrangement fits");
}

/// Reads one value that no policy hides.
pub(crate) async fn count(world: &World, sql: &str) -> i64 {
    let mut superuser = world.database.superuser().await;
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_one(&mut superuser)
        .await
        .expect("the question fits")
}

/// Lets members with the tenant's role 1, who are in the team West, do this and nothing else.
pub(crate) async fn let_closers(world: &World, permissions: &[&str]) {
    let permissions = permissions.join(",");
    let role = A.uuid("role", 1);
    arrange(
        world,
        &format!("UPDATE roles SET permissions = string_to_array('{permissions}', ','), masks = '{{}}' WHERE role_id = '{role}'"),
    )
    .await;
}
