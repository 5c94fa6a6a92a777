//! Keys of programs: who makes them, how they end, and that none is stronger than its maker.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use dealgraph::{
    access::{Actor, Membership, Rights, Role, Standing, Subject},
    base::{
        clock::Clock,
        ids::{ApiKeyId, CompanyId, RoleId, TeamId, Typed as _},
    },
    db::journal::Origin,
    organization::api_keys::{self, NewApiKey, narrowed},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{A, Answer, B, Client, Who, World, test};

const CREATE: &str = "mutation($input: ApiKeyCreateInput!) { apiKeyCreate(input: $input) {
    apiKey { id name hint status role permissions team { id } expiresAt revokedAt createdBy { kind user { id } } version }
    secret userErrors { code field message } } }";
const ROTATE: &str = "mutation($input: ApiKeyRotateInput!) { apiKeyRotate(input: $input) {
    apiKey { id name role permissions expiresAt rotatedFrom { id status expiresAt } } secret userErrors { code field } } }";
const UPDATE: &str = "mutation($input: ApiKeyUpdateInput!) { apiKeyUpdate(input: $input) { apiKey { name expiresAt version } userErrors { code field } } }";
const REVOKE: &str = "mutation($input: ApiKeyRefInput!) { apiKeyRevoke(input: $input) { apiKey { status revokedAt version } userErrors { code field } } }";

async fn create(client: &Client<'_>, input: Value) -> Answer {
    client.send(CREATE, json!({ "input": input })).await
}

/// A key that the admin makes, and its secret.
async fn made(world: &World, input: Value) -> (Value, String) {
    let made = create(&world.a(Who::Admin), input).await.data()["apiKeyCreate"].clone();
    assert_eq!(made["userErrors"], json!([]), "{made}");
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    (made["apiKey"].clone(), secret)
}

async fn run(world: &World, sql: String) {
    let mut superuser = world.database.superuser().await;
    let done = raw_sql(AssertSqlSafe(sql)).execute(&mut superuser).await;
    done.expect("the arrangement fits");
}

fn now() -> DateTime<Utc> {
    Clock::system().now()
}

fn time(value: &Value) -> DateTime<Utc> {
    value
        .as_str()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| panic!("{value} is no time"))
}

#[test]
fn a_key_is_shown_once_and_only_its_hash_is_kept() {
    test(async |world| {
        let (key, secret) = made(
            world,
            json!({ "name": " Loader ", "role": "VIEWER", "expiresInDays": 30 }),
        )
        .await;
        assert!(secret.starts_with("dgk_") && secret.len() > 80);
        let hint = key["hint"].as_str().expect("a hint");
        assert!(secret.ends_with(hint.trim_start_matches("dgk_…")) && hint.len() < 14);
        assert_eq!(
            (
                &key["name"],
                &key["status"],
                &key["role"],
                &key["permissions"]
            ),
            (
                &json!("Loader"),
                &json!("ACTIVE"),
                &json!("VIEWER"),
                &Value::Null
            )
        );
        assert_eq!(
            key["createdBy"],
            json!({ "kind": "USER", "user": { "id": A.user(Who::Admin) } })
        );
        let days = (time(&key["expiresAt"]) - now()).num_hours();
        assert!((719..=720).contains(&days), "{days}");
        let everywhere: Vec<String> = sqlx::query_scalar(
            "SELECT to_jsonb(t)::text FROM api_keys t UNION ALL SELECT to_jsonb(t)::text FROM events t UNION ALL SELECT to_jsonb(t)::text FROM audit_log t")
            .fetch_all(&mut world.database.superuser().await).await.unwrap();
        let random = &secret[secret.len() - 20..];
        assert!(everywhere.iter().any(|row| row.contains("apiKey.created")));
        assert!(
            everywhere.iter().all(|row| !row.contains(random)),
            "the secret was kept"
        );
        assert!(!world.log().contains(random), "the secret was logged");
        let listed = world
            .a(Who::Auditor)
            .query("{ apiKeys { nodes { name createdBy { user { name } } } totalCount } }")
            .await;
        assert_eq!(
            listed["apiKeys"]["totalCount"], 2,
            "who runs integrations sees keys"
        );
        let hidden = world
            .a(Who::Manager)
            .query("{ apiKeys { totalCount } }")
            .await;
        assert_eq!(hidden["apiKeys"]["totalCount"], 0, "nobody else does");
    });
}

