//! Accounts are authorised by who may, once, and acted for by them.

use serde_json::json;

use super::{BACK, agreed, call, connected, done, ran, refused, runs, seen, until};
use crate::harness::{A, B, Who, test};

#[test]
fn an_account_is_authorised_by_who_went_there_and_a_state_is_good_once() {
    test(async |world| {
        let admin = (A, Who::Admin);
        let begin = json!({ "provider": "rolodex", "redirectUri": BACK });
        let back = agreed(world, admin, begin.clone()).await;
        let unknown = ("AUTHORIZATION_UNKNOWN".to_owned(), "state".to_owned());
        // Somebody else who may, somebody of another tenant, and a state that nobody was given.
        for who in [(A, Who::Manager), (B, Who::Admin)] {
            let other = refused(world, who, "integrationAuthorizeFinish", back.clone()).await;
            assert_eq!(other, unknown, "{who:?}");
        }
        // They have not used it up.
        done(world, admin, "integrationAuthorizeFinish", back).await;
        let id = connected(world, admin, "rolodex").await;
        let back = agreed(
            world,
            admin,
            json!({ "provider": "rolodex", "redirectUri": BACK, "id": id }),
        )
        .await;
        done(world, admin, "integrationAuthorizeFinish", back.clone()).await;
        assert_eq!(
            refused(world, admin, "integrationAuthorizeFinish", back).await,
            unknown
        );
        // A code that the service does not know.
        let mut back = agreed(world, admin, begin).await;
        back["code"] = json!("rolo-code-none");
        assert_eq!(
            refused(world, admin, "integrationAuthorizeFinish", back).await,
            ("CREDENTIALS_REFUSED".to_owned(), "code".to_owned())
        );
        let nonsense = json!({ "state": "x", "code": "y" });
        assert_eq!(
            refused(world, admin, "integrationAuthorizeFinish", nonsense).await,
            unknown
        );
        let elsewhere = json!({ "provider": "rolodex", "redirectUri": "https://evil.example/" });
        assert_eq!(
            refused(world, admin, "integrationAuthorize", elsewhere).await,
            ("NOT_REGISTERED".to_owned(), "redirectUri".to_owned())
        );
        let unheard = json!({ "provider": "unheard", "redirectUri": BACK });
        assert_eq!(
            refused(world, admin, "integrationAuthorize", unheard).await,
            ("NOT_FOUND".to_owned(), "provider".to_owned())
        );
    });
}

#[test]
fn who_may_not_connect_is_refused_before_the_service_is_asked() {
    test(async |world| {
        let input = json!({ "provider": "rolodex", "redirectUri": BACK });
        for who in [Who::Manager, Who::Rep, Who::Viewer] {
            let client = world.a(who);
            let document = "mutation($input: IntegrationAuthorizeInput!) { integrationAuthorize(input: $input) {
                userErrors { code } } }";
            let answer = client.query_with(document, json!({ "input": input })).await;
            assert_eq!(
                answer["integrationAuthorize"]["userErrors"][0]["code"], "FORBIDDEN",
                "{who:?}"
            );
        }
        let key = json!({ "provider": "plain", "apiKey": "some-key" });
        assert_eq!(
            refused(world, (A, Who::Rep), "integrationConnect", key)
                .await
                .0,
            "FORBIDDEN"
        );
        for (key, code) in [
            ("", "INVALID_KEY"),
            ("a b", "INVALID_KEY"),
            ("a\nb", "INVALID_KEY"),
        ] {
            let key = json!({ "provider": "plain", "apiKey": key });
            let refusal = refused(world, (A, Who::Admin), "integrationConnect", key).await;
            assert_eq!(refusal, (code.to_owned(), "apiKey".to_owned()));
        }
        let key = json!({ "provider": "rolodex", "apiKey": "some-key" });
        assert_eq!(
            refused(world, (A, Who::Admin), "integrationConnect", key)
                .await
                .0,
            "NOT_APPLICABLE"
        );
        assert_eq!(
            world.rolodex.asked("authorize") + world.rolodex.asked("me"),
            0
        );
    });
}

#[test]
fn an_account_says_when_it_has_to_be_authorised_again_and_goes_on_where_it_was() {
    test(async |world| {
        let admin = (A, Who::Admin);
        super::fill(world, 3);
        let id = connected(world, admin, "rolodex").await;
        ran(world, &id, 1).await;
        world.rolodex.end_all();
        super::call(world, admin, "integrationSync", json!({ "id": id })).await;
        let needed = until(world, &id, |now| now["status"] == "REAUTHORIZATION_NEEDED").await;
        assert_eq!(needed["statusReason"], "UNAUTHORIZED");
        assert_eq!(needed["health"]["state"], "REAUTHORIZATION_NEEDED");
        assert!(needed["health"]["since"].is_string());
        let mails = world.mails();
        let told = mails
            .iter()
            .find(|mail| mail.subject.contains("authorised again"));
        assert!(told.is_some(), "{mails:?}");
        // Nothing is tried while nobody has.
        let refused = refused(world, admin, "integrationSync", json!({ "id": id })).await;
        assert_eq!(refused.0, "NOT_ACTIVE");
        let again = json!({ "provider": "rolodex", "redirectUri": BACK, "id": id });
        world.rolodex.inner().account = "account-2".to_owned();
        let back = agreed(world, admin, again.clone()).await;
        assert_eq!(
            super::refused(world, admin, "integrationAuthorizeFinish", back).await,
            ("OTHER_ACCOUNT".to_owned(), "code".to_owned())
        );
        world.rolodex.inner().account = "account-1".to_owned();
        world
            .rolodex
            .put("9", "Late", "Comer", Some("late@rolo.example"));
        let before = runs(world, &id).await.len();
        let back = agreed(world, admin, again).await;
        done(world, admin, "integrationAuthorizeFinish", back).await;
        let all = ran(world, &id, before + 1).await;
        let last = all.last().expect("a run");
        assert_eq!(
            (&last["mode"], &last["trigger"], &last["status"]),
            (
                &json!("INCREMENTAL"),
                &json!("CONNECTED"),
                &json!("SUCCEEDED")
            )
        );
        assert_eq!(super::counts(last)["read"], 1);
        let healthy = seen(world, admin, &id).await;
        assert_eq!(healthy["health"]["state"], "HEALTHY");
    });
}

