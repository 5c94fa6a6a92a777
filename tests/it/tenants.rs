//! Tenants: their settings, their end, and what the platform's operator does with them.

use std::{cell::RefCell, collections::BTreeSet, time::Duration};

use dealgraph::{
    base::ids::Typed as _,
    db::{Db, Logins, PoolOptions, journal::Hints},
    organization::tenants::command::{self, TenantCommand},
};
use serde_json::{Value, json};

use crate::{
    harness::{A, B, OF_ACCOUNTS, Schema, TENANT_TABLES, Who, World, test},
    members::{act, arrange, count, refusal},
};

const FIELDS: &str = "tenant { name baseCurrency timeZone locale fiscalYearStart lostReasonRequired warmnessThreshold
    secondFactorRequired requiredProvider status version }";

/// The operator's command line over the world's database.
pub(crate) async fn operate(world: &World, command: TenantCommand) -> Result<String, String> {
    let login = match command.is_owners() {
        true => "dealgraph_owner",
        false => "dealgraph_system",
    };
    let login = world.database.options(login).await;
    let pools = PoolOptions::default();
    let clock = world.db.clock().clone();
    let db = Db::open(Logins::only(login), &pools, clock, Hints::default());
    let lines = RefCell::new(String::new());
    let print = |line: String| lines.borrow_mut().push_str(&(line + "\n"));
    let done = command::run(command, &db, "https://app.example/", print).await;
    db.close().await;
    done.map_err(|error| error.code().to_owned())?;
    Ok(lines.into_inner())
}

pub(crate) async fn slug(world: &World) -> String {
    let tenant = world.a(Who::Admin).query("{ tenant { slug } }").await;
    tenant["tenant"]["slug"]
        .as_str()
        .expect("a slug")
        .to_owned()
}

/// What the answer of any mutation says: a code of its errors, or of the request's.
fn code_of(answer: &Value, mutation: &str) -> String {
    let of_payload = answer.pointer(&format!("/data/{mutation}/userErrors/0/code"));
    let of_request = answer.pointer("/errors/0/extensions/code");
    let code = of_payload.or(of_request).and_then(Value::as_str);
    code.unwrap_or_default().to_owned()
}

/// What every mutation of the domains answers to an admin.
async fn answers_to_all_writes(world: &World) -> BTreeSet<(String, String)> {
    let schema = Schema::of_server();
    let mut answers = BTreeSet::new();
    for mutation in schema.fields("Mutation") {
        let input = &mutation.argument("input").expect("an input").of.name;
        let name = &mutation.name;
        // Beyond tenants, or judged by the role.
        let is_own = ["tenantScheduleDeletion", "tenantCancelDeletion"].contains(&name.as_str());
        let is_record = [
            "Create", "Update", "Archive", "Restore", "Delete", "Invite", "Remove", "Suspend",
            "Resume", "Revoke", "Resend",
        ]
        .iter()
        .any(|verb| name.contains(verb));
        if is_own || !is_record || OF_ACCOUNTS.contains(&name.as_str()) {
            continue;
        }
        let mut least = schema.least_input(input, A);
        if least.get("id").is_some() {
            let kind = crate::harness::kind_of_operation(name);
            least["id"] = json!(crate::harness::global_id(kind, A.uuid(kind, 1)));
        }
        let document = format!(
            "mutation($input: {input}!) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}"
        );
        let answer = world
            .a(Who::Admin)
            .send(&document, json!({ "input": least }))
            .await;
        answers.insert((code_of(&answer.body, name), name.clone()));
    }
    assert!(answers.len() > 30, "mutations are found");
    answers
}

