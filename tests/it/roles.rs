//! Roles that tenants make: what they may be made of, who makes them, and that nobody rises by one.

use dealgraph::{
    access::{Role, Sensitive},
    base::ids::RoleId,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{A, Client, Who, World, test};

const CREATE: &str = "mutation($input: RoleCreateInput!) { roleCreate(input: $input) {
    role { id name description permissions masks version scopes { kind read write delete } } userErrors { code field message } } }";
const UPDATE: &str = "mutation($input: RoleUpdateInput!) { roleUpdate(input: $input) {
    role { id name description permissions masks version } userErrors { code field message } } }";
const DELETE: &str = "mutation($input: RoleRefInput!) { roleDelete(input: $input) { deletedId userErrors { code field } } }";

async fn create(client: &Client<'_>, input: Value) -> crate::harness::Answer {
    client.send(CREATE, json!({ "input": input })).await
}

async fn run(world: &World, sql: String) {
    let mut superuser = world.database.superuser().await;
    let done = raw_sql(AssertSqlSafe(sql)).execute(&mut superuser).await;
    done.expect("the arrangement fits");
}

/// What an admin may give away on purpose: everything of a role that sells.
fn seller(name: &str) -> Value {
    json!({ "name": name, "permissions": ["opportunities:read:team", "opportunities:write:own", "users:read"], "masks": ["EMAILS"] })
}

#[test]
fn an_admin_makes_changes_and_deletes_a_role() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let made = create(&admin, seller(" Hunter ")).await.data()["roleCreate"].clone();
        assert_eq!(made["userErrors"], json!([]));
        let role = &made["role"];
        assert_eq!(
            (&role["name"], &role["permissions"], &role["masks"]),
            (
                &json!("Hunter"),
                &json!([
                    "opportunities:read:team",
                    "opportunities:write:own",
                    "users:read"
                ]),
                &json!(["EMAILS"])
            )
        );
        assert_eq!(
            role["scopes"][3],
            json!({ "kind": "opportunities", "read": "TEAM", "write": "OWN", "delete": "NONE" })
        );
        let input = json!({ "id": role["id"], "expectedVersion": 1, "description": "New business", "permissions": ["leads:read:all"] });
        let changed =
            admin.query_with(UPDATE, json!({ "input": input })).await["roleUpdate"].clone();
        assert_eq!(
            (
                &changed["role"]["permissions"],
                &changed["role"]["version"],
                &changed["role"]["masks"]
            ),
            (&json!(["leads:read:all"]), &json!(2), &json!(["EMAILS"]))
        );
        let stale = admin.send(UPDATE, json!({ "input": input })).await;
        assert_eq!(stale.user_error("roleUpdate").0, "CONFLICT");
        assert_eq!(stale.data()["roleUpdate"]["role"]["version"], 2);
        let listed = admin
            .query("{ roles { nodes { name } totalCount } builtInRoles { role permissions } }")
            .await;
        assert_eq!(
            listed["roles"],
            json!({ "nodes": [{ "name": "Auditor" }, { "name": "Closer" }, { "name": "Hunter" }], "totalCount": 3 })
        );
        assert_eq!(listed["builtInRoles"][2]["role"], "SALES_REP");
        let sells = listed["builtInRoles"][2]["permissions"]
            .as_array()
            .expect("a list");
        assert!(
            sells.contains(&json!("opportunities:write:own")),
            "{sells:?}"
        );
        let gone = admin
            .query_with(DELETE, json!({ "input": { "id": role["id"] } }))
            .await;
        assert_eq!(
            gone["roleDelete"],
            json!({ "deletedId": role["id"], "userErrors": [] })
        );
        let logged = raw_logged(world, &["role.created", "role.updated", "role.deleted"]).await;
        assert_eq!(logged, 3, "each stands in the audit log");
    });
}

async fn raw_logged(world: &World, actions: &[&str]) -> i64 {
    let mut superuser = world.database.superuser().await;
    sqlx::query_scalar("SELECT count(DISTINCT action) FROM audit_log WHERE action = ANY($1)")
        .bind(actions)
        .fetch_one(&mut superuser)
        .await
        .unwrap()
}

