//! Nobody rises by what they send: not by a role, a permission, a team, an owner, nor by a field that is not theirs.
//! All from the schema, so that a mutation which comes later is tried too.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use dealgraph::base::ids::TeamId;

use crate::harness::{
    A, Answer, B, Client, Schema, Who, World, global_id, kind_of_operation, test,
};

/// All who are no admins.
const NO_ADMINS: [Who; 8] = [
    Who::Manager,
    Who::Rep,
    Who::OtherRep,
    Who::Analyst,
    Who::Viewer,
    Who::Both,
    Who::Closer,
    Who::Auditor,
];

/// Fields of inputs that say what a member may do or which team they are in.
const POWERS: [&str; 5] = ["role", "customRoleId", "permissions", "masks", "teamId"];

/// Fields that no client sets, in any spelling that a careless input could have.
const NOBODYS: [&str; 14] = [
    "tenantId",
    "tenant",
    "createdBy",
    "updatedBy",
    "createdAt",
    "updatedAt",
    "visibleTo",
    "teamPath",
    "sharedWith",
    "version",
    "archivedAt",
    "secretHash",
    "targetsVisibleTo",
    "nameNormalized",
];

#[test]
fn nobody_gives_power_by_any_mutation_that_takes_it() {
    test(async |world| {
        let schema = Schema::of_server();
        let mutations = || {
            schema.fields("Mutation").iter().filter(|mutation| {
                let input = mutation.argument("input");
                let fields = input.map_or(&[][..], |input| schema.fields(&input.of.name));
                fields
                    .iter()
                    .any(|field| POWERS.contains(&field.name.as_str()))
            })
        };
        // Who runs integrations may make keys, of their own rights at most; that is tried elsewhere.
        let before = powers(world).await;
        let mut tried = 0;
        for mutation in mutations() {
            for who in NO_ADMINS {
                for input in inputs(&schema, mutation, who) {
                    let answer = send(&world.a(who), mutation, &input).await;
                    let refused = answer.body.get("errors").is_some()
                        || !answer.user_error(&mutation.name).0.is_empty();
                    assert!(
                        refused,
                        "{who:?} {} {input}: {}",
                        mutation.name, answer.body
                    );
                    tried += 1;
                }
            }
        }
        assert_eq!(powers(world).await, before, "something was given");
        assert!(tried >= 4 * NO_ADMINS.len(), "{tried} tries");
        for mutation in mutations() {
            for input in inputs(&schema, mutation, Who::Viewer) {
                send(&world.a(Who::Admin), mutation, &input).await;
            }
        }
        assert_ne!(powers(world).await, before, "the same by an admin gives");
    });
}

/// What a member would send to gain power: for themselves where a person is named, with all that there is to have.
fn inputs(schema: &Schema, mutation: &crate::harness::Field, who: Who) -> Vec<Value> {
    let of = &mutation.argument("input").expect("an input").of.name;
    let fields = schema.fields(of);
    let mut least = schema.least_input(of, A);
    for field in fields {
        match field.name.as_str() {
            "id" => {
                let kind = kind_of_operation(&mutation.name);
                least["id"] = match field.of.is_required {
                    true => json!(global_id(kind, A.uuid(kind, 1))),
                    false => continue,
                };
            }
            "userId" => least["userId"] = json!(A.user(who)),
            "name" => least["name"] = json!(format!("{} of {who:?}", mutation.name)),
            "email" => least["email"] = json!("rise@shared.example"),
            _ => {}
        }
    }
    if least.get("id").is_some_and(Value::is_null) {
        least.as_object_mut().expect("an object").remove("id");
    }
    let is_there = |name: &str| fields.iter().any(|field| field.name == name);
    let mut inputs = Vec::new();
    if is_there("role") {
        let mut input = least.clone();
        input["role"] = json!("ADMIN");
        inputs.push(input);
    } else if is_there("permissions") {
        let mut input = least.clone();
        input["permissions"] = json!(["admin", "users:read", "users:write"]);
        inputs.push(input);
    }
    if is_there("masks") {
        let mut input = least.clone();
        input["masks"] = json!([]);
        input["permissions"] = json!(["opportunities:read:all", "contacts:read:all"]);
        inputs.push(input);
    }
    if is_there("teamId") && is_there("role") {
        let mut input = least;
        (input["role"], input["teamId"]) = (json!("MANAGER"), json!(A.id::<TeamId>(3)));
        inputs.push(input);
    }
    inputs
}

async fn send(client: &Client<'_>, mutation: &crate::harness::Field, input: &Value) -> Answer {
    let of = &mutation.argument("input").expect("an input").of.name;
    let document = format!(
        "mutation($input: {of}!) {{ {}(input: $input) {{ userErrors {{ code field message }} }} }}",
        mutation.name
    );
    client.send(&document, json!({ "input": input })).await
}

/// Who may do what where, in one text.
async fn powers(world: &World) -> String {
    let tables = [
        (
            "memberships",
            "user_id::text || role || coalesce(role_id::text, '') || coalesce(team_path, '')",
        ),
        ("roles", "role_id::text || permissions::text || masks::text"),
        (
            "api_keys",
            "api_key_id::text || role || coalesce(permissions::text, '') || coalesce(team_path, '')",
        ),
        (
            "invitations",
            "invitation_id::text || role || coalesce(role_id::text, '') || coalesce(team_id::text, '')",
        ),
        ("teams", "team_id::text || path"),
    ];
    let mut text = String::new();
    let mut superuser = world.database.superuser().await;
    for (table, row) in tables {
        let sql = format!("SELECT coalesce(string_agg({row}, E'\\n' ORDER BY 1), '') FROM {table}");
        let rows: String = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        text += &format!("{table}\n{rows}\n");
    }
    text
}

