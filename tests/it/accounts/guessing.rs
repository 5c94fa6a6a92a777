//! Whoever guesses is slowed down: per account, and per network.

use futures_util::future::join_all;

use super::{PASSWORD, address, sign_in_from};
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
        let answers = guess_together(world, &email, 40).await;
        assert_eq!(number_of("INVALID_CREDENTIALS", &answers), 5);
        assert_eq!(number_of("TOO_MANY_ATTEMPTS", &answers), 35);
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
            for n in 0..7 {
                of_one.push(sign_in_from(world, &format!("203.0.113.{n}"), (email, WRONG)).await);
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
        for _ in 0..10 {
            for password in [WRONG, WRONG, WRONG, PASSWORD, PASSWORD] {
                let from = if password == WRONG {
                    "203.0.113.7"
                } else {
                    "203.0.113.8"
                };
                // 30 tries from one network, all of them for nothing.
                let answer = sign_in_from(world, from, (&email, password)).await;
                assert_ne!(answer.user_error("signIn").0, "TOO_MANY_ATTEMPTS");
            }
        }
        for _ in 0..20 {
            let answer = sign_in_from(world, "203.0.113.8", (&email, PASSWORD)).await;
            assert_eq!(answer.user_error("signIn").0, "");
        }
    });
}
