//! `totalCount` follows from the reader's own rows: nothing in it, exact or not, depends on what other tenants have.

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{A, B, Client, Side, Who, World, asks_planner, test};

/// So many leads more for a tenant, each from a source, and statistics that know of them.
async fn fill(world: &World, side: Side, (first, count): (u32, u32), source: &str) {
    let sql = format!(
        "INSERT INTO leads (tenant_id, lead_id, first_name, last_name, name_normalized, source, created_at, created_by, \
         updated_at, updated_by) SELECT '{}', gen_random_uuid(), 'Many', n::text, 'many ' || n, '{source}', now(), \
         'import:many', now(), 'import:many' FROM generate_series({first}, {}) n; ANALYZE leads;",
        side.uuid("tenant", 1),
        first + count - 1
    );
    raw_sql(AssertSqlSafe(sql))
        .execute(&mut world.database.superuser().await)
        .await
        .expect("the superuser writes");
}

async fn counted(client: &Client<'_>, filter: &str) -> Value {
    let list = |arguments: &str| {
        format!("leads({arguments} filter: {filter}) {{ totalCount totalCountIsEstimate }}")
    };
    let document = format!("{{ {} page: {} }}", list(""), list("first: 1,"));
    client.ask_anew(&document).await.data()
}

#[test]
fn beyond_ten_thousand_it_says_more_and_nothing_of_anybody_elses_rows() {
    test(async |world| {
        let (admin, rep) = (world.a(Who::Admin), world.a(Who::Rep));
        let own = counted(&admin, "{ source: { neq: \"guess\" } }").await["leads"]["totalCount"]
            .as_i64()
            .expect("a number");
        let exact = u32::try_from(10_000 - own).expect("a world is small");
        fill(world, A, (1, exact), "ours").await;
        let whole = json!({ "totalCount": 10_000, "totalCountIsEstimate": false });
        let more = json!({ "totalCount": 10_000, "totalCountIsEstimate": true });
        let filters = [
            "{}",
            "{ source: { neq: \"guess\" } }",
            "{ source: { in: [\"guess\", \"ours\"] } }",
            "{ name: { startsWith: \"many\" } }",
        ];
        let unlisted = counted(&admin, filters[1]).await;
        assert_eq!(unlisted, json!({ "leads": whole, "page": whole }));
        fill(world, A, (exact + 1, 2_000), "ours").await;
        let mut before = Vec::new();
        for filter in filters {
            before.push((counted(&admin, filter).await, counted(&rep, filter).await));
        }
        assert_eq!(before[1].0, json!({ "leads": more, "page": more }));
        assert_eq!(before[1].1["leads"]["totalCountIsEstimate"], false);

        fill(world, B, (1, 30_000), "guess").await;
        for (filter, (of_admin, of_rep)) in filters.into_iter().zip(before) {
            assert_eq!(counted(&admin, filter).await, of_admin, "{filter}");
            assert_eq!(counted(&rep, filter).await, of_rep, "{filter}");
        }
    });
}

#[test]
fn a_statement_that_asks_the_planner_is_found() {
    for sql in [
        "EXPLAIN (FORMAT JSON) SELECT FROM leads t",
        "SELECT reltuples FROM pg_class",
        "SELECT n_live_tup FROM pg_stat_user_tables",
        "SELECT count(*) FROM leads t TABLESAMPLE SYSTEM (1)",
        "SELECT pg_total_relation_size('leads')",
    ] {
        assert!(asks_planner(sql), "{sql}");
    }
    assert!(!asks_planner(
        "SELECT count(*) FROM (SELECT FROM leads t WHERE t.tenant_id = $1 LIMIT 10001) c"
    ));
}
