//! A query sees one state of the world, however many statements it takes; a mutation's answer sees what it wrote.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, raw_sql};

use crate::harness::{A, Who, World, test};

/// Before the first statement of which the text contains `level`, another transaction commits `sql`.
pub(crate) async fn commits_before(world: &World, level: &'static str, sql: String) {
    let options = world.database.options("postgres").await;
    let done = AtomicBool::new(false);
    world.statements.before_each(move |statement| {
        if !statement.contains(level) || done.swap(true, Ordering::Relaxed) {
            return;
        }
        // On a thread of its own, because this one belongs to the server's runtime.
        let (options, sql) = (options.clone(), sql.clone());
        let writer = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut connection = PgConnection::connect_with(&options)
                    .await
                    .expect("the superuser connects");
                raw_sql(AssertSqlSafe(sql))
                    .execute(&mut connection)
                    .await
                    .expect("the superuser writes");
                connection.close().await.expect("the connection ends");
            });
        });
        writer.join().expect("the write is committed");
    });
}

#[test]
fn a_write_that_commits_between_two_levels_of_a_query_is_not_half_seen() {
    test(async |world| {
        let rename = format!(
            "UPDATE companies SET name = 'New ' || company_id WHERE tenant_id = '{}'",
            A.uuid("tenant", 1)
        );
        commits_before(world, "company_id IN (", rename).await;
        let document = "{ companies(filter: { name: { eq: \"company 2\" } }) { nodes { name parent { name } } totalCount } }";
        let (seen, statements) = world
            .statements
            .during(world.a(Who::Admin).query(document))
            .await;
        let old = json!({ "nodes": [{ "name": "Company 2", "parent": { "name": "Company 1" } }], "totalCount": 1 });
        assert_eq!(seen["companies"], old);
        assert!(
            statements.iter().any(|sql| sql.contains("company_id IN (")),
            "the parents are read by a second statement"
        );

        let seen = world
            .a(Who::Admin)
            .query("{ companies(first: 1) { nodes { name } } }")
            .await;
        let name = seen["companies"]["nodes"][0]["name"].as_str().unwrap();
        assert!(
            name.starts_with("New "),
            "the write was there all the time, and the next query sees it: {name}"
        );
    });
}

#[test]
fn two_root_fields_of_a_query_see_the_same_state() {
    test(async |world| {
        let archive = format!(
            "UPDATE companies SET archived_at = now() WHERE tenant_id = '{}'",
            A.uuid("tenant", 1)
        );
        commits_before(
            world,
            "SELECT count(*) FROM (SELECT FROM companies",
            archive,
        )
        .await;
        let seen = world
            .a(Who::Admin)
            .query("{ companies { nodes { archivedAt } totalCount } }")
            .await;
        assert_eq!(seen["companies"]["totalCount"], 4);
        assert_eq!(seen["companies"]["nodes"].as_array().map(Vec::len), Some(4));
        let seen = world
            .a(Who::Admin)
            .query("{ companies { totalCount } }")
            .await;
        assert_eq!(seen["companies"]["totalCount"], 0);
    });
}

#[test]
fn the_answer_to_a_mutation_sees_what_it_wrote_and_what_was_written_before_it() {
    test(async |world| {
        let document = "mutation($a: CompanyUpdateInput!, $b: CompanyUpdateInput!) {
            first: companyUpdate(input: $a) { company { name parent { name } } userErrors { code } }
            second: companyUpdate(input: $b) { company { name parent { name } } userErrors { code } }
        }";
        let change = |n, name: &str| json!({ "id": A.id::<dealgraph::base::ids::CompanyId>(n), "name": name });
        let variables = json!({ "a": change(1, "Above"), "b": change(2, "Below") });
        let seen = world.a(Who::Admin).query_with(document, variables).await;
        assert_eq!(
            seen["first"],
            json!({ "company": { "name": "Above", "parent": null }, "userErrors": [] })
        );
        assert_eq!(
            seen["second"],
            json!({ "company": { "name": "Below", "parent": { "name": "Above" } }, "userErrors": [] })
        );
    });
}
