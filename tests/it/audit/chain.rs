//! The chain: whatever a database admin does to a row, it shows.

use dealgraph::{
    organization::audit::{self, Broken, Head, Verified},
    platform::Progress,
};
use serde_json::json;
use sqlx::{AssertSqlSafe, raw_sql};

use super::rename;
use crate::harness::{A, Who, World, test};

async fn verify(world: &World, kept: Option<&Head>) -> Result<Head, Broken> {
    let found = audit::verify(&world.db, Some("side-a0a0"), kept, &Progress::hidden()).await;
    let [Verified { outcome, .. }] = &found.expect("the log can be read")[..] else {
        panic!("one tenant is asked for")
    };
    outcome.clone()
}

/// Entries 2, 3 to 5 (of one transaction) and 6.
async fn write_some(world: &World) {
    rename(world, Who::Admin, "Renamed").await.data();
    let create = "mutation($input: PipelineCreateInput!) { pipelineCreate(input: $input) { userErrors { code } } }";
    let stages = json!([{ "name": "Open", "probability": 10 }]);
    let input = json!({ "input": { "name": "New", "stages": stages } });
    world.a(Who::Admin).send(create, input).await.data();
    rename(world, Who::Rep, "Again").await.data();
}

#[test]
fn a_log_that_nobody_touched_is_whole_and_its_head_can_be_kept() {
    test(async |world| {
        write_some(world).await;
        let head = verify(world, None).await.expect("whole");
        rename(world, Who::Admin, "Later").await.data();
        let later = verify(world, Some(&head))
            .await
            .expect("it contains the head");
        assert_ne!(later, head);
        let all = audit::verify(&world.db, None, None, &Progress::hidden())
            .await
            .unwrap();
        assert!(
            all.len() >= 2 && all.iter().all(|found| found.outcome.is_ok()),
            "{all:?}"
        );

        let other: Head = format!("2:{}", "0".repeat(64)).parse().unwrap();
        assert_eq!(
            verify(world, Some(&other)).await,
            Err(Broken::Kept { seq: 2 })
        );
        let beyond: Head = format!("999:{}", "0".repeat(64)).parse().unwrap();
        assert_eq!(
            verify(world, Some(&beyond)).await,
            Err(Broken::Kept { seq: 999 })
        );
    });
}

#[test]
fn whatever_is_done_to_a_row_is_found() {
    test(async |world| {
        write_some(world).await;
        let mut superuser = world.database.superuser().await;
        let tenant = A.uuid("tenant", 1);
        let last: i64 = sqlx::query_scalar("SELECT max(seq) FROM audit_log WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut superuser)
            .await
            .unwrap();
        assert!(last >= 3, "there are several links");
        let mut deeds = Vec::new();
        for seq in 1..=last {
            for column in ["actor", "action", "changes", "request_id"] {
                deeds.push(format!(
                    "UPDATE audit_log SET {column} = {column} || ' ' WHERE {{t}} AND seq = {seq}"
                ));
            }
            for (column, value) in [
                ("audit_id", "gen_random_uuid()"),
                ("occurred_at", "occurred_at + interval '1 microsecond'"),
                ("entity", "coalesce(entity, '') || 'x'"),
                ("entity_id", "gen_random_uuid()"),
                ("address", "coalesce(address, '') || '1'"),
                ("user_agent", "coalesce(user_agent || '1', '')"),
                ("hash", "sha256(hash)"),
            ] {
                deeds.push(format!(
                    "UPDATE audit_log SET {column} = {value} WHERE {{t}} AND seq = {seq}"
                ));
            }
            deeds.push(format!("DELETE FROM audit_log WHERE {{t}} AND seq = {seq}"));
            deeds.push(format!(
                "DELETE FROM audit_log WHERE {{t}} AND seq >= {seq}"
            ));
            deeds.push(format!(
                "DELETE FROM audit_log WHERE {{t}} AND seq = {seq}; UPDATE audit_log SET seq = seq - 1 WHERE {{t}} AND seq > {seq}"
            ));
            if seq < last {
                deeds.push(format!(
                    "UPDATE audit_log SET seq = CASE seq WHEN {seq} THEN -1 ELSE -2 END WHERE {{t}} AND seq IN ({seq}, {seq} + 1);
                     UPDATE audit_log SET seq = {seq} - seq - 1 + CASE seq WHEN -1 THEN 1 ELSE -1 END WHERE {{t}} AND seq < 0"
                ));
            }
        }
        for seq in ["0", "-5", "(SELECT max(seq) + 1 FROM audit_log WHERE {t})"] {
            deeds.push(format!(
                "INSERT INTO audit_log SELECT tenant_id, {seq}, gen_random_uuid(), occurred_at, actor, action, entity, entity_id, changes,
                 address, user_agent, request_id, hash FROM audit_log WHERE {{t}} AND seq = 1"
            ));
        }
        deeds.push("UPDATE tenant_seq SET last_audit = last_audit + 1 WHERE {t}".to_owned());
        deeds.push("UPDATE tenant_seq SET last_audit = last_audit - 1 WHERE {t}".to_owned());
        deeds.push("UPDATE tenant_seq SET audit_hash = sha256(audit_hash) WHERE {t}".to_owned());
        deeds.push("DELETE FROM tenant_seq WHERE {t}".to_owned());

        let (t, keep) = (
            format!("tenant_id = '{tenant}'"),
            "CREATE TABLE kept_log AS SELECT * FROM audit_log WHERE {t};
             CREATE TABLE kept_seq AS SELECT * FROM tenant_seq WHERE {t}",
        );
        let restore =
            "DELETE FROM audit_log WHERE {t}; INSERT INTO audit_log SELECT * FROM kept_log;
             DELETE FROM tenant_seq WHERE {t}; INSERT INTO tenant_seq SELECT * FROM kept_seq";
        let mut run = async |sql: &str| {
            let done = raw_sql(AssertSqlSafe(sql.replace("{t}", &t)))
                .execute(&mut superuser)
                .await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"))
        };
        run(keep).await;
        for deed in &deeds {
            run(deed).await;
            let found = verify(world, None).await;
            assert!(found.is_err(), "not found: {deed}");
            run(restore).await;
            verify(world, None).await.expect("it is as it was");
        }
        run("DROP TABLE kept_log; DROP TABLE kept_seq").await;
    });
}

#[test]
fn the_place_where_a_log_is_broken_is_named() {
    test(async |world| {
        write_some(world).await;
        let mut superuser = world.database.superuser().await;
        let tenant = A.uuid("tenant", 1);
        let mut run = async |deed: &str| {
            let sql = format!("{deed} AND tenant_id = '{tenant}'");
            let done = raw_sql(AssertSqlSafe(sql)).execute(&mut superuser).await;
            done.expect("a superuser may do this");
        };
        run("UPDATE audit_log SET action = 'x' WHERE seq = 2").await;
        assert_eq!(
            verify(world, None).await,
            Err(Broken::Changed { from: 2, to: 2 })
        );
        run("DELETE FROM audit_log WHERE seq = 2").await;
        assert_eq!(
            verify(world, None).await,
            Err(Broken::Missing { from: 2, to: 2 })
        );
        run("DELETE FROM audit_log WHERE seq > 1").await;
        assert!(matches!(
            verify(world, None).await,
            Err(Broken::Missing { from: 2, .. })
        ));
        run("UPDATE audit_log SET seq = 0 WHERE seq = 1").await;
        assert_eq!(verify(world, None).await, Err(Broken::Inserted { seq: 0 }));
    });
}