#[test]
fn errors_of_a_key_name_their_field() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        for (input, code, field) in [
            (
                json!({ "name": " ", "role": "VIEWER" }),
                "BLANK",
                "input.name",
            ),
            (
                json!({ "name": "x", "role": "CUSTOM" }),
                "INVALID_ROLE",
                "input.role",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "customRoleId": A.id::<RoleId>(1) }),
                "INVALID_ROLE",
                "input.role",
            ),
            (
                json!({ "name": "x", "role": "CUSTOM", "customRoleId": RoleId::new() }),
                "NOT_FOUND",
                "input.customRoleId",
            ),
            (
                json!({ "name": "x", "role": "CUSTOM", "customRoleId": B.id::<RoleId>(1) }),
                "NOT_FOUND",
                "input.customRoleId",
            ),
            (
                json!({ "name": "x", "role": "MANAGER", "teamId": B.id::<TeamId>(1) }),
                "NOT_FOUND",
                "input.teamId",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "permissions": ["leads:read:all", "leads:read"] }),
                "UNKNOWN_PERMISSION",
                "input.permissions.1",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "permissions": ["leads:read:all", "leads:write:own"] }),
                "WIDER_THAN_ROLE",
                "input.permissions",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "permissions": ["leads:write:own"] }),
                "WIDER_THAN_NEEDED",
                "input.permissions",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "expiresInDays": 0 }),
                "OUT_OF_RANGE",
                "input.expiresInDays",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "expiresAt": "2020-01-01T00:00:00Z" }),
                "OUT_OF_RANGE",
                "input.expiresAt",
            ),
            (
                json!({ "name": "x", "role": "VIEWER", "expiresInDays": 1, "expiresAt": "2120-01-01T00:00:00Z" }),
                "INVALID_EXPIRY",
                "input.expiresInDays",
            ),
        ] {
            let answer = create(&admin, input.clone()).await;
            assert_eq!(
                answer.user_error("apiKeyCreate"),
                (code.to_owned(), field.to_owned()),
                "{input}"
            );
            assert_eq!(
                answer.data()["apiKeyCreate"]["secret"],
                Value::Null,
                "{input}"
            );
        }
        run(
            world,
            format!(
                "UPDATE tenants SET quota_api_keys = 1 WHERE tenant_id = '{}'",
                A.uuid("tenant", 1)
            ),
        )
        .await;
        let full = create(&admin, json!({ "name": "x", "role": "VIEWER" })).await;
        assert_eq!(full.user_error("apiKeyCreate").0, "QUOTA_EXCEEDED");
        run(
            world,
            format!(
                "UPDATE api_keys SET revoked_at = now() WHERE tenant_id = '{}'",
                A.uuid("tenant", 1)
            ),
        )
        .await;
        made(
            world,
            json!({ "name": "the revoked one does not count", "role": "VIEWER" }),
        )
        .await;
    });
}