#[test]
fn an_admin_changes_the_settings_and_nonsense_is_refused_with_its_field() {
    test(async |world| {
        let admin = world.a(Who::Admin);
        let input = json!({ "name": " Twin & Co ", "baseCurrency": "NOK", "timeZone": "Europe/Oslo", "locale": "nb-NO", "fiscalYearStart": 4,
            "lostReasonRequired": false, "warmnessThreshold": 75, "secondFactorRequired": true, "expectedVersion": 1 });
        let answer = act(&admin, "tenantUpdate", input.clone(), FIELDS)
            .await
            .data();
        assert_eq!(
            answer["tenantUpdate"]["tenant"],
            json!({ "name": "Twin & Co", "baseCurrency": "NOK", "timeZone": "Europe/Oslo", "locale": "nb-NO", "fiscalYearStart": 4,
                "lostReasonRequired": false, "warmnessThreshold": 75, "secondFactorRequired": true, "requiredProvider": null,
                "status": "ACTIVE", "version": 2 })
        );
        let late = act(&admin, "tenantUpdate", input, FIELDS).await;
        assert_eq!(late.user_error("tenantUpdate").0, "CONFLICT");
        assert_eq!(late.data()["tenantUpdate"]["tenant"]["version"], 2);
        let events = "SELECT count(*) FROM events WHERE entity = 'tenant' AND before->>'name' = 'Twin' AND record->>'name' = 'Twin & Co'";
        assert_eq!(count(world, events).await, 1);
        let changes =
            "SELECT count(*) FROM access_changes WHERE tenant_id IS NOT NULL AND user_id IS NULL";
        assert_eq!(count(world, changes).await, 1, "how people sign in changed");
        for (input, expected) in [
            (json!({ "name": " " }), ("BLANK", "input.name")),
            (
                json!({ "baseCurrency": "euro" }),
                ("INVALID_CURRENCY", "input.baseCurrency"),
            ),
            (
                json!({ "timeZone": "Mars/Olympus" }),
                ("INVALID_TIME_ZONE", "input.timeZone"),
            ),
            (
                json!({ "timeZone": "'; DROP TABLE tenants" }),
                ("INVALID_TIME_ZONE", "input.timeZone"),
            ),
            (
                json!({ "locale": "en_US" }),
                ("INVALID_LOCALE", "input.locale"),
            ),
            (
                json!({ "fiscalYearStart": 13 }),
                ("OUT_OF_RANGE", "input.fiscalYearStart"),
            ),
            (
                json!({ "requiredProvider": "okta" }),
                ("UNKNOWN_PROVIDER", "input.requiredProvider"),
            ),
            (
                json!({ "warmnessThreshold": -1 }),
                ("OUT_OF_RANGE", "input.warmnessThreshold"),
            ),
        ] {
            let (code, field) = act(&admin, "tenantUpdate", input.clone(), "")
                .await
                .user_error("tenantUpdate");
            assert_eq!((code.as_str(), field.as_str()), expected, "{input}");
        }
        arrange(world, "UPDATE tenants SET required_provider = 'okta'").await;
        let none = act(
            &admin,
            "tenantUpdate",
            json!({ "requiredProvider": null }),
            FIELDS,
        )
        .await
        .data();
        assert_eq!(
            none["tenantUpdate"]["tenant"]["requiredProvider"],
            Value::Null
        );
    });
}

#[test]
fn nobody_but_an_admin_changes_or_ends_the_tenant() {
    test(async |world| {
        let slug = slug(world).await;
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
            Who::Auditor,
        ] {
            let client = world.a(who);
            for (mutation, input) in [
                ("tenantUpdate", json!({ "name": "Mine" })),
                ("tenantScheduleDeletion", json!({ "slug": slug })),
                ("tenantCancelDeletion", json!({})),
            ] {
                assert_eq!(
                    refusal(&client, mutation, input).await,
                    "FORBIDDEN",
                    "{who:?} {mutation}"
                );
            }
            let can = client
                .query("{ tenant { can { update scheduleDeletion cancelDeletion } } }")
                .await;
            assert_eq!(
                can["tenant"]["can"],
                json!({ "update": false, "scheduleDeletion": false, "cancelDeletion": false })
            );
        }
    });
}

