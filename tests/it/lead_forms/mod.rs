//! Lead capture: what is posted to a form, by pages and by programs, and by who should not.

mod form;
mod page;
mod refused;

use dealgraph::organization::tenants::command::TenantCommand;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use self::form::{Form, PAGE};
use crate::{
    harness::{A, B, Who, World, global_id, test},
    inbound::{Endpoint, Sent, until},
    tenants::operate,
};

const LEADS: &str = "query($email: String!) { leads(first: 50, filter: { email: { eq: $email } }) { nodes {
    id firstName lastName email phone companyName title notes source tags status owner { id } createdBy { kind source } version } } }";

/// The leads with an address, the newest first.
async fn leads(world: &World, email: &str) -> Vec<Value> {
    let admin = world.a(Who::Admin);
    let found = admin.query_with(LEADS, json!({ "email": email })).await;
    let nodes = found["leads"]["nodes"].as_array();
    nodes.cloned().expect("a list")
}

async fn arrange(world: &World, sql: impl Into<String>) {
    let mut superuser = world.database.superuser().await;
    let done = raw_sql(AssertSqlSafe(sql.into()))
        .execute(&mut superuser)
        .await;
    done.expect("a test can arrange rows");
}

#[test]
fn what_a_page_posts_becomes_a_lead_with_what_its_sender_agreed_to() {
    test(async |world| {
        let form = Form::make(
            world,
            json!({ "source": "autumn fair", "tags": ["fair"], "ownerId": A.user(Who::Rep), "consentText": "You may call me.",
                    "consentVersion": "2026-10", "consentField": "agree" }),
        )
        .await;
        let preflight = form.preflight(world, PAGE).await;
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-origin"), Some(PAGE));
        assert_eq!(
            preflight.header("access-control-allow-methods"),
            Some("POST")
        );
        assert_eq!(
            preflight.header("access-control-allow-headers"),
            Some("content-type")
        );
        assert_eq!(preflight.header("access-control-allow-credentials"), None);
        let posted = json!({ "name": "Ada King Lovelace", "email": "Ada@Example.com", "phone": "+49 151 0000000", "company": "Engines Ltd",
            "message": "Call me", "agree": true, "utm_campaign": "fair-2", "seats": 7, "_page": "https://shop.example/fair?x=1#top" });
        let answer = form.post_json(world, Some(PAGE), &posted).await;
        assert_eq!((answer.status, &answer.body), (200, &json!({ "ok": true })));
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
        assert_eq!(answer.header("vary"), Some("origin"));
        let found = leads(world, "ada@example.com").await;
        assert_eq!(found.len(), 1);
        let lead = &found[0];
        assert_eq!(
            (&lead["firstName"], &lead["lastName"]),
            (&json!("Ada King"), &json!("Lovelace"))
        );
        assert_eq!(
            (&lead["phone"], &lead["companyName"]),
            (&json!("+49 151 0000000"), &json!("Engines Ltd"))
        );
        assert_eq!(
            (&lead["notes"], &lead["status"]),
            (&json!("Call me"), &json!("NEW"))
        );
        assert_eq!(
            (&lead["source"], &lead["tags"]),
            (&json!("autumn fair"), &json!(["fair"]))
        );
        assert_eq!(lead["owner"]["id"], json!(A.user(Who::Rep)));
        assert_eq!(
            lead["createdBy"],
            json!({ "kind": "SYSTEM", "source": "lead_form" })
        );
        let log = form.submissions(world, Who::Admin).await;
        assert_eq!(log.len(), 1);
        assert_eq!(
            log[0],
            json!({ "id": log[0]["id"], "outcome": "CREATED", "reasonCode": null, "reasonField": null, "lead": { "id": lead["id"] },
                    "consentText": "You may call me.", "consentVersion": "2026-10", "pageUrl": "https://shop.example/fair?x=1",
                    "network": "127.0.0.0/24", "extra": { "utm_campaign": "fair-2", "seats": 7 } })
        );
        // A role with masks sees that it came, and not what was posted beside; it may read no leads.
        let auditor = form.submissions(world, Who::Auditor).await;
        assert_eq!(
            (&auditor[0]["extra"], &auditor[0]["lead"]),
            (&Value::Null, &Value::Null)
        );
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
        ] {
            assert_eq!(
                form.submissions(world, who).await,
                [json!(null); 0],
                "{who:?}"
            );
        }
        let by_node = "query($id: ID!) { node(id: $id) { ... on LeadForm { name } ... on LeadFormSubmission { outcome } } }";
        for id in [&form.id, &log[0]["id"]] {
            let found = world
                .b(Who::Admin)
                .query_with(by_node, json!({ "id": id }))
                .await;
            assert_eq!(found["node"], Value::Null);
        }
        // The rep is told of it as of any lead.
        let owned = world
            .a(Who::Rep)
            .query_with(LEADS, json!({ "email": "ada@example.com" }))
            .await;
        assert_eq!(owned["leads"]["nodes"][0]["id"], lead["id"]);
    });
}

