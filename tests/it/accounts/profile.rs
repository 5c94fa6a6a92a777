//! What a person says of themselves.

use serde_json::json;

use super::{anonymous, arrange, audited, count, mutate, signed_in, text};
use crate::harness::{A, Who, test};

const ACCOUNT: &str =
    "{ viewerAccount { name email emailVerified secondFactorEnabled hasPassword } }";

#[test]
fn a_name_changes_in_all_tenants() {
    test(async |world| {
        let client = world.a(Who::Both);
        let document = "mutation($name: String!) { viewerUpdate(input: { name: $name }) { account { name } userErrors { code field } } }";
        let renamed = client
            .query_with(document, json!({ "name": "  Robin  Both-Smith " }))
            .await;
        assert_eq!(
            renamed["viewerUpdate"]["account"]["name"],
            "Robin  Both-Smith"
        );
        let copies = "SELECT count(*) FROM memberships WHERE name = 'Robin  Both-Smith' AND name_normalized = 'robin both-smith'";
        assert_eq!(count(world, copies).await, 2);
        assert_eq!(audited(world, "member.updated").await, 2, "in both logs");
        let blank = client.send(document, json!({ "name": " " })).await;
        assert_eq!(
            blank.user_error("viewerUpdate"),
            ("BLANK".to_owned(), "input.name".to_owned())
        );
    });
}

#[test]
fn an_address_is_confirmed_by_a_mailed_link_once() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let token = text(&session["accessToken"]);
        let client = world.stranger(Some(token.to_owned()));
        let account = client.query(ACCOUNT).await["viewerAccount"].clone();
        assert_eq!(
            (&account["emailVerified"], &account["hasPassword"]),
            (&json!(false), &json!(true))
        );
        let resend = (
            "emailVerificationResend",
            "accepted userErrors { code field }",
        );
        let elsewhere = mutate(
            world,
            Some(token),
            resend,
            json!({ "email": "eve@example.com" }),
        )
        .await;
        assert_eq!(
            elsewhere.user_error("emailVerificationResend").0,
            "NOT_YOURS"
        );
        let email = text(&account["email"]);
        mutate(world, Some(token), resend, json!({ "email": email }))
            .await
            .data();
        let link = world.mail_to(email, 1).await.token();
        let verify = async || {
            let input = json!({ "token": link });
            anonymous(
                world,
                "verifyEmail",
                input,
                "verified session { accessToken } userErrors { code }",
            )
            .await
        };
        let verified = verify().await.data();
        assert_eq!(
            verified["verifyEmail"],
            json!({ "verified": true, "session": null, "userErrors": [] })
        );
        assert_eq!(
            client.query(ACCOUNT).await["viewerAccount"]["emailVerified"],
            true
        );
        assert_eq!(verify().await.user_error("verifyEmail").0, "INVALID_TOKEN");
        let again = mutate(world, Some(token), resend, json!({ "email": email })).await;
        assert_eq!(
            again.user_error("emailVerificationResend").0,
            "VERIFIED_ALREADY"
        );
        assert_eq!(audited(world, "email.verified").await, 1);
        arrange(world, "UPDATE users SET totp_confirmed_at = now()").await;
        assert_eq!(
            client.query(ACCOUNT).await["viewerAccount"]["secondFactorEnabled"],
            true
        );
        assert_eq!(
            text(&account["name"]),
            format!(
                "Person {}",
                A.user(Who::Rep)
                    .to_string()
                    .chars()
                    .last()
                    .expect("a digit")
            )
        );
    });
}

#[test]
fn each_of_several_changes_within_a_minute_stands_in_the_log() {
    test(async |world| {
        let session = super::signed_in(world, Who::Rep).await;
        let token = text(&session["accessToken"]);
        for name in ["Ada", "Grace", "Ada"] {
            let input = json!({ "name": name });
            let act = ("viewerUpdate", "userErrors { code field }");
            let answer = mutate(world, Some(token), act, input).await;
            assert_eq!(answer.user_error("viewerUpdate").0, "");
        }
        assert_eq!(super::audited(world, "member.updated").await, 3);
    });
}