#[test]
fn a_tenant_that_is_to_be_deleted_is_read_and_not_changed_until_its_end_is_called_off() {
    test(async |world| {
        let (admin, slug) = (world.a(Who::Admin), slug(world).await);
        for (input, expected) in [
            (json!({ "slug": "other" }), "SLUG_MISMATCH"),
            (json!({ "slug": slug, "graceDays": 6 }), "OUT_OF_RANGE"),
            (json!({ "slug": slug, "graceDays": 91 }), "OUT_OF_RANGE"),
        ] {
            assert_eq!(
                refusal(&admin, "tenantScheduleDeletion", input).await,
                expected
            );
        }
        let fields = "tenant { status deleteAfter version }";
        let scheduled = act(
            &admin,
            "tenantScheduleDeletion",
            json!({ "slug": slug, "graceDays": 7 }),
            fields,
        )
        .await
        .data();
        assert_eq!(
            scheduled["tenantScheduleDeletion"]["tenant"]["status"],
            "DELETING"
        );
        assert!(scheduled["tenantScheduleDeletion"]["tenant"]["deleteAfter"].is_string());
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        world.a(Who::Rep).query("{ leads { nodes { id } } }").await;
        assert_eq!(
            refusal(&admin, "tenantUpdate", json!({ "name": "x" })).await,
            "TENANT_DELETING"
        );
        assert_eq!(
            refusal(&admin, "tenantScheduleDeletion", json!({ "slug": slug })).await,
            "TENANT_DELETING"
        );
        // Also at once, while servers still remember the tenant as being at work: its counter stands still.
        let late = refusal(&admin, "companyCreate", json!({ "name": "Too late" })).await;
        assert_eq!(late, "TENANT_DELETING");
        assert_eq!(
            refusal(&world.a(Who::Manager), "tenantCancelDeletion", json!({})).await,
            "FORBIDDEN"
        );
        assert_eq!(refusal(&admin, "tenantCancelDeletion", json!({})).await, "");
        assert_eq!(
            refusal(&admin, "tenantCancelDeletion", json!({})).await,
            "NOT_SCHEDULED"
        );
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert_eq!(
            refusal(&admin, "tenantUpdate", json!({ "name": "x" })).await,
            ""
        );
        let audited = "SELECT count(*) FROM audit_log WHERE action IN ('tenant.deletion_scheduled', 'tenant.deletion_canceled') AND actor LIKE 'user:%'";
        assert_eq!(count(world, audited).await, 2);
    });
}

#[test]
fn in_a_suspended_tenant_everything_is_read_and_every_kind_of_write_refused() {
    test(async |world| {
        let slug = slug(world).await;
        let suspend = TenantCommand::Suspend {
            slug: slug.clone(),
            reason: "unpaid".to_owned(),
        };
        operate(world, suspend).await.expect("it is at work");
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        let read = "{ tenant { status suspendedBecause } companies { totalCount } leads { totalCount } memberships { totalCount } teams { totalCount } }";
        let seen = world.a(Who::Admin).query(read).await;
        assert_eq!(
            seen["tenant"],
            json!({ "status": "SUSPENDED", "suspendedBecause": "unpaid" })
        );
        assert_eq!(
            (
                &seen["companies"]["totalCount"],
                &seen["leads"]["totalCount"]
            ),
            (&json!(4), &json!(4))
        );
        assert_eq!(
            world
                .a(Who::Rep)
                .query("{ tenant { suspendedBecause } }")
                .await["tenant"]["suspendedBecause"],
            Value::Null
        );
        for (code, mutation) in answers_to_all_writes(world).await {
            assert_eq!(code, "TENANT_SUSPENDED", "{mutation}");
        }
        operate(world, TenantCommand::Resume { slug })
            .await
            .expect("it is suspended");
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert_eq!(
            refusal(
                &world.a(Who::Admin),
                "tenantUpdate",
                json!({ "name": "Back" })
            )
            .await,
            ""
        );
        let audited = "SELECT count(*) FROM audit_log WHERE action IN ('tenant.suspended', 'tenant.resumed') AND actor = 'system:operator'";
        assert_eq!(count(world, audited).await, 2);
    });
}

