//! What Postgres can't fit between other transactions is tried again here, a few times, and not by the client.

use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{Who, World, test};

const CREATE: &str = "mutation($input: ContactCreateInput!) { contactCreate(input: $input) { contact { id } userErrors { code } } }";

/// Has the next inserts of contacts end as a deadlock does.
async fn collide(world: &World, times: u32) {
    let mut superuser = world.database.superuser().await;
    let sql = format!(
        "CREATE SEQUENCE IF NOT EXISTS collisions; ALTER SEQUENCE collisions RESTART;
         CREATE OR REPLACE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
             IF nextval('public.collisions') <= {times} THEN
                 RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
             END IF;
             RETURN new;
         END $$;
         DROP TRIGGER IF EXISTS collide ON contacts;
         CREATE TRIGGER collide BEFORE INSERT ON contacts FOR EACH ROW EXECUTE FUNCTION collide();"
    );
    let done = raw_sql(AssertSqlSafe(sql)).execute(&mut superuser).await;
    done.expect("it can be arranged");
}

#[test]
fn a_deadlock_is_tried_again_and_one_that_never_ends_is_told() {
    test(async |world: &World| {
        let retried = || world.metric("dealgraph_db_transactions_retried_total");
        let create = async |name: &str| {
            let input = json!({ "input": { "firstName": "Ida", "lastName": name } });
            world.a(Who::Admin).send(CREATE, input).await
        };
        collide(world, 2).await;
        let answer = create("Twice").await;
        assert_eq!(answer.body["errors"], json!(null), "{:?}", answer.body);
        assert_eq!(retried().as_deref(), Some("2"));

        collide(world, 100).await;
        let answer = create("Never").await;
        assert_eq!(
            answer.body["errors"][0]["extensions"]["code"],
            "UNAVAILABLE"
        );
        assert_eq!(retried().as_deref(), Some("5"));
        let mut superuser = world.database.superuser().await;
        let sql = "SELECT last_name FROM contacts WHERE last_name IN ('Twice', 'Never')";
        let names: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&mut superuser)
            .await
            .expect("a list");
        assert_eq!(names, ["Twice"]);
        // Whoever arranges it takes it away, so that the world can be judged.
        let sql =
            "DROP TRIGGER collide ON contacts; DROP FUNCTION collide(); DROP SEQUENCE collisions";
        raw_sql(sql)
            .execute(&mut superuser)
            .await
            .expect("it is there");
    });
}
