//! No message is stored twice, and none that was answered is lost: with many at once, and with a server that dies.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{Endpoint, Sent, all_processed, arrange, hmac_sha256, until};
use crate::{
    defaults::child::Child,
    harness::{World, test},
};

/// How many messages have each name.
fn names(messages: &[Value]) -> BTreeSet<String> {
    let names = messages.iter().map(|message| {
        let name = message["messageId"].as_str().expect("a name");
        name.to_owned()
    });
    names.collect()
}

#[test]
fn of_many_with_one_id_at_once_one_is_stored() {
    test(async |world| {
        let endpoint = Endpoint::standard(world).await;
        let sent = Sent::of("msg_1", "{}");
        let answers = join_all((0..20).map(|_| endpoint.send(world, &sent))).await;
        let statuses = answers.iter().map(|answer| answer.status);
        let new = statuses.clone().filter(|status| *status == 202).count();
        assert_eq!(new, 1);
        assert!(statuses.clone().all(|status| [200, 202].contains(&status)));
        let found = until(world, &endpoint.id, all_processed).await;
        assert_eq!(found.len(), 1);
        // The id is the endpoint's: another one has its own.
        let other = Endpoint::standard(world).await;
        assert_eq!(other.send(world, &sent).await.status, 202);
    });
}

#[test]
fn what_has_no_id_is_one_while_its_body_is_the_same_within_some_minutes() {
    test(async |world| {
        let endpoint = Endpoint::make(
            world,
            json!({ "verification": "HMAC_SHA256", "signatureHeader": "x-sign", "signatureEncoding": "HEX" }),
        )
        .await;
        let send = async |body: &'static str| {
            let request = world.to(reqwest::Method::POST, &endpoint.path).body(body);
            let request = request.header("x-sign", hmac_sha256(&endpoint.secret, body));
            request.send().await.expect("an answer").status().as_u16()
        };
        assert_eq!(
            (send("a").await, send("a").await, send("b").await),
            (202, 200, 202)
        );
        // As if it had come at the end of the ten minutes before, and then eleven minutes ago.
        let shift = |ago: &str| {
            format!(
                "UPDATE inbound_messages SET received_at = now() - interval '{ago}',
                 message_id = regexp_replace(message_id, '[0-9]+$', (floor(extract(epoch FROM now()) / 600) - 1)::bigint::text)
                 WHERE message_id ^@ 'sha256:'"
            )
        };
        arrange(world, shift("9 minutes")).await;
        assert_eq!(send("a").await, 200);
        arrange(world, shift("11 minutes")).await;
        assert_eq!(send("a").await, 202);
    });
}

#[test]
fn a_server_that_dies_loses_nothing_that_it_answered_and_stores_nothing_twice() {
    test(async |world: &World| {
        let endpoint = Endpoint::standard(world).await;
        // Its jobs are done by the other server, which would else wait for the end of their leases.
        let server = Child::serve(world, &[("DEALGRAPH_JOB_SLOTS", "0")]).await;
        let http = server.http().clone();
        let address = format!("http://{}{}", server.address(), endpoint.path);
        let sent: Vec<_> = (0..40)
            .map(|n| Sent::of(&format!("msg_{n}"), "{}"))
            .collect();
        let post = async |sent: &Sent| {
            let to = http.post(&address);
            let request = endpoint.request(to, sent, &endpoint.signature(sent));
            request
                .send()
                .await
                .ok()
                .map(|answer| answer.status().as_u16())
        };
        // It dies in the middle of them: some are answered, some stored and not answered, some not stored.
        let killed = async {
            tokio::time::sleep(Duration::from_millis(60)).await;
            server.kill().await;
        };
        let posts = sent.iter().enumerate().map(|(n, one)| {
            let post = &post;
            async move {
                tokio::time::sleep(Duration::from_millis(3 * n as u64)).await;
                post(one).await
            }
        });
        let (answers, ()) = tokio::join!(join_all(posts), killed);
        let answered = sent
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.is_some());
        let answered: BTreeSet<_> = answered.map(|(sent, _)| sent.id.clone()).collect();
        assert!(answered.len() < sent.len(), "it was killed too late");
        let stored = until(world, &endpoint.id, |_| true).await;
        assert!(
            names(&stored).is_superset(&answered),
            "what was answered is there"
        );
        // Each sender that heard nothing sends again, to the server that is left.
        for (sent, answer) in sent.iter().zip(&answers) {
            if answer.is_none() {
                let status = endpoint.send(world, sent).await.status;
                assert!([200, 202].contains(&status), "{status}");
            }
        }
        let fits = |all: &[Value]| all.len() == sent.len() && all_processed(all);
        let found = until(world, &endpoint.id, fits).await;
        assert_eq!(names(&found).len(), sent.len());
    });
}
