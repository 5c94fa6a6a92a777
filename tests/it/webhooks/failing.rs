//! Receivers that are away, slow, or refuse: what is sent again and when, and that nobody else waits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{
    Setting,
    receiver::{Receiver, Reply},
};
use crate::harness::{B, Who, mails_in, test};

fn deals() -> Value {
    json!([{ "topic": "OPPORTUNITY" }])
}

#[test]
fn what_is_refused_is_sent_again_under_its_id_while_others_go_on() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting.endpoint(&receiver, deals()).await;
        receiver.reply([Reply::of(500)]);
        setting.rename(1, "Refused").await;
        receiver.have(1).await;
        // A later one of the same record waits, one of another does not.
        setting.rename(1, "Later").await;
        setting.rename(2, "Other").await;
        let received = receiver.only(2).await;
        assert_eq!(received[1].body["data"]["changes"][0]["after"], "Other");
        setting.let_pass("6 s").await;
        let received = receiver.only(4).await;
        let after = |place: usize| received[place].body["data"]["changes"][0]["after"].clone();
        assert_eq!((after(2), after(3)), (json!("Refused"), json!("Later")));
        assert_eq!(received[0].id(), received[2].id());
        let log = setting.deliveries(&endpoint).await;
        let refused = &log[0];
        assert_eq!(refused["attemptCount"], 2);
        assert_eq!(
            refused["attempts"][1],
            json!({ "number": 1, "outcome": "REFUSED", "responseStatus": 500, "errorCode": "REFUSED",
                    "response": "it is 500 Internal Server Error", "tookMs": refused["attempts"][1]["tookMs"] })
        );
        assert_eq!(refused["attempts"][0]["outcome"], "DELIVERED");
        setting.end().await;
    });
}

#[test]
fn what_was_refused_ten_times_has_failed() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting.endpoint(&receiver, deals()).await;
        receiver.reply((0..10).map(|_| Reply::of(400)));
        setting.rename(1, "Never").await;
        let pauses = [
            "6 s", "70 s", "6 min", "34 min", "67 min", "140 min", "270 min", "540 min", "800 min",
        ];
        for (sent, pause) in pauses.iter().enumerate() {
            receiver.only(sent + 1).await;
            setting.let_pass(pause).await;
        }
        setting
            .until(&endpoint, |standing| standing["health"]["pending"] == 0)
            .await;
        receiver.only(10).await;
        let log = setting.deliveries(&endpoint).await;
        assert_eq!(
            (&log[0]["status"], &log[0]["attemptCount"]),
            (&json!("FAILED"), &json!(10))
        );
        // Somebody who has mended the receiver sends it again.
        let range = json!({ "webhookEndpointId": endpoint, "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
        let again = setting
            .admin("webhookDeliveryResendRange", "resent", range)
            .await;
        assert_eq!(again["resent"], 1);
        receiver.only(11).await;
        setting.end().await;
    });
}

#[test]
fn an_endpoint_that_wants_no_more_gets_no_more_and_one_that_fails_for_days_is_given_up() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (gone, _) = setting.endpoint(&receiver, deals()).await;
        receiver.reply([Reply::of(410)]);
        setting.rename(1, "Gone").await;
        let standing = setting
            .until(&gone, |standing| standing["enabled"] == false)
            .await;
        assert_eq!(standing["disabledReason"], "GONE");
        let began = Instant::now();
        let mails = loop {
            // The world's own server does jobs too.
            let mut mails = mails_in(&setting.server.mails);
            mails.extend(world.mails());
            if !mails.is_empty() {
                break mails;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "nobody is told");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let mail = &mails[0];
        assert!(mail.text.contains("it answered 410"), "{}", mail.text);
        assert!(
            mail.text.contains(gone.as_str().expect("an id")),
            "{}",
            mail.text
        );
        setting.rename(1, "Nobody hears").await;
        receiver.only(1).await;
        let log = setting.deliveries(&gone).await;
        assert_eq!(log[0]["status"], "CANCELLED");

        let (failing, _) = setting.endpoint(&receiver, deals()).await;
        receiver.reply([Reply::of(503), Reply::of(503)]);
        setting.rename(2, "Away").await;
        let standing = setting
            .until(&failing, |standing| standing["health"]["failures"] == 1)
            .await;
        assert!(standing["health"]["restsUntil"].is_string());
        setting.let_pass("121 h").await;
        let standing = setting
            .until(&failing, |standing| standing["enabled"] == false)
            .await;
        assert_eq!(standing["disabledReason"], "FAILING");
        setting.end().await;
    });
}