#[test]
fn an_open_lead_is_added_to_and_nothing_that_is_known_is_overwritten() {
    test(async |world| {
        let form = Form::make(world, json!({ "tags": ["web"] })).await;
        let post = async |posted: Value| form.post_json(world, None, &posted).await.status;
        assert_eq!(post(json!({ "name": "Ada Lovelace", "email": "ada@example.com", "phone": "+49 1510000" })).await, 200);
        let mallory = json!({ "name": "Mallory Mole", "email": "ADA@example.com", "phone": "+49 9999999", "company": "Engines Ltd",
                              "message": "Call me" });
        assert_eq!(
            (post(mallory.clone()).await, post(mallory).await),
            (200, 200)
        );
        let found = leads(world, "ada@example.com").await;
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0]["lastName"], &found[0]["phone"]),
            (&json!("Lovelace"), &json!("+49 1510000"))
        );
        assert_eq!(
            (&found[0]["companyName"], &found[0]["notes"]),
            (&json!("Engines Ltd"), &json!("Call me"))
        );
        assert_eq!(
            (&found[0]["tags"], &found[0]["version"]),
            (&json!(["web"]), &json!(2)),
            "the same again changes nothing"
        );
        let log = form.submissions(world, Who::Admin).await;
        let outcomes: Vec<_> = log.iter().map(|one| one["outcome"].clone()).collect();
        assert_eq!(outcomes, ["UPDATED", "UPDATED", "CREATED"]);
        // One that is closed is left alone, and so is another tenant's.
        let close = "UPDATE leads SET status = 'UNQUALIFIED', unqualified_reason = 'no' WHERE email_normalized = 'ada@example.com'";
        arrange(world, close).await;
        assert_eq!(
            post(json!({ "name": "Ada Lovelace", "email": "ada@example.com" })).await,
            200
        );
        assert_eq!(leads(world, "ada@example.com").await.len(), 2);
        // Many at once with a new address are one lead.
        let posts = (0..8).map(|n| {
            let posted = json!({ "name": format!("Grace {n}"), "email": "grace@example.com" });
            async { form.post_json(world, None, &{ posted }).await.status }
        });
        assert_eq!(join_all(posts).await, [200; 8]);
        assert_eq!(leads(world, "grace@example.com").await.len(), 1);
        // A form that wants each of them gets each of them.
        let each = Form::make(world, json!({ "duplicates": "CREATE" })).await;
        for _ in 0..2 {
            let posted = json!({ "name": "Grace Hopper", "email": "grace@example.com" });
            assert_eq!(each.post_json(world, None, &posted).await.status, 200);
        }
        assert_eq!(leads(world, "grace@example.com").await.len(), 3);
    });
}

