//! The time of an answer reveals nothing: two kinds of refusal are drawn from the same times, as far as statistics can
//! distinguish.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{PASSWORD, anonymous, arrange, sign_in_from};
use crate::harness::{A, Who, World, test};

/// Tries of each kind.
const TRIES: usize = 200;

/// What a rank statistic of two samples from the same times stays below 99,999 of 100,000 times.
const NOISE: f64 = 4.4;

/// How far two samples are apart: Mann and Whitney's U, as a number of standard deviations.
fn distance(a: &[Duration], b: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> = a.iter().map(|&time| (time, true)).collect();
    all.extend(b.iter().map(|&time| (time, false)));
    all.sort();
    let ranks = (1..)
        .zip(&all)
        .filter(|(_, (_, is_a))| *is_a)
        .map(|(rank, _)| f64::from(rank));
    let (m, n) = (a.len() as f64, b.len() as f64);
    let u = ranks.sum::<f64>() - m * (m + 1.0) / 2.0;
    (u - m * n / 2.0).abs() / (m * n * (m + n + 1.0) / 12.0).sqrt()
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Takes the times of two acts, alternating, in an order that differs from round to round.
async fn compare(kinds: [&str; 2], mut act: impl AsyncFnMut(usize, usize)) {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..TRIES + 10 {
        let order = if fastrand::bool() { [0, 1] } else { [1, 0] };
        for kind in order {
            let began = Instant::now();
            act(kind, round).await;
            // The first ones warm connections and statements up.
            if round >= 10 {
                times[kind].push(began.elapsed());
            }
        }
    }
    let apart = distance(&times[0], &times[1]);
    let [a, b] = &mut times;
    let (a, b) = (median(a), median(b));
    assert!(
        apart < NOISE,
        "{kinds:?} are {apart:.1} standard deviations apart: {a:?} and {b:?}"
    );
}

/// People with a password, one per try, since an account is slowed down after a few.
async fn people(world: &World) {
    world.set_password(A.user(Who::Rep), PASSWORD).await;
    arrange(
        world,
        "INSERT INTO users (user_id, email, email_normalized, name, created_at, password_hash)
         SELECT gen_random_uuid(), 'known' || n || '@example.com', 'known' || n || '@example.com', 'Known', now(),
                (SELECT password_hash FROM users WHERE password_hash IS NOT NULL LIMIT 1)
         FROM generate_series(0, 299) n;
         INSERT INTO memberships (tenant_id, user_id, email, name, name_normalized, role, created_at)
         SELECT (SELECT tenant_id FROM tenants WHERE slug = 'side-a0a0'), user_id, email, name, 'known', 'VIEWER', now()
         FROM users WHERE email LIKE 'known%'",
    )
    .await;
}

#[test]
fn an_unknown_address_and_a_wrong_password_take_the_same_time() {
    test(async |world| {
        people(world).await;
        compare(["unknown", "wrong"], async |kind, round| {
            let email = match kind {
                0 => format!("other{round}@example.com"),
                _ => format!("known{round}@example.com"),
            };
            let from = format!("198.{kind}.{}.{}", round / 200, round % 200);
            let answer = sign_in_from(world, &from, (&email, "wrong horse battery")).await;
            assert_eq!(answer.user_error("signIn").0, "INVALID_CREDENTIALS");
        })
        .await;
    });
}

#[test]
fn asking_for_a_new_password_takes_the_same_time_for_a_known_and_an_unknown_address() {
    test(async |world| {
        people(world).await;
        compare(["unknown", "known"], async |kind, round| {
            let email = match kind {
                0 => format!("other{round}@example.com"),
                _ => format!("known{round}@example.com"),
            };
            world
                .accounts
                .throttle
                .clear(&dealgraph::platform::redis::Counter::network(
                    "mail",
                    [127, 0, 0, 1].into(),
                ))
                .await;
            let input = json!({ "email": email });
            let answer = anonymous(
                world,
                "requestPasswordReset",
                input,
                "accepted userErrors { code }",
            )
            .await;
            assert_eq!(answer.data()["requestPasswordReset"]["accepted"], true);
            // What is done later must not run into the next try.
            tokio::time::sleep(Duration::from_millis(5)).await;
        })
        .await;
    });
}

#[test]
fn the_statistic_tells_different_times_apart() {
    let times = |from: u64| {
        (0..200)
            .map(|n| Duration::from_micros(from + n))
            .collect::<Vec<_>>()
    };
    assert!(distance(&times(0), &times(0)) < 0.1);
    assert!(distance(&times(0), &times(40)) > NOISE);
}
