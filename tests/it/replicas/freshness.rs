//! What is read on the replica, and how old it is.

use dealgraph::{
    base::clock::Clock,
    tools::{
        config::Config,
        doctor::{Asked, Level, examine},
    },
};
use serde_json::json;

use super::pair::{DEALS, Pair, Person, until};
use crate::{
    defaults::child::url,
    harness::{A, Who, World, encryption_key, test},
    live::document,
    restores::machine::Machine,
};

const WITHIN: (&str, &str) = ("cache-control", "max-age=60");
const TOLD: (&str, &str) = ("dealgraph-position", "none");

#[test]
fn what_may_be_old_is_read_on_the_replica_and_nobody_goes_back_in_time() {
    test(async |world: &World| {
        let machine = Machine::new(world, "dealgraph-replica-fresh-").await;
        let pair = Pair::make(&machine).await;
        let server = pair.serve(world).await;
        let admin = Person::admin(&server, world);

        // Who does not allow for age, and what is more than records, is the primary's.
        let answer = admin.ask(DEALS, &[]).await;
        assert_eq!((answer.read(), answer.position()), ("", ""));
        for query in [
            "{ viewer { role } }",
            "{ eventCursor opportunities { totalCount } }",
        ] {
            let answer = admin.ask(query, &[WITHIN, TOLD]).await;
            assert_eq!(answer.read(), "", "{query}");
            assert_ne!(answer.position(), "", "{query}");
        }
        // Who does is answered by the replica, with the same.
        let old = admin.ask(DEALS, &[WITHIN, TOLD]).await;
        assert_eq!(old.read(), "replica", "{old:?}");
        assert_eq!(old.body["data"], answer.body["data"]);
        assert!(old.header("age").parse::<u64>().expect("seconds") <= 60);

        // What the replica has not replayed is not there, and is where nothing old is allowed for.
        pair.catch_up().await;
        pair.at_replica("SELECT pg_wal_replay_pause()").await;
        let written = admin.rename(1, "Written meanwhile").await;
        assert_eq!(written.read(), "", "a write is of the primary");
        let old = admin.ask_within(60, "none").await;
        assert_eq!(
            (old.read(), old.has("Written meanwhile")),
            ("replica", false)
        );
        assert!(admin.ask(DEALS, &[]).await.has("Written meanwhile"));
        // Who has written it sees it, and so does who has seen it.
        let own = admin.ask_within(60, written.position()).await;
        assert_eq!(
            (own.read(), own.has("Written meanwhile")),
            ("primary; reason=position", true)
        );
        let seen = admin.ask(DEALS, &[TOLD]).await;
        assert!(seen.has("Written meanwhile"));
        let again = admin.ask_within(60, seen.position()).await;
        assert!(again.has("Written meanwhile"), "{again:?}");
        // The furthest of several counts, and what is no position of the tenant's may be any.
        let both = format!("{}, {}", old.position(), written.position());
        for position in [both.as_str(), "unknown", "00000000-1"] {
            let answer = admin.ask_within(60, position).await;
            assert!(answer.has("Written meanwhile"), "{position}");
        }
        // An old answer is kept as one of its time: it is found by who allows for that, and by nobody else.
        let query = "{ opportunities(first: 49) { nodes { id name } } }";
        let kept = admin.ask(query, &[WITHIN]).await;
        assert_eq!(
            kept.header("cache-status"),
            "Dealgraph; fwd=uri-miss; stored"
        );
        assert!(!kept.has("Written meanwhile"), "{kept:?}");
        let found = admin.ask(query, &[WITHIN]).await;
        assert_eq!(found.header("cache-status"), "Dealgraph; hit");
        assert!(admin.ask(query, &[]).await.has("Written meanwhile"));

        // Rights are of the moment: what the primary refuses since, the replica does not show.
        let analyst = Person::of(&server, world, (A, Who::Analyst));
        let before = analyst.ask_within(60, "none").await;
        let input = json!({ "input": { "userId": A.user(Who::Analyst), "role": "SALES_REP" } });
        let narrowed = admin
            .send((&document("membershipUpdate"), &input), &[])
            .await;
        let faults = &narrowed.body["data"]["membershipUpdate"]["userErrors"];
        assert_eq!(*faults, json!([]), "{narrowed:?}");
        // Each server learns of it within a second.
        until("it is refused", async || {
            analyst.ask(DEALS, &[]).await.body["data"]["opportunities"]["nodes"] == json!([])
        })
        .await;
        let old = analyst.ask_within(60, "none").await;
        assert_eq!(old.read(), "replica");
        let deals =
            |answer: &super::pair::Answer| answer.body["data"]["opportunities"]["nodes"].clone();
        assert_ne!(deals(&before), json!([]));
        assert_eq!(deals(&old), json!([]), "an old right was used");

        // It is further behind than allowed, then no more.
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        let old = admin.ask_within(2, "none").await;
        assert_eq!(
            (old.read(), old.has("Written meanwhile")),
            ("primary; reason=lagging", true)
        );
        pair.at_replica("SELECT pg_wal_replay_resume()").await;
        pair.catch_up().await;
        until("it is read again", async || {
            let answer = admin.ask_within(60, written.position()).await;
            assert!(answer.has("Written meanwhile"));
            answer.read() == "replica"
        })
        .await;

        doctor(&pair).await;
        server.stop().await;
    });
}

/// What the doctor says of the replica, and of a primary in its place.
async fn doctor(pair: &Pair<'_>) {
    for (replica, level) in [(&pair.replica, Level::Ok), (&pair.primary, Level::Error)] {
        let variables = [
            (
                "DEALGRAPH_DATABASE_URL",
                url(&pair.primary.options("dealgraph_app")),
            ),
            (
                "DEALGRAPH_SYSTEM_DATABASE_URL",
                url(&pair.primary.options("dealgraph_system")),
            ),
            (
                "DEALGRAPH_REPLICA_DATABASE_URL",
                url(&replica.options("dealgraph_app")),
            ),
            (
                "DEALGRAPH_ENCRYPTION_KEYS",
                encryption_key().await.to_owned(),
            ),
        ];
        let variables = variables.into_iter();
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let (config, problems) = Config::examine(variables);
        let asked = Asked {
            servers: 1,
            mail_to: None,
        };
        let report = examine((&config, &problems), &asked, &Clock::system()).await;
        let found: Vec<_> = report
            .findings
            .iter()
            .filter(|found| found.check == "replica")
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].level, level, "{found:?}");
    }
}
