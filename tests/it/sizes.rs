//! An answer that is too large is given up while it is made: whichever way it is made, there is never much more of it in
//! memory than an answer may have.

use std::fmt::Write as _;

use dealgraph::{base::error::Error, db::Sql};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::{
    harness::{A, Answer, Who, World, global_id, test},
    live::{Socket, act, document},
};

/// What an answer may have.
const MOST: usize = 8 << 20;
/// The longest text that there can be, of four bytes each.
const LONGEST: usize = 20_000 * '😀'.len_utf8();
/// As many as an operation may have, but for one.
const ALIASES: usize = 29;

/// As many as there are points for, of a hundred records twice.
const WIDE: usize = 15;

/// A hundred companies whose descriptions are as long as may be: eight million bytes, which is just not too much.
async fn arrange(world: &World) {
    let admin = world.a(Who::Admin);
    let document = document("companyCreate");
    for n in 0..96 {
        let input = json!({ "input": { "name": format!("Large {n}") } });
        let data = admin.query_with(&document, input).await;
        assert_eq!(data["companyCreate"]["userErrors"], json!([]));
    }
    let tenant = A.uuid("tenant", 1);
    let sql = format!(
        "UPDATE companies SET description = repeat('😀', 20000) WHERE tenant_id = '{tenant}'"
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut world.database.superuser().await)
        .await
        .expect("the superuser writes");
}

/// The same field again and again.
fn repeated(times: usize, field: &str) -> String {
    (0..times).fold(String::new(), |mut text, n| {
        _ = write!(text, "a{n}: {field} ");
        text
    })
}

fn assert_refused(answer: &Answer, what: &str) {
    assert_eq!(answer.code(), "RESPONSE_TOO_LARGE", "{what}");
    assert_eq!(answer.body.get("data"), None, "{what}");
    let cost = &answer.body["extensions"]["cost"];
    assert_eq!(cost["requested"], cost["actual"], "{what} costs all of it");
}

/// How many bytes there were of the answers that were given up.
fn given_up(world: &World) -> Vec<usize> {
    let log = world.log();
    let lines = log.lines().filter(|line| line.contains("was given up"));
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line).expect("a line is JSON");
            let bytes = line["fields"]["bytes"].as_u64();
            usize::try_from(bytes.expect("a number")).expect("it fits")
        })
        .collect()
}

#[test]
fn an_answer_is_given_up_as_soon_as_it_is_too_large() {
    test(async |world| {
        arrange(world).await;
        let admin = world.a(Who::Admin);
        // Under this key the executor itself asks for types, and the projection executor leaves it to it.
        for (path, more) in [("projection", ""), ("executor", "__typeOf: __typename")] {
            let one = format!("{{ companies(first: 100) {{ nodes {{ {more} description }} }} }}");
            let answer = admin.send(&one, json!({})).await;
            let nodes = answer.data()["companies"]["nodes"].as_array().map(Vec::len);
            assert_eq!(nodes, Some(100), "{path}: as much as may be is answered");

            // Of the lists no more are read than there is room for.
            let list = format!("companies(first: 100) {{ nodes {{ {more} description }} }}");
            let many = format!("{{ {} }}", repeated(4, &list));
            let (answer, statements) = world.statements.during(admin.send(&many, json!({}))).await;
            assert_refused(&answer, path);
            let lists = statements
                .iter()
                .filter(|sql| sql.contains("FROM companies"));
            assert_eq!(lists.count(), 2, "{path} read on: {statements:#?}");

            let fields = repeated(WIDE, "description");
            let wide = format!("{{ companies(first: 100) {{ nodes {{ {more} {fields} }} }} }}");
            assert_refused(&admin.send(&wide, json!({})).await, path);
            let bytes = given_up(world);
            let most = MOST + WIDE * (LONGEST + 10) + 1_000;
            assert!(
                bytes.iter().all(|bytes| (MOST..most).contains(bytes)),
                "{path}: {bytes:?} of {most}"
            );
        }
        assert_eq!(given_up(world).len(), 4);
        let me = admin.query("{ viewer { id } }").await;
        assert!(me["viewer"]["id"].is_string(), "{me}");
    });
}

