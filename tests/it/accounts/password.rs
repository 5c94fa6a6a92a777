//! Changing a password, and choosing a new one by a mailed link.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{
    PASSWORD, address, anonymous, arrange, audited, mutate, sign_in_again, signed_in, text,
    try_sign_in,
};
use crate::harness::{A, Answer, Who, World, test};

const CHANGED: &str = "changed userErrors { code message field }";
const NEW: &str = "a better battery horse";

async fn change(world: &World, session: &Value, current: &str, new: &str) -> Answer {
    let input = json!({ "currentPassword": current, "newPassword": new });
    mutate(
        world,
        Some(text(&session["accessToken"])),
        ("passwordChange", CHANGED),
        input,
    )
    .await
}

async fn request(world: &World, email: &str) -> Answer {
    let input = json!({ "email": email });
    anonymous(
        world,
        "requestPasswordReset",
        input,
        "accepted userErrors { code field }",
    )
    .await
}

async fn reset(world: &World, token: &str, new: &str) -> Answer {
    let input = json!({ "token": token, "newPassword": new });
    anonymous(world, "resetPassword", input, CHANGED).await
}

async fn refreshes(world: &World, session: &Value) -> bool {
    let input = json!({ "refreshToken": session["refreshToken"] });
    let answer = anonymous(world, "refreshSession", input, "userErrors { code }").await;
    answer.user_error("refreshSession").0.is_empty()
}

async fn code(world: &World, email: &str, password: &str) -> String {
    try_sign_in(world, email, password, None)
        .await
        .user_error("signIn")
        .0
}

#[test]
fn a_change_wants_the_old_one_and_ends_all_other_sessions() {
    test(async |world| {
        let here = signed_in(world, Who::Rep).await;
        let there = sign_in_again(world, Who::Rep).await;
        let email = address(world, A, Who::Rep).await;
        let wrong = change(world, &here, "wrong horse battery", NEW).await;
        assert_eq!(
            wrong.user_error("passwordChange"),
            (
                "INVALID_CREDENTIALS".to_owned(),
                "input.currentPassword".to_owned()
            )
        );
        for (bad, code) in [
            ("short", "PASSWORD_TOO_SHORT"),
            ("password12345", "PASSWORD_TOO_COMMON"),
            // Not as it is kept, or it would look like a secret that was kept.
            (&email.to_uppercase(), "PASSWORD_TOO_COMMON"),
        ] {
            let refused = change(world, &here, PASSWORD, bad).await;
            assert_eq!(
                refused.user_error("passwordChange"),
                (code.to_owned(), "input.newPassword".to_owned())
            );
        }
        assert!(refreshes(world, &there).await);
        let there = sign_in_again(world, Who::Rep).await;
        assert_eq!(
            change(world, &here, PASSWORD, NEW).await.data()["passwordChange"]["changed"],
            true
        );
        assert!(refreshes(world, &here).await && !refreshes(world, &there).await);
        assert_eq!(code(world, &email, PASSWORD).await, "INVALID_CREDENTIALS");
        assert_eq!(code(world, &email, NEW).await, "");
        let mail = world.mail_to(&email, 1).await;
        assert_eq!(mail.subject, "Your password was changed");
        assert_eq!(audited(world, "password.changed").await, 1);
    });
}

#[test]
fn a_stolen_access_token_is_no_way_to_guess_the_password() {
    test(async |world| {
        let here = signed_in(world, Who::Rep).await;
        let tries =
            join_all((0..20).map(|_| change(world, &here, "wrong horse battery", NEW))).await;
        let slowed = tries
            .iter()
            .filter(|tried| tried.user_error("passwordChange").0 == "TOO_MANY_ATTEMPTS");
        assert_eq!(slowed.count(), 15);
    });
}