#[test]
fn errors_of_a_role_name_their_field() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (permissions, code, field) in [
            (
                json!(["leads:read:all", "leads:steal:all"]),
                "UNKNOWN_PERMISSION",
                "input.permissions.1",
            ),
            (
                json!(["leads:read"]),
                "UNKNOWN_PERMISSION",
                "input.permissions.0",
            ),
            (
                json!(["audit:read:all"]),
                "UNKNOWN_PERMISSION",
                "input.permissions.0",
            ),
            (
                json!(["leads:read:own", "leads:write:team"]),
                "WIDER_THAN_NEEDED",
                "input.permissions",
            ),
            (
                json!(["leads:read:own", "leads:delete:own"]),
                "WIDER_THAN_NEEDED",
                "input.permissions",
            ),
            (
                json!(["users:write"]),
                "WIDER_THAN_NEEDED",
                "input.permissions",
            ),
        ] {
            let answer = create(&admin, json!({ "name": "Odd", "permissions": permissions })).await;
            assert_eq!(
                answer.user_error("roleCreate"),
                (code.to_owned(), field.to_owned()),
                "{permissions}"
            );
        }
        let taken = create(&admin, json!({ "name": "CLOSER ", "permissions": [] })).await;
        assert_eq!(
            taken.user_error("roleCreate"),
            ("TAKEN".to_owned(), "input.name".to_owned())
        );
        let blank = create(&admin, json!({ "name": " ", "permissions": [] })).await;
        assert_eq!(
            blank.user_error("roleCreate"),
            ("BLANK".to_owned(), "input.name".to_owned())
        );
    });
}

#[test]
fn a_tenant_makes_no_more_roles_than_its_quota_even_at_the_same_time() {
    test(async |world| {
        run(
            world,
            format!(
                "UPDATE tenants SET quota_roles = 4 WHERE tenant_id = '{}'",
                A.uuid("tenant", 1)
            ),
        )
        .await;
        let admin = world.a(Who::Admin);
        let names: Vec<_> = (0..6).map(|n| seller(&format!("Role {n}"))).collect();
        let made =
            futures_util::future::join_all(names.into_iter().map(|input| create(&admin, input)))
                .await;
        let codes: Vec<_> = made
            .iter()
            .map(|answer| answer.user_error("roleCreate").0)
            .collect();
        let full = codes
            .iter()
            .filter(|code| *code == "QUOTA_EXCEEDED")
            .count();
        assert_eq!((full, codes.len()), (4, 6), "{codes:?}");
    });
}

#[test]
fn a_role_that_a_member_has_stays() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let delete = async |id: &Value| {
            let answer = admin.send(DELETE, json!({ "input": { "id": id } })).await;
            answer.user_error("roleDelete").0
        };
        assert_eq!(
            delete(&json!(A.id::<RoleId>(1))).await,
            "IN_USE",
            "a member has it"
        );
        let role =
            create(&admin, seller("Program")).await.data()["roleCreate"]["role"]["id"].clone();
        let key = admin.query_with("mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) { apiKey { id } userErrors { code } } }",
            json!({ "input": { "name": "Loader", "role": "CUSTOM", "customRoleId": role } })).await["apiKeyCreate"]["apiKey"]["id"].clone();
        assert_eq!(delete(&role).await, "IN_USE", "a key works with it");
        admin.query_with("mutation($input: ApiKeyRefInput!) { apiKeyRevoke(input: $input) { userErrors { code } } }", json!({ "input": { "id": key } })).await;
        assert_eq!(delete(&role).await, "", "the key is over");
    });
}