#[test]
fn rows_are_not_taken_into_memory_beyond_what_an_answer_needs() {
    test(async |world| {
        let rows = |count: u32| {
            // One after the other: in FROM all of them would be made first.
            Sql::new("SELECT repeat('x', 1000), generate_series(1, ")
                .bind(i64::from(count))
                .push(")")
        };
        let session = || world.db.read_session(A.actor(Who::Admin)).within(1_000_000);
        // All of these rows would be a terabyte.
        let endless = session();
        let read = endless.run(async |tx| tx.column::<String>(rows(1_000_000_000)).await);
        assert!(matches!(read.await, Err(Error::TooLarge)));
        assert!(endless.is_stopped());
        let read = endless.run(async |tx| tx.column::<String>(rows(1)).await);
        assert!(
            matches!(read.await, Err(Error::TooLarge)),
            "nothing more is read"
        );
        drop(endless);

        // It counts what all statements of a request read, also from another snapshot.
        let session = session();
        for _ in 0..2 {
            let read = session.run(async |tx| tx.column::<String>(rows(400)).await);
            assert_eq!(read.await.map(|rows| rows.len()).ok(), Some(400));
            session.refresh().await;
        }
        let read = session.run(async |tx| tx.column::<String>(rows(400)).await);
        assert!(matches!(read.await, Err(Error::TooLarge)));
    });
}

#[test]
fn subscribers_are_notified_of_what_is_too_large_and_of_all_that_is_not() {
    test(async |world| {
        arrange(world).await;
        let admin = world.a(Who::Admin);
        let cursor = admin.query("{ eventCursor }").await["eventCursor"].clone();
        let company = |n| global_id("company", A.uuid("company", n));
        for round in 0..4 {
            for n in 1..=4 {
                let input = json!({ "id": company(n), "name": format!("Renamed {n} {round}") });
                act(&admin, "companyUpdate", input).await;
            }
        }
        // Sixteen answers of 2.3 MB are more than there may be at once, and each by itself is not.
        let subscription = |fields: &str| {
            format!(
                "subscription($after: EventCursor) {{ companyEvents(after: $after) {{ kind recordId version company {{ {fields} }} }} }}"
            )
        };
        let mut socket = Socket::open(&admin).await;
        let large = subscription(&repeated(ALIASES, "description"));
        socket.ask("1", &large, json!({ "after": cursor })).await;
        for round in 0..4 {
            for n in 1..=4 {
                let change = socket.change("1").await;
                assert_eq!(change["recordId"], company(n));
                assert_eq!(change["version"], 2 + round);
                let text = change["company"]["a28"].as_str().map(str::len);
                assert_eq!(text, Some(LONGEST));
            }
        }
        socket.say(json!({ "id": "1", "type": "complete" })).await;

        // Four contacts of a company with its description each time are more than an answer may have.
        let fields = format!(
            "contacts {{ nodes {{ company {{ {} }} }} }}",
            repeated(ALIASES, "description")
        );
        let tenant = A.uuid("tenant", 1);
        let sql = format!(
            "UPDATE contacts SET company_id = '{}' WHERE tenant_id = '{tenant}'",
            A.uuid("company", 1)
        );
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut world.database.superuser().await)
            .await
            .expect("the superuser writes");
        socket
            .subscribe("2", &subscription(&fields), json!({}))
            .await;
        let input = json!({ "id": company(1), "name": "Too large" });
        act(&admin, "companyUpdate", input).await;
        let message = socket.message("2").await;
        let error = &message["payload"]["errors"][0]["extensions"]["code"];
        assert_eq!(
            (&message["type"], error),
            (&json!("next"), &json!("RESPONSE_TOO_LARGE"))
        );
        let input = json!({ "id": company(2), "name": "Small" });
        act(&admin, "companyUpdate", input).await;
        assert_eq!(socket.change("2").await["recordId"], company(2));
    });
}
