//! Guessing is slowed down: per account, and per network.

use futures_util::future::join_all;

use serde_json::json;

use super::{
    PASSWORD, address, anonymous, arrange, audited, sign_in_again, sign_in_by, sign_in_from, text,
};
use crate::harness::{A, Answer, Who, World, test};

const WRONG: &str = "wrong horse battery";

fn codes(answers: &[Answer]) -> Vec<String> {
    answers
        .iter()
        .map(|answer| answer.user_error("signIn").0)
        .collect()
}

fn number_of(code: &str, answers: &[Answer]) -> usize {
    codes(answers).iter().filter(|found| *found == code).count()
}

async fn guess_together(world: &World, email: &str, tries: u32) -> Vec<Answer> {
    // Each from a network of its own, as a botnet would.
    let networks: Vec<_> = (0..tries)
        .map(|n| format!("198.51.{}.{}", n / 250, n % 250))
        .collect();
    join_all(
        networks
            .iter()
            .map(|from| sign_in_from(world, from, (email, WRONG))),
    )
    .await
}

#[test]
fn guesses_at_the_same_time_do_not_slip_through_together() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        // From one address five are looked at.
        let alone = join_all((0..20).map(|_| sign_in_from(world, "192.0.2.1", (&email, WRONG))));
        assert_eq!(number_of("INVALID_CREDENTIALS", &alone.await), 5);
        // From wherever thirty, with those.
        let answers = guess_together(world, &email, 40).await;
        assert_eq!(number_of("INVALID_CREDENTIALS", &answers), 25);
        assert_eq!(number_of("TOO_MANY_ATTEMPTS", &answers), 15);
        // Not even the right one is looked at now, nor under another spelling of the address.
        for spelling in [email.clone(), email.to_uppercase(), format!("  {email} ")] {
            let right = sign_in_from(world, "203.0.113.1", (&spelling, PASSWORD)).await;
            assert_eq!(
                right.user_error("signIn"),
                ("TOO_MANY_ATTEMPTS".to_owned(), String::new())
            );
            assert!(right.body.to_string().contains("try again in "));
        }
    });
}

#[test]
fn an_unknown_address_is_slowed_down_just_the_same() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        let mut answers = Vec::new();
        for email in [email.as_str(), "nobody@example.com"] {
            let mut of_one = Vec::new();
            for _ in 0..7 {
                of_one.push(sign_in_from(world, "203.0.113.7", (email, WRONG)).await);
            }
            answers.push(codes(&of_one));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(
            answers[0][4..],
            [
                "INVALID_CREDENTIALS",
                "TOO_MANY_ATTEMPTS",
                "TOO_MANY_ATTEMPTS"
            ]
        );
    });
}

#[test]
fn one_network_that_tries_many_accounts_is_slowed_down() {
    test(async |world| {
        let mut answers = Vec::new();
        for n in 0..40 {
            // Any address of the network, whatever the client itself claims before the proxy's word.
            let from = format!("192.0.2.{n}, 2001:db8:0:1::{n:x}");
            answers
                .push(sign_in_from(world, &from, (&format!("person{n}@example.com"), WRONG)).await);
        }
        assert_eq!(number_of("INVALID_CREDENTIALS", &answers[..30]), 30);
        assert!(
            number_of("TOO_MANY_ATTEMPTS", &answers[30..]) >= 8,
            "{:?}",
            codes(&answers[30..])
        );
        let elsewhere =
            sign_in_from(world, "2001:db8:0:2::1", ("person1@example.com", WRONG)).await;
        assert_eq!(elsewhere.user_error("signIn").0, "INVALID_CREDENTIALS");
    });
}

#[test]
fn the_right_password_in_time_clears_the_account_and_does_not_count_for_the_network() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        for _ in 0..9 {
            for password in [WRONG, WRONG, WRONG, PASSWORD, PASSWORD] {
                // 27 tries from one network, all of them for nothing.
                let answer = sign_in_from(world, "203.0.113.7", (&email, password)).await;
                assert_ne!(answer.user_error("signIn").0, "TOO_MANY_ATTEMPTS");
            }
        }
        for _ in 0..20 {
            let answer = sign_in_from(world, "203.0.113.8", (&email, PASSWORD)).await;
            assert_eq!(answer.user_error("signIn").0, "");
        }
    });
}