#[test]
fn a_key_ends_earlier_but_never_later_and_is_revoked_for_good() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let (key, _) = made(
            world,
            json!({ "name": "Loader", "role": "VIEWER", "expiresInDays": 10 }),
        )
        .await;
        let change = async |with: Value| {
            let mut input = json!({ "id": key["id"] });
            input
                .as_object_mut()
                .expect("an object")
                .extend(with.as_object().expect("an object").clone());
            admin.send(UPDATE, json!({ "input": input })).await
        };
        let at = |days| (now() + TimeDelta::days(days)).to_rfc3339();
        assert_eq!(
            change(json!({ "expiresAt": at(11) }))
                .await
                .user_error("apiKeyUpdate"),
            ("OUT_OF_RANGE".to_owned(), "input.expiresAt".to_owned())
        );
        assert_eq!(
            change(json!({ "expiresAt": at(-1) }))
                .await
                .user_error("apiKeyUpdate")
                .0,
            "OUT_OF_RANGE"
        );
        let sooner =
            change(json!({ "expiresAt": at(5), "name": "Loader 2", "expectedVersion": 1 }))
                .await
                .data();
        assert_eq!(
            (
                &sooner["apiKeyUpdate"]["apiKey"]["name"],
                &sooner["apiKeyUpdate"]["apiKey"]["version"]
            ),
            (&json!("Loader 2"), &json!(2))
        );
        assert_eq!(
            change(json!({ "name": "x", "expectedVersion": 1 }))
                .await
                .user_error("apiKeyUpdate")
                .0,
            "CONFLICT"
        );
        let revoke = json!({ "input": { "id": key["id"] } });
        let revoked =
            admin.query_with(REVOKE, revoke.clone()).await["apiKeyRevoke"]["apiKey"].clone();
        assert_eq!(revoked["status"], "REVOKED");
        let again = admin.query_with(REVOKE, revoke).await["apiKeyRevoke"]["apiKey"].clone();
        assert_eq!(again, revoked, "once is enough");
        let rotate = admin
            .send(ROTATE, json!({ "input": { "id": key["id"] } }))
            .await;
        assert_eq!(
            rotate.user_error("apiKeyRotate"),
            ("NOT_ACTIVE".to_owned(), "input.id".to_owned())
        );
        let changes: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM access_changes WHERE tenant_id = $1 AND user_id = $2",
        )
        .bind(A.uuid("tenant", 1))
        .bind(
            key["id"]
                .as_str()
                .and_then(|id| id.parse::<ApiKeyId>().ok())
                .expect("an id")
                .uuid(),
        )
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
        assert_eq!(changes, 2, "all servers are notified of both changes");
    });
}

#[test]
fn a_rotated_key_goes_on_for_the_overlap_and_has_one_successor() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let (key, secret) = made(world, json!({ "name": "Loader", "role": "VIEWER", "permissions": ["leads:read:all"], "expiresInDays": 10 })).await;
        for hours in [-1, 169] {
            let bad = admin
                .send(
                    ROTATE,
                    json!({ "input": { "id": key["id"], "overlapHours": hours } }),
                )
                .await;
            assert_eq!(
                bad.user_error("apiKeyRotate"),
                ("OUT_OF_RANGE".to_owned(), "input.overlapHours".to_owned())
            );
        }
        let rotated = admin
            .query_with(ROTATE, json!({ "input": { "id": key["id"] } }))
            .await["apiKeyRotate"]
            .clone();
        let new = &rotated["apiKey"];
        assert_ne!(rotated["secret"], json!(secret));
        assert_eq!(
            (&new["name"], &new["role"], &new["permissions"]),
            (
                &json!("Loader"),
                &json!("VIEWER"),
                &json!(["leads:read:all"])
            )
        );
        assert_eq!(
            new["expiresAt"], key["expiresAt"],
            "the new one lives as long as the old one would have"
        );
        assert_eq!(
            (&new["rotatedFrom"]["id"], &new["rotatedFrom"]["status"]),
            (&key["id"], &json!("ACTIVE"))
        );
        let left = (time(&new["rotatedFrom"]["expiresAt"]) - now()).num_minutes();
        assert!((23 * 60..=24 * 60).contains(&left), "{left} minutes");
        let twice = admin
            .send(ROTATE, json!({ "input": { "id": key["id"] } }))
            .await;
        assert_eq!(twice.user_error("apiKeyRotate").0, "ROTATED");
        let at_once = admin
            .query_with(
                ROTATE,
                json!({ "input": { "id": new["id"], "overlapHours": 0 } }),
            )
            .await;
        assert_eq!(
            at_once["apiKeyRotate"]["apiKey"]["rotatedFrom"]["status"],
            "EXPIRED"
        );
    });
}