#[test]
fn whoever_is_gone_answers_for_no_account_any_more() {
    test(async |world| {
        let id = connected(world, (A, Who::Admin), "rolodex").await;
        ran(world, &id, 1).await;
        let nobody = "UPDATE integrations SET runs_as = 'user:00000000-0000-7000-8000-000000000000' WHERE provider = 'rolodex'";
        super::arrange(world, nobody).await;
        call(
            world,
            (A, Who::Admin),
            "integrationSync",
            json!({ "id": id }),
        )
        .await;
        let needed = until(world, &id, |now| now["status"] == "REAUTHORIZATION_NEEDED").await;
        assert_eq!(needed["statusReason"], "OWNER_GONE");
    });
}

#[test]
fn an_account_is_called_and_looked_at_as_was_wished() {
    test(async |world| {
        let admin = (A, Who::Admin);
        let key = json!({ "provider": "plain", "apiKey": "some-key", "name": "Ours", "syncEveryMinutes": 5 });
        let made = done(world, admin, "integrationConnect", key).await;
        let id = made["integration"]["id"].clone();
        assert_eq!(made["integration"]["status"], "ACTIVE");
        for (field, value, code) in [
            ("name", json!(" "), "BLANK"),
            ("name", json!("x".repeat(500)), "TOO_LONG"),
            ("syncEveryMinutes", json!(4), "OUT_OF_RANGE"),
            ("syncEveryMinutes", json!(1_441), "OUT_OF_RANGE"),
        ] {
            let input = json!({ "id": id, field: value });
            let refusal = refused(world, admin, "integrationUpdate", input).await;
            assert_eq!(refusal, (code.to_owned(), field.to_owned()));
        }
        let version = made["integration"]["version"].as_i64().expect("a version");
        let input = json!({ "id": id, "name": "Theirs", "expectedVersion": version });
        done(world, admin, "integrationUpdate", input.clone()).await;
        assert_eq!(
            refused(world, admin, "integrationUpdate", input).await.0,
            "CONFLICT"
        );
        let asked = "{ integrations(filter: { name: { eq: \"theirs\" }, status: { eq: ACTIVE } }) { nodes { name syncEveryMinutes } }
                       integrationProviders { key authorization belongsTo kinds { name record pushed } } }";
        let listed = world.a(Who::Admin).query(asked).await;
        assert_eq!(
            listed["integrations"]["nodes"],
            json!([{ "name": "Theirs", "syncEveryMinutes": 5 }])
        );
        let providers = listed["integrationProviders"].as_array().expect("a list");
        let plain = json!({ "key": "plain", "authorization": "API_KEY", "belongsTo": "TENANT", "kinds": [] });
        assert!(providers.contains(&plain), "{providers:?}");
        let people = json!([{ "name": "people", "record": "contact", "pushed": true }]);
        let mailbox = json!({ "key": "mailbox", "authorization": "OAUTH2", "belongsTo": "PERSON", "kinds": people });
        assert!(providers.contains(&mailbox), "{providers:?}");
    });
}

#[test]
fn whom_fields_are_hidden_from_tells_no_service_of_them() {
    test(async |world| {
        let id = connected(world, (A, Who::Rep), "mailbox").await;
        ran(world, &id, 1).await;
        // A role of the tenant's own hides e-mail addresses.
        let role = "mutation { roleCreate(input: { name: \"Discreet\", permissions: [\"contacts:read:all\", \"contacts:write:all\"],
            masks: [EMAILS] }) { role { id } userErrors { code field message } } }";
        let role = world.a(Who::Admin).query(role).await;
        let role = &role["roleCreate"]["role"]["id"];
        let change = "mutation($input: MembershipUpdateInput!) { membershipUpdate(input: $input) { userErrors { code field } } }";
        let input = json!({ "userId": A.user(Who::Rep).to_string(), "role": "CUSTOM", "customRoleId": role });
        let changed = world
            .a(Who::Admin)
            .query_with(change, json!({ "input": input }))
            .await;
        assert_eq!(
            changed["membershipUpdate"]["userErrors"],
            json!([]),
            "{role}"
        );
        // Rights that were read are relied on for a moment.
        let mut needed = seen(world, (A, Who::Admin), &id).await;
        for _ in 0..60 {
            if needed["status"] == "REAUTHORIZATION_NEEDED" {
                break;
            }
            call(
                world,
                (A, Who::Admin),
                "integrationSync",
                json!({ "id": id }),
            )
            .await;
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            needed = seen(world, (A, Who::Admin), &id).await;
        }
        assert_eq!(needed["statusReason"], "OWNER_MASKED");
        let again = json!({ "provider": "mailbox", "redirectUri": BACK });
        assert_eq!(
            refused(world, (A, Who::Rep), "integrationAuthorize", again)
                .await
                .0,
            "FORBIDDEN"
        );
    });
}