#[test]
fn the_operator_makes_a_tenant_whose_first_admin_comes_by_the_printed_link() {
    test(async |world| {
        let create = |slug: &str| TenantCommand::Create {
            slug: slug.to_owned(),
            name: "Initech".to_owned(),
            admin_email: "bill@example.com".to_owned(),
            currency: "USD".to_owned(),
            time_zone: "America/Chicago".to_owned(),
            locale: "en-US".to_owned(),
        };
        assert_eq!(
            operate(world, create("Bad Slug")).await,
            Err("INVALID_SLUG".to_owned())
        );
        let printed = operate(world, create("initech"))
            .await
            .expect("the name is free");
        assert_eq!(
            operate(world, create("initech")).await,
            Err("TAKEN".to_owned())
        );
        let (_, token) = printed.split_once("#token=").expect("a link");
        let token = token.split_whitespace().next().expect("a secret");
        let document = "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { session { accessToken tenant { slug role } } userErrors { code } } }";
        let input = json!({ "input": { "token": token, "name": "Bill", "password": "correct horse battery" } });
        let answer = world.stranger(None).send(document, input).await.data();
        assert_eq!(
            answer["acceptInvitation"]["session"]["tenant"],
            json!({ "slug": "initech", "role": "ADMIN" })
        );
        let listed = operate(world, TenantCommand::List).await.expect("a list");
        assert!(
            listed
                .lines()
                .any(|line| line.starts_with("initech\t") && line.contains("1 members")),
            "{listed}"
        );

        let quota = TenantCommand::SetQuota {
            slug: "initech".to_owned(),
            members: Some(1),
            teams: Some(0),
            roles: None,
            api_keys: None,
            webhook_endpoints: None,
        };
        operate(world, quota).await.expect("the tenant is there");
        let bill = world.stranger(
            answer["acceptInvitation"]["session"]["accessToken"]
                .as_str()
                .map(str::to_owned),
        );
        let invited = json!({ "email": "peter@example.com", "role": "VIEWER" });
        assert_eq!(
            refusal(&bill, "memberInvite", invited).await,
            "QUOTA_EXCEEDED"
        );
        assert_eq!(
            refusal(&bill, "teamCreate", json!({ "name": "x" })).await,
            "QUOTA_EXCEEDED"
        );
    });
}

#[test]
fn a_purge_takes_what_is_due_whole_and_nothing_else() {
    test(async |world| {
        let slug = slug(world).await;
        let purge = || TenantCommand::Purge {
            slug: Some(slug.clone()),
        };
        assert_eq!(operate(world, purge()).await, Err("NOT_DUE".to_owned()));
        let schedule = TenantCommand::ScheduleDeletion {
            slug: slug.clone(),
            grace_days: 7,
        };
        operate(world, schedule).await.expect("it is at work");
        assert_eq!(operate(world, purge()).await, Err("NOT_DUE".to_owned()));
        let tenant = A.tenant().uuid();
        let theirs = |of: uuid::Uuid| {
            let arms = TENANT_TABLES
                .map(|table| format!("(SELECT count(*) FROM {table} WHERE tenant_id = '{of}')"));
            format!("SELECT {}", arms.join(" + "))
        };
        let others = count(world, &theirs(B.tenant().uuid())).await;
        arrange(world, &format!("UPDATE tenants SET delete_after = now() - interval '1 second' WHERE tenant_id = '{tenant}'")).await;
        tokio::time::sleep(Duration::from_millis(1_600)).await;
        assert_eq!(
            world
                .a(Who::Admin)
                .send("{ tenant { id } }", json!({}))
                .await
                .status,
            401,
            "nobody gets in"
        );
        let cancel = TenantCommand::CancelDeletion { slug: slug.clone() };
        assert_eq!(operate(world, cancel).await, Err("PAST_GRACE".to_owned()));
        let report = operate(world, TenantCommand::Purge { slug: None })
            .await
            .expect("it is due");
        assert!(
            report.contains("tenants removed: 1") && report.contains("activities: "),
            "{report}"
        );
        assert_eq!(count(world, &theirs(tenant)).await, 0);
        assert_eq!(count(world, &theirs(B.tenant().uuid())).await, others);
        world
            .b(Who::Admin)
            .query("{ companies { nodes { id } } }")
            .await;
    });
}