#[test]
fn nobody_makes_or_rotates_a_key_that_is_stronger_than_they_are() {
    test(async |world| {
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
            Who::Both,
        ] {
            let refused = create(
                &world.a(who),
                json!({ "name": "x", "role": "VIEWER", "permissions": [] }),
            )
            .await;
            assert_eq!(refused.user_error("apiKeyCreate").0, "FORBIDDEN", "{who:?}");
        }
        let auditor = world.a(Who::Auditor);
        let own = json!({ "name": "x", "role": "CUSTOM", "customRoleId": A.id::<RoleId>(2) });
        for (role, permissions, code) in [
            ("ADMIN", None, "FORBIDDEN"),
            ("ADMIN", Some(json!(["users:read"])), "FORBIDDEN"),
            ("VIEWER", None, "FORBIDDEN"),
            // It would show amounts, which its maker is not shown.
            (
                "VIEWER",
                Some(json!(["opportunities:read:all"])),
                "FORBIDDEN",
            ),
        ] {
            let mut input = json!({ "name": "x", "role": role });
            if let Some(permissions) = &permissions {
                input["permissions"] = permissions.clone();
            }
            let answer = create(&auditor, input).await;
            assert_eq!(
                answer.user_error("apiKeyCreate").0,
                code,
                "{role} {permissions:?}"
            );
        }
        assert_eq!(
            create(&auditor, own).await.user_error("apiKeyCreate").0,
            "",
            "their own role they may"
        );
        let (strong, _) = made(world, json!({ "name": "Strong", "role": "ADMIN" })).await;
        let (wide, _) = made(world, json!({ "name": "Wide", "role": "ANALYST" })).await;
        for key in [&strong, &wide] {
            let rotated = auditor
                .send(ROTATE, json!({ "input": { "id": key["id"] } }))
                .await;
            assert_eq!(rotated.user_error("apiKeyRotate").0, "FORBIDDEN");
            assert_eq!(rotated.data()["apiKeyRotate"]["secret"], Value::Null);
        }
        let ended = auditor
            .send(REVOKE, json!({ "input": { "id": strong["id"] } }))
            .await;
        assert_eq!(
            ended.user_error("apiKeyRevoke").0,
            "FORBIDDEN",
            "an admin's key is an admin's"
        );
    });
}

#[test]
fn a_key_is_put_into_no_team_that_its_maker_does_not_reach() {
    test(async |world| {
        let permissions = "{leads:read:team,users:read,integrations:write}";
        run(world, format!("UPDATE roles SET permissions = '{permissions}', masks = '{{}}' WHERE role_id = '{}'", A.uuid("role", 1))).await;
        let closer = world.a(Who::Closer);
        let role = A.id::<RoleId>(1);
        for (team, code) in [(1, ""), (2, ""), (3, "FORBIDDEN")] {
            let input = json!({ "name": "x", "role": "CUSTOM", "customRoleId": role, "teamId": A.id::<TeamId>(team) });
            assert_eq!(
                create(&closer, input).await.user_error("apiKeyCreate").0,
                code,
                "team {team}"
            );
        }
        // Without the team's scope a team gives nothing away.
        let input = json!({ "name": "x", "role": "CUSTOM", "customRoleId": role, "permissions": ["leads:read:own"], "teamId": A.id::<TeamId>(3) });
        assert_eq!(
            create(&closer, input).await.user_error("apiKeyCreate").0,
            ""
        );
    });
}

fn program(rights: Rights, expires_at: DateTime<Utc>) -> Arc<Actor> {
    let membership = Membership {
        tenant: A.tenant(),
        role: Role::Custom,
        custom_role: Some(A.id(2)),
        rights: Arc::new(rights),
        team_path: None,
        standing: Standing::Active,
    };
    Arc::new(Actor::new(Subject::Key(A.id(1)), membership, expires_at))
}

