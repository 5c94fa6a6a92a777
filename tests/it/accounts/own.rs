//! The database holds a transaction on a user's account to that account, whatever its statements say.

use dealgraph::base::ids::Typed as _;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, raw_sql};

use super::{arrange, count, signed_in};
use crate::harness::{A, Who, World, test};

/// Every table of accounts, with a statement that would change all of it.
const CHANGES: [&str; 5] = [
    "UPDATE users SET name = name || '!'",
    "DELETE FROM recovery_codes",
    "UPDATE sessions SET ended_at = now()",
    "DELETE FROM one_time_tokens",
    "DELETE FROM identities",
];

/// How many rows each statement reaches in a transaction with these settings.
async fn reached(world: &World, settings: &str) -> [u64; 5] {
    let mut system = world.database.connect("dealgraph_system").await;
    let mut reached = [0; 5];
    for (statement, reached) in CHANGES.iter().zip(&mut reached) {
        let mut tx = system.begin().await.expect("it begins");
        raw_sql(AssertSqlSafe(settings.to_owned()))
            .execute(&mut *tx)
            .await
            .expect("settings");
        *reached = tx
            .execute(*statement)
            .await
            .expect("it runs")
            .rows_affected();
    }
    reached
}

#[test]
fn an_act_on_an_account_reaches_that_account_alone() {
    test(async |world| {
        signed_in(world, Who::Rep).await;
        signed_in(world, Who::Rep).await;
        signed_in(world, Who::Manager).await;
        let rep = A.user(Who::Rep).uuid();
        let rows = format!(
            "UPDATE sessions SET provider = 'of-a' WHERE session_id =
                 (SELECT session_id FROM sessions WHERE user_id = '{rep}' ORDER BY session_id LIMIT 1);
             INSERT INTO recovery_codes (user_id, code_hash) SELECT user_id, 'x' FROM users ON CONFLICT DO NOTHING;
             INSERT INTO one_time_tokens (token_hash, purpose, user_id, data, created_at, expires_at)
             SELECT sha256(convert_to(user_id::text || data, 'UTF8')), 'SECOND_FACTOR', user_id, data::jsonb, now(), now()
             FROM users, unnest(ARRAY['{{}}', '{{\"provider\": \"of-a\"}}']) AS data;
             INSERT INTO identities (issuer, subject, user_id, email, linked_at)
             SELECT 'https://of-a.example', user_id, user_id, email, now() FROM users"
        );
        raw_sql(AssertSqlSafe(rows))
            .execute(&mut world.database.superuser().await)
            .await
            .expect("the arrangement fits");
        let all_rows = reached(world, "").await;
        assert!(all_rows.iter().all(|rows| *rows > 2), "{all_rows:?}");

        let account = format!("SET LOCAL app.account = '{rep}'");
        assert_eq!(reached(world, &account).await, [1, 1, 2, 2, 1]);

        // By a session that is good for all of it, and not by one that is not, is another's, or has ended.
        let mut superuser = world.database.superuser().await;
        let session: String =
            sqlx::query_scalar("SELECT session_id::text FROM sessions WHERE user_id = $1 LIMIT 1")
                .bind(rep)
                .fetch_one(&mut superuser)
                .await
                .expect("a session");
        let by = format!("{account}; SET LOCAL app.session = '{session}'");
        assert_eq!(reached(world, &by).await, [1, 1, 2, 2, 1]);
        arrange(world, "UPDATE sessions SET account = false").await;
        assert_eq!(reached(world, &by).await, [0, 0, 2, 2, 0]);
        arrange(
            world,
            "UPDATE sessions SET account = true, ended_at = now()",
        )
        .await;
        assert_eq!(reached(world, &by).await, [0, 0, 2, 2, 0]);
        let others = format!(
            "SET LOCAL app.account = '{}'; SET LOCAL app.session = '{session}'",
            A.user(Who::Admin).uuid()
        );
        assert_eq!(reached(world, &others).await, [0, 0, 0, 2, 0]);

        // Through the provider of a tenant: the devices that came through it, and what is under way there.
        let through = format!("{account}; SET LOCAL app.provider = 'of-a'");
        assert_eq!(reached(world, &through).await, [0, 0, 1, 1, 0]);

        // Nor is anything planted in the account of another user.
        let mut system = world.database.connect("dealgraph_system").await;
        let mut tx = system.begin().await.expect("it begins");
        raw_sql(AssertSqlSafe(account))
            .execute(&mut *tx)
            .await
            .expect("settings");
        let plant =
            "INSERT INTO recovery_codes (user_id, code_hash) SELECT user_id, 'y' FROM users";
        let error = tx.execute(plant).await.expect_err("others' are refused");
        assert!(error.to_string().contains("row-level security"), "{error}");
        drop(tx);
        assert_eq!(
            count(world, "SELECT count(*) FROM users WHERE name LIKE '%!'").await,
            0
        );
    });
}
