//! Where each table and function goes: the lists hold against the catalogue, and the statements are read.

use std::collections::BTreeSet;

use dealgraph::db::migrate::distribute::{
    self, EVERYWHERE, FUNCTIONS, ON_COORDINATOR, Place, Runs,
};
use sqlx::Connection as _;

use crate::harness::{Database, GLOBAL_TABLES, TENANT_TABLES};

/// The table that each tenant has one row of, and that all others refer to.
const SHARED: &str = "tenants";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_tenants_are_in_shards_and_all_others_on_every_node() {
    let database = Database::migrated().await;
    let mut owner = database.connect("dealgraph_owner").await;
    let tables = distribute::tables(&mut owner).await.unwrap();
    owner.close().await.unwrap();
    database.drop().await;
    let of = |place: Place| -> BTreeSet<String> {
        let tables = tables.iter().filter(|table| table.place == place);
        tables.map(|table| table.name.clone()).collect()
    };
    let public = |name: &&str| format!("public.{name}");
    let by_tenant = TENANT_TABLES.iter().filter(|name| **name != SHARED);
    assert_eq!(of(Place::ByTenant), by_tenant.map(public).collect());
    let everywhere = GLOBAL_TABLES.iter().chain([&SHARED]);
    assert_eq!(of(Place::Everywhere), everywhere.map(public).collect());
    let local = ON_COORDINATOR.iter().map(|(name, _)| (*name).to_owned());
    assert_eq!(of(Place::Coordinator), local.collect());
    // What is listed is there.
    for (name, _) in EVERYWHERE {
        assert!(of(Place::Everywhere).contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_function_has_been_judged_and_those_that_go_to_the_tenant_name_it() {
    let database = Database::migrated().await;
    let mut owner = database.connect("dealgraph_owner").await;
    let there: Vec<(String, Option<Vec<String>>, bool, String)> = sqlx::query_as(
        "SELECT p.oid::regprocedure::text, p.proargnames, p.prosecdef, l.lanname::text FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
         WHERE p.pronamespace = 'app'::regnamespace AND p.prokind = 'f' ORDER BY 1",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    owner.close().await.unwrap();
    database.drop().await;
    let names: BTreeSet<&str> = there.iter().map(|(name, ..)| name.as_str()).collect();
    let judged: BTreeSet<&str> = FUNCTIONS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, judged);
    for (name, arguments, runs_as_owner, language) in &there {
        let (_, runs) = FUNCTIONS.iter().find(|(judged, _)| judged == name).unwrap();
        match runs {
            Runs::WithTenant(argument) => {
                let arguments = arguments.as_deref().unwrap_or_default();
                assert_eq!(
                    arguments.first().map(String::as_str),
                    Some(*argument),
                    "{name}"
                );
                assert!(*runs_as_owner, "{name} need not be sent anywhere");
                assert_eq!(language, "plpgsql", "{name}");
            }
            // Another login's connection would not see what the transaction wrote.
            Runs::Everywhere => assert!(!runs_as_owner, "{name}"),
            Runs::OnCoordinator(_) | Runs::Nowhere(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_statements_that_distribute_are_these() {
    let database = Database::migrated().await;
    let owner = database.direct_options("dealgraph_owner").await;
    let plan = distribute::dry_run(&owner, 32).await.unwrap();
    let name = owner.get_database().unwrap().to_owned();
    database.drop().await;
    insta::assert_snapshot!(plan.to_string().replace(&name, "dealgraph"));
}