#[test]
fn a_form_whose_owner_is_gone_goes_on_and_one_of_a_suspended_tenant_waits() {
    test(async |world| {
        let form = Form::make(world, json!({ "ownerId": A.user(Who::Rep) })).await;
        arrange(
            world,
            format!(
                "UPDATE lead_forms SET owner_id = '{}' WHERE owner_id IS NOT NULL",
                uuid::Uuid::from_u128(7)
            ),
        )
        .await;
        let posted = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
        assert_eq!(form.post_json(world, None, &posted).await.status, 200);
        assert_eq!(
            leads(world, "ada@example.com").await[0]["owner"],
            Value::Null
        );
        let suspend = TenantCommand::Suspend {
            slug: "side-a0a0".to_owned(),
            reason: "unpaid".to_owned(),
        };
        operate(world, suspend).await.expect("it is at work");
        let answer = form.post_json(world, None, &posted).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, Some("3600"))
        );
    });
}

#[test]
fn messages_of_a_service_go_to_a_form_and_those_that_make_no_sense_fail_until_it_is_mended() {
    test(async |world| {
        let form = Form::make(world, json!({ "source": "ads" })).await;
        let endpoint = Endpoint::make(
            world,
            json!({ "verification": "STANDARD_WEBHOOKS", "handler": "LEAD_FORM", "leadFormId": form.id }),
        )
        .await;
        let good = Sent::of(
            "good",
            "{\"name\":\"Ada Lovelace\",\"email\":\"ada@example.com\"}",
        );
        let bad = Sent::of("bad", "{\"name\":\"Grace Hopper\"}");
        for sent in [&good, &bad] {
            assert_eq!(endpoint.send(world, sent).await.status, 202);
        }
        let ended =
            |all: &[Value]| all.len() == 2 && all.iter().all(|one| one["status"] != "RECEIVED");
        let found = until(world, &endpoint.id, ended).await;
        let of = |found: &[Value], name: &str| {
            let message = found.iter().find(|message| message["messageId"] == name);
            message.expect("it is there").clone()
        };
        assert_eq!(of(&found, "good")["status"], "PROCESSED");
        assert_eq!(
            (
                of(&found, "bad")["status"].clone(),
                &of(&found, "bad")["error"]["code"]
            ),
            (json!("FAILED"), &json!("BLANK"))
        );
        let made = leads(world, "ada@example.com").await;
        assert_eq!((made.len(), &made[0]["source"]), (1, &json!("ads")));
        assert_eq!(made[0]["createdBy"]["kind"], "SYSTEM");
        // The form is mended, and the message handled again.
        let update = "mutation($input: LeadFormUpdateInput!) { leadFormUpdate(input: $input) { userErrors { code } } }";
        let mapping = json!([{ "name": "name", "target": "FULL_NAME", "required": true }]);
        let input =
            json!({ "input": { "id": form.id, "mapping": mapping, "duplicates": "CREATE" } });
        let admin = world.a(Who::Admin);
        let done = admin.query_with(update, input).await;
        assert_eq!(done["leadFormUpdate"]["userErrors"], json!([]));
        let replay = "mutation($input: InboundMessageReplayInput!) { inboundMessageReplay(input: $input) { userErrors { code } } }";
        let input = json!({ "input": { "id": of(&found, "bad")["id"] } });
        admin.query_with(replay, input).await;
        let done = |all: &[Value]| all.iter().all(|one| one["status"] == "PROCESSED");
        let found = until(world, &endpoint.id, done).await;
        assert_eq!(of(&found, "bad")["error"], Value::Null);
        assert_eq!(form.submissions(world, Who::Admin).await.len(), 2);
        // A form of another tenant is none.
        let create = "mutation($input: InboundEndpointCreateInput!) { inboundEndpointCreate(input: $input) { userErrors { code field } } }";
        let theirs = global_id("leadForm", B.uuid("leadForm", 1));
        let input = json!({ "name": "x", "verification": "STANDARD_WEBHOOKS", "handler": "LEAD_FORM", "leadFormId": theirs });
        let refused = admin.send(create, json!({ "input": input })).await;
        assert_eq!(
            refused.user_error("inboundEndpointCreate"),
            ("NOT_FOUND".to_owned(), "input.leadFormId".to_owned())
        );
    });
}

