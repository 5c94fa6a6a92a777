//! What `can` says of a record is what Postgres lets the same person do with it.

use dealgraph::base::ids::Typed as _;
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use crate::{
    harness::{A, Who, test},
    isolation::claims::{claim, claims},
};

/// Lists with their tables and the columns of their ids.
const KINDS: [(&str, &str); 6] = [
    ("companies", "company_id"),
    ("contacts", "contact_id"),
    ("leads", "lead_id"),
    ("opportunities", "opportunity_id"),
    ("activities", "activity_id"),
    ("products", "product_id"),
];

const ALL: [Who; 9] = [
    Who::Admin,
    Who::Manager,
    Who::Rep,
    Who::OtherRep,
    Who::Analyst,
    Who::Viewer,
    Who::Both,
    Who::Closer,
    Who::Auditor,
];

#[test]
fn a_button_that_is_shown_works_and_one_that_is_not_would_not() {
    test(async |world| {
        // A deal and a contact of the closer's own, whose rights differ from the built-in roles' in every way.
        let own = "team_path = t.path, owner_id = m.user_id FROM memberships m JOIN teams t USING (tenant_id, team_id)";
        for (table, id) in [
            ("opportunities", "opportunity_id"),
            ("contacts", "contact_id"),
        ] {
            let sql = format!(
                "UPDATE {table} r SET {own} WHERE m.user_id = '{}' AND r.tenant_id = m.tenant_id AND r.{id} = '{}'",
                A.user(Who::Closer).uuid(),
                A.uuid(&id.replace("_id", ""), 2)
            );
            raw_sql(AssertSqlSafe(sql))
                .execute(&mut world.database.superuser().await)
                .await
                .unwrap();
        }
        let (mut said_yes, mut said_no) = (0, 0);
        for who in ALL {
            let mut connection = world.database.connect("dealgraph_app").await;
            raw_sql("BEGIN").execute(&mut connection).await.unwrap();
            claim(&mut connection, &claims(&world.db, A.actor(who)).await).await;
            for (table, id_column) in KINDS {
                let document = format!(
                    "{{ {table}(includeArchived: true) {{ nodes {{ id can {{ update delete }} }} }} }}"
                );
                let seen = world.a(who).query(&document).await;
                for node in seen[table]["nodes"].as_array().expect("nodes") {
                    let id = node["id"]
                        .as_str()
                        .expect("an id")
                        .split_once(':')
                        .expect("its kind")
                        .1;
                    let this = format!(
                        "tenant_id = '{}' AND {id_column} = '{id}'",
                        A.uuid("tenant", 1)
                    );
                    let update = lets(
                        &mut connection,
                        &format!("UPDATE {table} SET version = version WHERE {this}"),
                    )
                    .await;
                    let delete = lets(
                        &mut connection,
                        &format!("DELETE FROM {table} WHERE {this}"),
                    )
                    .await;
                    let does = serde_json::json!({ "update": update, "delete": delete });
                    assert_eq!(node["can"], does, "{who:?} {table} {id}");
                    *(if update { &mut said_yes } else { &mut said_no }) += 1;
                }
            }
        }
        assert!(
            said_yes > 20 && said_no > 20,
            "both happen: {said_yes} and {said_no}"
        );
    });
}

/// Whether a statement reaches its row. Policies are asked before foreign keys.
async fn lets(connection: &mut PgConnection, sql: &str) -> bool {
    raw_sql("SAVEPOINT s")
        .execute(&mut *connection)
        .await
        .unwrap();
    let outcome = raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut *connection)
        .await;
    raw_sql("ROLLBACK TO s")
        .execute(&mut *connection)
        .await
        .unwrap();
    match outcome {
        Ok(done) => done.rows_affected() > 0,
        Err(error) => {
            let code = error
                .as_database_error()
                .and_then(|error| error.code())
                .map(String::from);
            match code.as_deref() {
                Some("42501") => false,
                Some("23503") => true,
                _ => panic!("{sql}: {error}"),
            }
        }
    }
}

#[test]
fn a_suspended_tenants_people_can_change_nothing() {
    test(async |world| {
        let sql = format!(
            "UPDATE tenants SET status = 'SUSPENDED' WHERE tenant_id = '{}'",
            A.uuid("tenant", 1)
        );
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut world.database.superuser().await)
            .await
            .unwrap();
        let seen = world
            .a(Who::Admin)
            .query("{ opportunities { nodes { can { update delete } } } }")
            .await;
        let nodes = seen["opportunities"]["nodes"].as_array().expect("nodes");
        assert_eq!(nodes.len(), 5);
        let never = serde_json::json!({ "can": { "update": false, "delete": false } });
        assert!(nodes.iter().all(|node: &Value| *node == never), "{nodes:?}");
    });
}
