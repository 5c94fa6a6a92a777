//! Figures of the business: exact, whoever counts.

use dealgraph::{data::figures, db::Db};
use serde_json::json;

use crate::{
    harness::{A, B, Who, World, global_id, open, test},
    live::act,
};

/// A figure as a server tells it.
async fn figure(db: &Db, name: &str) -> i64 {
    loop {
        let (figures, is_behind) = figures::count(db).await.expect("they are counted");
        if !is_behind {
            let found = figures.into_iter().find(|figure| figure.name == name);
            return found.expect("there is such a figure").count;
        }
    }
}

#[test]
fn deals_of_all_tenants_count_once_however_many_servers_count() {
    test(async |world: &World| {
        let other = open(&world.database, 2).await;
        let before = figure(&world.db, "deals_won").await;
        for side in [A, B] {
            let id = global_id("opportunity", side.uuid("opportunity", 1));
            act(
                &world.member(side, Who::Admin),
                "opportunityWin",
                json!({ "id": id }),
            )
            .await;
        }
        let counts =
            (0..8).map(|n| figure(if n % 2 == 0 { &world.db } else { &other }, "deals_won"));
        for count in futures_util::future::join_all(counts).await {
            assert!(
                (before..=before + 2).contains(&count),
                "{count} after {before}"
            );
        }
        assert_eq!(figure(&world.db, "deals_won").await, before + 2);
        assert_eq!(figure(&other, "deals_won").await, before + 2);
        other.close().await;
    });
}

#[test]
fn neither_login_reads_or_moves_the_figures_by_itself() {
    test(async |world: &World| {
        for login in ["dealgraph_app", "dealgraph_system"] {
            let mut connection = world.database.connect(login).await;
            for sql in [
                "SELECT * FROM business_figures",
                "UPDATE business_figures SET total = 0",
                "SELECT * FROM business_figure_positions",
                "DELETE FROM business_figure_positions",
            ] {
                let refused = sqlx::query(sql).execute(&mut connection).await;
                let refused = refused.expect_err(sql).to_string();
                assert!(
                    refused.contains("permission denied"),
                    "{login}: {sql}: {refused}"
                );
            }
        }
        let mut app = world.database.connect("dealgraph_app").await;
        let refused = sqlx::query("SELECT * FROM app.count_figures(1, 1)")
            .execute(&mut app)
            .await;
        let refused = refused.expect_err("only the system counts").to_string();
        assert!(refused.contains("permission denied"), "{refused}");
    });
}