#[test]
fn a_mailed_link_sets_a_new_password_once() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let email = address(world, A, Who::Rep).await;
        request(world, &email.to_uppercase()).await;
        let mail = world.mail_to(&email, 1).await;
        assert!(
            mail.link()
                .starts_with("https://app.example/account/reset-password#token=dgo_")
        );
        let token = mail.token();
        // A password that will not do leaves the link good.
        let weak = reset(world, &token, "short").await;
        assert_eq!(weak.user_error("resetPassword").0, "PASSWORD_TOO_SHORT");
        assert_eq!(
            reset(world, &token, NEW).await.data()["resetPassword"]["changed"],
            true
        );
        assert_eq!(code(world, &email, NEW).await, "");
        assert!(!refreshes(world, &session).await, "all sessions ended");
        let replayed = reset(world, &token, "another good battery").await;
        assert_eq!(
            replayed.user_error("resetPassword"),
            ("INVALID_TOKEN".to_owned(), "input.token".to_owned())
        );
        assert_eq!(code(world, &email, NEW).await, "");
        assert_eq!(audited(world, "password.reset").await, 1);
        assert_eq!(
            world.mail_to(&email, 2).await.subject,
            "Your password was changed"
        );
    });
}

#[test]
fn of_many_who_bring_the_same_link_at_the_same_time_one_gets_through() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        request(world, &email).await;
        let token = world.mail_to(&email, 1).await.token();
        let passwords: Vec<_> = (0..5)
            .map(|n| format!("a better battery horse {n}"))
            .collect();
        let tried = join_all(passwords.iter().map(|new| reset(world, &token, new))).await;
        let through: Vec<_> = (0..)
            .zip(&tried)
            .filter(|(_, answer)| answer.data()["resetPassword"]["changed"] == true)
            .map(|(n, _): (usize, _)| n)
            .collect();
        assert_eq!(through.len(), 1, "{tried:?}");
        assert_eq!(code(world, &email, &passwords[through[0]]).await, "");
    });
}

#[test]
fn a_link_that_is_too_old_or_for_something_else_sets_nothing() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let email = address(world, A, Who::Rep).await;
        request(world, &email).await;
        let token = world.mail_to(&email, 1).await.token();
        arrange(
            world,
            "UPDATE one_time_tokens SET expires_at = now() - interval '1 second'",
        )
        .await;
        for wrong in [token.as_str(), "", "dgo_", text(&session["refreshToken"])] {
            assert_eq!(
                reset(world, wrong, NEW).await.user_error("resetPassword").0,
                "INVALID_TOKEN"
            );
        }
        arrange(world, "UPDATE one_time_tokens SET expires_at = now() + interval '1 hour', purpose = 'VERIFY_EMAIL'").await;
        assert_eq!(
            reset(world, &token, NEW)
                .await
                .user_error("resetPassword")
                .0,
            "INVALID_TOKEN"
        );
        assert_eq!(code(world, &email, PASSWORD).await, "");
    });
}

#[test]
fn a_new_link_or_password_makes_older_links_useless() {
    test(async |world| {
        let session = signed_in(world, Who::Rep).await;
        let email = address(world, A, Who::Rep).await;
        request(world, &email).await;
        let first = world.mail_to(&email, 1).await.token();
        change(world, &session, PASSWORD, NEW).await.data();
        assert_eq!(
            reset(world, &first, PASSWORD)
                .await
                .user_error("resetPassword")
                .0,
            "INVALID_TOKEN"
        );
        request(world, &email).await;
        request(world, &email).await;
        let mails = world.mails_to(&email, 4).await;
        let mut tokens = mails[2..].iter().map(|mail| mail.token());
        let (second, third) = (
            tokens.next().expect("a link"),
            tokens.next().expect("a link"),
        );
        assert_eq!(
            reset(world, &second, PASSWORD).await.data()["resetPassword"]["changed"],
            true
        );
        assert_eq!(
            reset(world, &third, NEW)
                .await
                .user_error("resetPassword")
                .0,
            "INVALID_TOKEN"
        );
    });
}

#[test]
fn asking_for_a_link_reveals_to_nobody_who_has_an_account_and_floods_nobody() {
    test(async |world| {
        let email = address(world, A, Who::Rep).await;
        let known = request(world, &email).await;
        let unknown = request(world, "nobody@example.com").await;
        assert_eq!((known.status, &known.body), (unknown.status, &unknown.body));
        assert_eq!(known.data()["requestPasswordReset"]["accepted"], true);
        world.mail_to(&email, 1).await;
        let more = join_all((0..10).map(|_| request(world, &email))).await;
        let refused = more
            .iter()
            .filter(|answer| answer.user_error("requestPasswordReset").0 == "TOO_MANY_ATTEMPTS");
        assert_eq!(refused.count(), 6, "five mails in all");
        world.mails_to(&email, 5).await;
        assert_eq!(world.mails().len(), 5, "and none to the unknown address");
    });
}