#[test]
fn forms_are_made_by_who_runs_programs_and_refused_where_they_make_no_sense() {
    test(async |world| {
        let create = "mutation($input: LeadFormCreateInput!) { leadFormCreate(input: $input) { leadForm { id } userErrors { code field } } }";
        let input = json!({ "name": "Fair", "mapping": [{ "name": "name", "target": "FULL_NAME" }, { "name": "email", "target": "EMAIL" }] });
        for who in [
            Who::Manager,
            Who::Rep,
            Who::Analyst,
            Who::Viewer,
            Who::Closer,
        ] {
            let answer = world.a(who).send(create, json!({ "input": input })).await;
            assert_eq!(
                answer.user_error("leadFormCreate").0,
                "FORBIDDEN",
                "{who:?}"
            );
        }
        for (field, value, code) in [
            ("allowedOrigins", json!(["*"]), "INVALID_ORIGIN"),
            ("thanksUrl", json!("https://evil.example/"), "INVALID_URL"),
            (
                "captchaUrl",
                json!("https://captcha.example/verify"),
                "BLANK",
            ),
            ("ownerId", json!(B.user(Who::Rep)), "NOT_FOUND"),
            (
                "mapping",
                json!([{ "name": "email", "target": "EMAIL" }]),
                "INVALID_MAPPING",
            ),
            ("consentField", json!("agree"), "BLANK"),
        ] {
            let mut wrong = input.clone();
            wrong[field] = value;
            let answer = world
                .a(Who::Admin)
                .send(create, json!({ "input": wrong }))
                .await;
            assert_eq!(answer.user_error("leadFormCreate").0, code, "{field}");
        }
        let form = Form::make(world, json!({})).await;
        let update = "mutation($input: LeadFormUpdateInput!) { leadFormUpdate(input: $input) { userErrors { code field } } }";
        for url in [
            "https://169.254.169.254/latest",
            "https://10.0.0.1/",
            "https://[::ffff:10.0.0.1]/",
            "https://0x0a000001/",
            "http://captcha.example/",
            "ftp://captcha.example/",
            "https://user:secret@captcha.example/",
            "nonsense",
        ] {
            let captcha = json!({ "captchaUrl": url, "captchaField": "answer", "captchaSecret": "0x4AAAAAAA-captcha" });
            for (verb, document, mut wrong) in [
                ("leadFormCreate", create, input.clone()),
                ("leadFormUpdate", update, json!({ "id": form.id })),
            ] {
                for (field, value) in captcha.as_object().expect("an object") {
                    wrong[field] = value.clone();
                }
                let answer = world.a(Who::Admin);
                let answer = answer.send(document, json!({ "input": wrong })).await;
                let (code, field) = answer.user_error(verb);
                assert!(
                    ["ADDRESS_REFUSED", "INVALID_URL"].contains(&code.as_str()),
                    "{verb} {url}: {code}"
                );
                assert_eq!(field, "input.captchaUrl", "{verb} {url}");
            }
        }
        let update = "mutation($input: LeadFormUpdateInput!) { leadFormUpdate(input: $input) { leadForm { enabled } userErrors { code } } }";
        let input = json!({ "input": { "id": form.id, "enabled": false } });
        let theirs = world.b(Who::Admin).send(update, input.clone()).await;
        assert_eq!(theirs.user_error("leadFormUpdate").0, "NOT_FOUND");
        let done = world.a(Who::Admin).query_with(update, input).await;
        assert_eq!(done["leadFormUpdate"]["leadForm"]["enabled"], false);
        let posted = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
        let off = form.post_json(world, None, &posted).await;
        let none = Form {
            path: format!("/capture/{}", "A".repeat(43)),
            ..form.clone()
        };
        let none = none.post_json(world, None, &posted).await;
        assert_eq!(
            (off.status, &off.body),
            (404, &none.body),
            "one that is off is none"
        );
    });
}