#[test]
fn nobody_gives_a_record_away_beyond_the_rows_they_reach() {
    test(async |world| {
        let schema = Schema::of_server();
        // Activities of nobody's record: what they are about would let others see them as well.
        raw_sql("UPDATE activities SET targets_visible_to = ''; UPDATE activity_targets SET target_visible_to = ''")
            .execute(&mut world.database.superuser().await)
            .await
            .unwrap();
        let mut tried = 0;
        for mutation in schema.fields("Mutation") {
            let Some(input) = mutation.argument("input") else {
                continue;
            };
            let of = &input.of.name;
            let fields = schema.fields(of);
            if !fields.iter().any(|field| field.name == "ownerId") {
                continue;
            }
            let is_change = fields
                .iter()
                .any(|field| field.name == "id" && field.of.is_required);
            // Row 1 is the rep's; the other rep sits in another team.
            for (who, to, code) in [
                (Who::Rep, Who::OtherRep, "FORBIDDEN"),
                (Who::Rep, Who::Manager, "FORBIDDEN"),
                (Who::Manager, Who::OtherRep, "FORBIDDEN"),
                (Who::Manager, Who::Rep, ""),
                (Who::Viewer, Who::Viewer, "FORBIDDEN"),
            ] {
                // Forms are made by those alone who may give any lead to anybody.
                let code = match mutation.name.starts_with("leadForm") {
                    true => "FORBIDDEN",
                    false => code,
                };
                let mut input = schema.least_input(of, A);
                let kind = kind_of_operation(&mutation.name);
                match is_change {
                    true => input["id"] = json!(global_id(kind, A.uuid(kind, 1))),
                    false => {
                        input.as_object_mut().expect("an object").remove("id");
                    }
                }
                input["ownerId"] = json!(A.user(to));
                let answer = send(&world.a(who), mutation, &input).await;
                assert_eq!(
                    answer.user_error(&mutation.name).0,
                    code,
                    "{who:?} to {to:?}: {} {input} {}",
                    mutation.name,
                    answer.body
                );
                tried += 1;
            }
            let mut input = schema.least_input(of, A);
            if is_change {
                let kind = kind_of_operation(&mutation.name);
                input["id"] = json!(global_id(kind, A.uuid(kind, 1)));
            }
            input["ownerId"] = json!(B.user(Who::Rep));
            let answer = send(&world.a(Who::Admin), mutation, &input).await;
            assert_eq!(
                answer.user_error(&mutation.name),
                ("NOT_FOUND".to_owned(), "input.ownerId".to_owned()),
                "{}",
                mutation.name
            );
        }
        assert!(tried >= 50, "{tried} tries");
    });
}

#[test]
fn a_field_that_nobody_sets_is_refused_wherever_it_is_sent() {
    test(async |world| {
        let schema = Schema::of_server();
        let admin = world.a(Who::Admin);
        let before: i64 = rows(world).await;
        let of_tenant = [
            "company",
            "contact",
            "lead",
            "opportunity",
            "activity",
            "pipeline",
            "stage",
            "product",
            "role",
            "apiKey",
            "inbound",
            "integration",
            "webhookEndpoint",
            "member",
            "invitation",
            "team",
            "tenant",
        ];
        let about = |kinds: &[&str], name: &str| kinds.iter().any(|kind| name.starts_with(kind));
        for mutation in schema.fields("Mutation") {
            let Some(input) = mutation
                .argument("input")
                .filter(|_| about(&of_tenant, &mutation.name))
            else {
                continue;
            };
            let of = &input.of.name;
            let known = schema.fields(of);
            for name in NOBODYS {
                assert!(
                    !known.iter().any(|field| field.name == name),
                    "{of} takes {name}"
                );
            }
            let takes_power = ["role", "permissions"]
                .iter()
                .any(|name| known.iter().any(|field| field.name == *name));
            let about_power = about(&["role", "apiKey", "member", "invitation"], &mutation.name);
            assert!(
                !takes_power || about_power,
                "{} takes a role or permissions",
                mutation.name
            );
            if !about(&of_tenant[..5], &mutation.name) {
                continue;
            }
            for (name, value) in [
                ("tenantId", json!(B.tenant())),
                ("tenant_id", json!(B.tenant())),
                ("role", json!("ADMIN")),
                ("createdBy", json!(A.user(Who::Rep))),
                ("visibleTo", json!("|")),
            ] {
                let mut input = schema.least_input(of, A);
                let kind = kind_of_operation(&mutation.name);
                input["id"] = json!(global_id(kind, A.uuid(kind, 4)));
                input[name] = value;
                let answer = send(&admin, mutation, &input).await;
                assert!(
                    answer.body.get("errors").is_some() && answer.body["data"].is_null(),
                    "{} took {name}: {}",
                    mutation.name,
                    answer.body
                );
            }
        }
        assert_eq!(rows(world).await, before, "nothing was written");
    });
}

/// How often anything was written: every write leaves a line in the audit log.
async fn rows(world: &World) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE action !~ '^(access|session)'")
        .fetch_one(&mut world.database.superuser().await)
        .await
        .unwrap()
}