#[test]
fn a_key_makes_no_stronger_and_no_longer_living_key() {
    test(async |world| {
        let soon = now() + TimeDelta::days(2);
        let permissions = ["leads:read:all", "users:read", "integrations:write"].map(str::to_owned);
        let rights = Rights::parse(&permissions, &[]).expect("sound");
        let key = program(rights, soon);
        let new = |permissions: &[&str], days| NewApiKey {
            trusted_documents_only: false,
            name: "x".to_owned(),
            role: Role::Viewer,
            custom_role: None,
            permissions: Some(permissions.iter().map(|&text| text.to_owned()).collect()),
            team: None,
            expires_at: None,
            expires_in_days: days,
        };
        let origin = Origin::process("test".to_owned());
        let tried = async |new: NewApiKey| {
            let outcome = world
                .db
                .write(&key, &origin, async |tx| api_keys::create(tx, new).await)
                .await;
            outcome.map_or_else(|error| error.code(), |_| "")
        };
        assert_eq!(tried(new(&["leads:read:all"], Some(1))).await, "");
        assert_eq!(
            tried(new(&["leads:read:all", "contacts:read:all"], Some(1))).await,
            "FORBIDDEN"
        );
        assert_eq!(
            tried(new(&["leads:read:all"], Some(3))).await,
            "FORBIDDEN",
            "it would outlive its maker"
        );
        assert_eq!(
            tried(new(&["leads:read:all"], None)).await,
            "FORBIDDEN",
            "it would never end"
        );
        let mut admin = new(&[], Some(1));
        admin.role = Role::Admin;
        assert_eq!(tried(admin).await, "FORBIDDEN");
        let by: String =
            sqlx::query_scalar("SELECT created_by FROM api_keys WHERE name = 'x' LIMIT 1")
                .fetch_one(&mut world.database.superuser().await)
                .await
                .unwrap();
        assert_eq!(by, A.id::<ApiKeyId>(1).to_string());
    });
}