#[test]
fn only_who_runs_the_tenant_writes_roles_and_none_gives_more_than_they_have() {
    test(async |world| {
        // A member who runs the tenant without all of its rights, and from whom amounts are masked.
        let permissions = "{users:read,users:write,admin,leads:read:team,leads:write:own}";
        let custom = A.uuid("role", 1);
        run(world, format!("UPDATE roles SET permissions = '{permissions}', masks = '{{amounts}}' WHERE role_id = '{custom}'")).await;
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Auditor,
            Who::Both,
        ] {
            let client = world.a(who);
            let made = create(&client, json!({ "name": "Mine", "permissions": [] })).await;
            assert_eq!(made.user_error("roleCreate").0, "FORBIDDEN", "{who:?}");
            let raised = client.send(UPDATE, json!({ "input": { "id": A.id::<RoleId>(2), "permissions": ["admin", "users:read"] } })).await;
            assert_eq!(raised.user_error("roleUpdate").0, "FORBIDDEN", "{who:?}");
            let gone = client
                .send(DELETE, json!({ "input": { "id": A.id::<RoleId>(2) } }))
                .await;
            assert_eq!(gone.user_error("roleDelete").0, "FORBIDDEN", "{who:?}");
        }
        let half = world.a(Who::Closer);
        for (permissions, masks, code) in [
            (json!(["leads:read:team"]), json!(["AMOUNTS"]), ""),
            (json!(["leads:read:all"]), json!(["AMOUNTS"]), "FORBIDDEN"),
            (
                json!(["leads:read:team", "leads:write:team"]),
                json!(["AMOUNTS"]),
                "FORBIDDEN",
            ),
            (json!(["audit:read"]), json!(["AMOUNTS"]), "FORBIDDEN"),
            (json!(["leads:read:own"]), json!([]), "FORBIDDEN"),
        ] {
            let input = json!({ "name": format!("{permissions}{masks}"), "permissions": permissions, "masks": masks });
            let made = create(&half, input).await;
            assert_eq!(
                made.user_error("roleCreate").0,
                code,
                "{permissions} {masks}"
            );
        }
        // Their own role neither, nor that of others.
        for role in [1, 2] {
            let more = json!({ "id": A.id::<RoleId>(role), "permissions": ["admin", "users:read", "users:write", "leads:read:all"], "masks": ["AMOUNTS"] });
            let raised = half.send(UPDATE, json!({ "input": more })).await;
            assert_eq!(
                raised.user_error("roleUpdate").0,
                "FORBIDDEN",
                "role {role}"
            );
            let unmasked = half
                .send(
                    UPDATE,
                    json!({ "input": { "id": A.id::<RoleId>(role), "masks": [] } }),
                )
                .await;
            assert_eq!(
                unmasked.user_error("roleUpdate").0,
                "FORBIDDEN",
                "role {role}"
            );
        }
        let named = half
            .send(
                UPDATE,
                json!({ "input": { "id": A.id::<RoleId>(2), "description": "Looks on" } }),
            )
            .await;
        assert_eq!(
            named.user_error("roleUpdate").0,
            "",
            "what it is for is not a right"
        );
    });
}

#[test]
fn a_change_of_a_role_reaches_who_has_it_within_a_second() {
    test(async |world| {
        let (admin, closer) = (world.a(Who::Admin), world.a(Who::Closer));
        let sees = "{ viewer { customRole { id } masks scopes { kind read } can(permission: \"leads:read:all\") } leads { totalCount } }";
        let before = closer.query(sees).await;
        assert_eq!(before["viewer"]["masks"], json!(["EMAILS", "PHONES"]));
        assert_eq!(
            (&before["leads"]["totalCount"], &before["viewer"]["can"]),
            (&json!(0), &json!(false))
        );
        let input = json!({ "id": A.id::<RoleId>(1), "permissions": ["leads:read:all", "users:read"], "masks": ["PHONES"] });
        admin.query_with(UPDATE, json!({ "input": input })).await;
        let logged: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM access_changes WHERE tenant_id = $1 AND user_id IS NULL AND changed_at > now() - interval '1 minute'",
        )
        .bind(A.uuid("tenant", 1))
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
        assert_eq!(logged, 1, "all servers are notified");
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        let after = closer.query(sees).await;
        assert_eq!(after["viewer"]["masks"], json!(["PHONES"]));
        assert_eq!(
            (&after["leads"]["totalCount"], &after["viewer"]["can"]),
            (&json!(4), &json!(true))
        );
    });
}

#[test]
fn the_rights_of_a_role_are_found_by_its_id_and_by_nothing_else() {
    test(async |world| {
        let session = world.db.read_session(A.actor(Who::Rep));
        let rights = async |role, id| {
            session
                .run(async |tx| dealgraph::organization::roles::rights(tx, role, id).await)
                .await
        };
        let closer = rights(Role::Custom, Some(A.id(1)))
            .await
            .expect("it is there");
        assert_eq!(closer.masks(), [Sensitive::Emails, Sensitive::Phones]);
        assert_eq!(
            rights(Role::Viewer, None).await.expect("built in"),
            Role::Viewer.rights()
        );
        for (role, id, code, field) in [
            (Role::Custom, None, "INVALID_ROLE", "role"),
            (Role::Viewer, Some(A.id(1)), "INVALID_ROLE", "role"),
            (
                Role::Custom,
                Some(crate::harness::B.id(1)),
                "NOT_FOUND",
                "customRoleId",
            ),
        ] {
            let error = rights(role, id).await.expect_err("refused");
            assert_eq!((error.code(), error.field()), (code, Some(field)));
        }
    });
}