#[test]
fn an_endpoint_that_is_away_is_asked_with_one_and_then_gets_all_in_order() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting.endpoint(&receiver, deals()).await;
        let busy = Reply {
            retry_after: Some("40"),
            ..Reply::of(429)
        };
        receiver.reply([busy]);
        setting.rename(1, "First").await;
        setting
            .until(&endpoint, |standing| standing["health"]["failures"] == 1)
            .await;
        for n in 0..6 {
            setting.rename(2 + n % 3, &format!("Waiting {n}")).await;
        }
        receiver.only(1).await;
        // It asked for forty seconds, and gets them.
        setting.let_pass("35 s").await;
        receiver.only(1).await;
        receiver.reply([Reply::of(503)]);
        setting.let_pass("6 s").await;
        let received = receiver.only(2).await;
        assert!(received.len() == 2, "one asks for all");
        setting.let_pass("60 s").await;
        let received = receiver.only(9).await;
        assert!(received.len() == 9);
        let standing = setting.standing(&endpoint).await;
        assert_eq!(
            (
                &standing["health"]["failures"],
                &standing["health"]["pending"]
            ),
            (&json!(0), &json!(0))
        );
        setting.end().await;
    });
}

#[test]
fn a_slow_receiver_is_in_nobodys_way() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let (slow, quick, of_b) = (
            Receiver::start().await,
            Receiver::start().await,
            Receiver::start().await,
        );
        slow.reply((0..40).map(|_| Reply {
            after: Duration::from_secs(12),
            ..Reply::of(200)
        }));
        setting.endpoint(&slow, deals()).await;
        setting.endpoint(&quick, deals()).await;
        let input =
            json!({ "name": "B's", "url": of_b.url(), "subscriptions": [{ "topic": "LEAD" }] });
        let made = setting
            .call(
                (B, Who::Admin),
                "webhookEndpointCreate",
                "webhookEndpoint { id }",
                input,
            )
            .await;
        assert_eq!(made["userErrors"], json!([]));
        for n in 1..4 {
            setting.rename(n, "Slowly").await;
        }
        slow.have(3).await;
        let began = Instant::now();
        setting.rename(5, "Quickly").await;
        let lead: dealgraph::base::ids::LeadId = B.id(1);
        let input = json!({ "id": lead.to_string(), "title": "Of B" });
        setting
            .call((B, Who::Admin), "leadUpdate", "lead { id }", input)
            .await;
        quick.have(4).await;
        of_b.have(1).await;
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "{:?}",
            began.elapsed()
        );
        assert!(slow.received().len() >= 3);
        setting.end().await;
    });
}

#[test]
fn what_a_server_died_over_is_sent_again_by_another_and_the_log_says_so() {
    test(async |world| {
        let setting = Setting::begin(world).await;
        let receiver = Receiver::start().await;
        let (endpoint, _) = setting.endpoint(&receiver, deals()).await;
        receiver.reply([Reply {
            after: Duration::from_secs(9),
            ..Reply::of(200)
        }]);
        setting.rename(1, "Half way").await;
        receiver.have(1).await;
        // As a kill leaves it: the attempt noted, its end not, the lease over.
        setting
            .arrange("UPDATE jobs SET due_at = now() WHERE kind = 'webhooks.send'; UPDATE job_queues SET due_at = now() WHERE due_at < 'infinity'")
            .await;
        let received = receiver.have(2).await;
        assert_eq!(received[0].id(), received[1].id());
        assert_eq!(received[0].bytes, received[1].bytes);
        let log = loop {
            let log = setting.deliveries(&endpoint).await;
            if log[0]["status"] == "DELIVERED" {
                break log;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let outcomes: Vec<_> = log[0]["attempts"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|one| one["outcome"].clone())
            .collect();
        assert_eq!(outcomes, [json!("DELIVERED"), json!("SENDING")]);
        setting.end().await;
    });
}