#[test]
fn what_a_program_does_stands_in_its_own_name_and_belongs_to_nobody() {
    test(async |world| {
        let (key, secret) = made(world, json!({ "name": "Loader", "role": "ADMIN" })).await;
        let loader = world.stranger(Some(secret));
        let me = loader.query("{ viewer { id role user { id } permissions } dueActions(scope: MINE) { overdue { totalCount } upcoming { totalCount } } }").await;
        assert_eq!(
            (&me["viewer"]["id"], &me["viewer"]["user"]),
            (&key["id"], &Value::Null)
        );
        assert_eq!(me["dueActions"]["overdue"]["totalCount"], 0);
        let made = loader.query("mutation { companyCreate(input: { name: \"By a program\" }) { company { id owner { id } createdBy { kind source user { id } apiKey { id name } } } userErrors { code } }
            leadCreate(input: { firstName: \"A\", lastName: \"B\" }) { lead { owner { id } } userErrors { code } }
            contactCreate(input: { firstName: \"A\", lastName: \"B\" }) { contact { owner { id } } userErrors { code } }
            opportunityCreate(input: { name: \"D\", nextAction: { at: \"2026-12-01T09:00:00Z\", kind: CALL } }) { opportunity { id owner { id } nextAction { owner { id } } } userErrors { code } }
            activityCreate(input: { kind: CALL, subject: \"x\" }) { activity { owner { id } } userErrors { code } } }").await;
        let company = &made["companyCreate"]["company"];
        assert_eq!(
            company["createdBy"],
            json!({ "kind": "API_KEY", "source": null, "user": null, "apiKey": { "id": key["id"], "name": "Loader" } })
        );
        for (mutation, of) in [
            ("companyCreate", "company"),
            ("leadCreate", "lead"),
            ("contactCreate", "contact"),
            ("opportunityCreate", "opportunity"),
            ("activityCreate", "activity"),
        ] {
            assert_eq!(made[mutation]["userErrors"], json!([]), "{mutation}");
            assert_eq!(made[mutation][of]["owner"], Value::Null, "{mutation}");
        }
        let seen = world
            .a(Who::Viewer)
            .query(&format!(
                "{{ company(id: {}) {{ createdBy {{ kind apiKey {{ id }} }} }} }}",
                company["id"]
            ))
            .await;
        assert_eq!(
            seen["company"]["createdBy"],
            json!({ "kind": "API_KEY", "apiKey": null }),
            "who may not see keys sees none"
        );
        let actor: String = sqlx::query_scalar(
            "SELECT actor FROM audit_log WHERE action = 'company.created' AND entity_id = $1",
        )
        .bind(
            company["id"]
                .as_str()
                .and_then(|id| id.parse::<CompanyId>().ok())
                .expect("an id")
                .uuid(),
        )
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap();
        assert_eq!(json!(actor), key["id"]);
    });
}

#[test]
fn a_program_reaches_no_more_than_its_key_was_narrowed_to() {
    test(async |world| {
        let (_, secret) = made(world, json!({ "name": "Reader", "role": "MANAGER", "teamId": A.id::<TeamId>(1), "permissions": ["leads:read:team", "opportunities:read:own", "opportunities:write:own"] })).await;
        let reader = world.stranger(Some(secret));
        let seen = reader.query("{ viewer { permissions can(permission: \"leads:write\") } leads { totalCount } opportunities { totalCount } companies { totalCount } }").await;
        assert_eq!(
            seen["viewer"],
            json!({ "permissions": ["leads:read", "opportunities:read", "opportunities:write"], "can": false })
        );
        assert_eq!(
            (
                &seen["leads"]["totalCount"],
                &seen["opportunities"]["totalCount"],
                &seen["companies"]["totalCount"]
            ),
            (&json!(2), &json!(0), &json!(0)),
            "the team's leads, and of its own deals none"
        );
        let refused = reader
            .send(
                "mutation { opportunityCreate(input: { name: \"D\" }) { userErrors { code } } }",
                json!({}),
            )
            .await;
        assert_eq!(
            refused.user_error("opportunityCreate").0,
            "FORBIDDEN",
            "a key owns nothing, so its own scope reaches nothing"
        );
        for (mutation, input) in [
            ("roleCreate", json!({ "name": "x", "permissions": [] })),
            (
                "apiKeyCreate",
                json!({ "name": "x", "role": "VIEWER", "permissions": [] }),
            ),
        ] {
            let input_type = format!("{}{}Input", mutation[..1].to_uppercase(), &mutation[1..]);
            let document = format!(
                "mutation($input: {input_type}!) {{ {mutation}(input: $input) {{ userErrors {{ code }} }} }}"
            );
            assert_eq!(
                reader
                    .send(&document, json!({ "input": input }))
                    .await
                    .user_error(mutation)
                    .0,
                "FORBIDDEN",
                "{mutation}"
            );
        }
    });
}

#[test]
fn a_revoked_or_wrong_key_opens_nothing() {
    test(async |world| {
        let (key, secret) = made(world, json!({ "name": "Loader", "role": "VIEWER" })).await;
        let ask = async |secret: String| {
            world
                .stranger(Some(secret))
                .send("{ viewer { id } }", json!({}))
                .await
        };
        assert_eq!(ask(secret.clone()).await.data()["viewer"]["id"], key["id"]);
        let mut wrong = secret.clone();
        wrong.replace_range(wrong.len() - 3.., "AAA");
        assert_eq!(ask(wrong).await.code(), "UNAUTHENTICATED");
        world
            .a(Who::Admin)
            .query_with(REVOKE, json!({ "input": { "id": key["id"] } }))
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(1_600)).await;
        assert_eq!(ask(secret).await.code(), "UNAUTHENTICATED");
    });
}

#[test]
fn a_narrowed_key_has_what_role_and_list_have_in_common() {
    let list = ["leads:read:team".to_owned(), "admin".to_owned()];
    let rights = narrowed(&Role::Viewer.rights(), Some(&list));
    assert_eq!(rights.granted(), ["leads:read:team"]);
}