#[test]
fn who_guesses_from_one_address_keeps_nobody_else_out_and_the_owner_is_notified_once() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        for guessed in [email.as_str(), "nobody@example.com"] {
            let mut answers = Vec::new();
            for _ in 0..12 {
                answers.push(sign_in_from(world, "192.0.2.66", (guessed, WRONG)).await);
            }
            assert!(number_of("TOO_MANY_ATTEMPTS", &answers) >= 6);
        }
        let owner = sign_in_from(world, "203.0.113.1", (&email, PASSWORD)).await;
        assert_eq!(
            owner.user_error("signIn").0,
            "",
            "the owner is somewhere else"
        );

        // The same with asking for a new password.
        let reset = async || {
            let input = json!({ "email": email });
            let asks = "accepted userErrors { code field }";
            anonymous(world, "requestPasswordReset", input, asks).await
        };
        for n in 0..8 {
            let code = reset().await.user_error("requestPasswordReset").0;
            assert_eq!(code, if n < 5 { "" } else { "TOO_MANY_ATTEMPTS" });
        }

        let mails = world.mails_to(&email, 6).await;
        let warnings: Vec<_> = mails
            .iter()
            .filter(|mail| mail.subject.contains("tries to sign in"))
            .collect();
        assert_eq!(warnings.len(), 1, "once a day, however often it is tried");
        assert!(
            !warnings[0].text.contains("192.0.2.66"),
            "nothing that a stranger chose"
        );
        let others = world.mails().len();
        assert_eq!(others, mails.len(), "nobody else is mailed");
        assert!(audited(world, "session.refused").await >= 1);
    });
}

#[test]
fn a_device_that_is_known_is_kept_out_by_no_stranger() {
    test(async |world| {
        world.set_password(A.user(Who::Rep), PASSWORD).await;
        world.set_password(A.user(Who::Manager), PASSWORD).await;
        let email = address(world, A, Who::Rep).await;
        let session = sign_in_again(world, Who::Rep).await;
        let known = text(&session["refreshToken"]).to_owned();
        let others = sign_in_again(world, Who::Manager).await;
        let others = text(&others["refreshToken"]).to_owned();
        guess_together(world, &email, 40).await;
        let code = async |before: Option<&str>, password: &str| {
            let answer = sign_in_by(world, "203.0.113.1", (&email, password), before).await;
            answer.user_error("signIn").0
        };
        for stranger in [None, Some(others.as_str()), Some("dgr_x"), Some("")] {
            assert_eq!(
                code(stranger, PASSWORD).await,
                "TOO_MANY_ATTEMPTS",
                "{stranger:?}"
            );
        }
        assert_eq!(code(Some(&known), PASSWORD).await, "");
        // A token of before is no password, and tries by it are few as well.
        for _ in 0..5 {
            assert_eq!(code(Some(&known), WRONG).await, "INVALID_CREDENTIALS");
        }
        assert_eq!(code(Some(&known), PASSWORD).await, "TOO_MANY_ATTEMPTS");
        // It opens nothing by itself, also when its session has ended; one that was stolen is forgotten.
        let next = sign_in_again_by(world, &email, &others).await;
        assert_eq!(next, "TOO_MANY_ATTEMPTS");
        arrange(
            world,
            "UPDATE sessions SET ended_at = now(), ended_because = 'STOLEN'",
        )
        .await;
        assert_eq!(code(Some(&known), PASSWORD).await, "TOO_MANY_ATTEMPTS");
    });
}

/// Tries the right password with an earlier token of another user.
async fn sign_in_again_by(world: &World, email: &str, before: &str) -> String {
    let answer = sign_in_by(world, "203.0.113.9", (email, PASSWORD), Some(before)).await;
    answer.user_error("signIn").0
}
