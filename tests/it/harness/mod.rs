//! What tests stand on: a private cluster, a world of two tenants that look alike, and a client that finds leaks.

mod api;
mod blocks;
mod bouncer;
mod database;
mod declared;
mod factory;
mod introspection;
mod logs;
mod mails;
mod people;
mod plans;
mod rolodex;
mod samples;
mod secrets;
mod shardable;
mod statements;

pub(crate) use api::{
    AUDIENCE, Answer, Client, ISSUER, World, accounts_setup, mail_folder, open, outbound_here,
    providers, tokens_over,
};
pub(crate) use database::{Database, encryption_key, signing_key, vault};
pub(crate) use factory::arrange;
pub(crate) use introspection::{Field, Schema};
pub(crate) use mails::read_all as mails_in;
pub(crate) use people::{Side, Side::A, Side::B, Who};
pub(crate) use plans::Planner;
pub(crate) use rolodex::{Rolodex, RolodexProvider};
pub(crate) use samples::{OF_ACCOUNTS, OF_ADMINS, global_id, kind_of_field, kind_of_operation};
pub(crate) use shardable::{faults, unbound};
pub(crate) use statements::{GLOBAL_TABLES, TENANT_TABLES, asks_planner};

use dealgraph::organization::identities::Identities;
use logs::Logs;

/// Runs a test in a world of its own, then judges its logs and its statements.
pub(crate) fn test(body: impl AsyncFnOnce(&World)) {
    test_with(
        async || (Identities::none(), ()),
        async |world, ()| body(world).await,
    );
}

/// The same with outside identities, which have to be there before the server is.
pub(crate) fn test_with<O>(
    outside: impl AsyncFnOnce() -> (Identities, O),
    body: impl AsyncFnOnce(&World, O),
) {
    test_over(
        async || {
            let (identities, outside) = outside().await;
            (Database::of_world().await, identities, outside)
        },
        body,
    );
}

/// The same over a database of the test's making, in which both tenants are.
pub(crate) fn test_over<O>(
    outside: impl AsyncFnOnce() -> (Database, Identities, O),
    body: impl AsyncFnOnce(&World, O),
) {
    let logs = Logs::capture();
    let of_thread = logs.clone();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .on_thread_start(move || of_thread.receive_here())
        .build()
        .expect("the system gives threads")
        .block_on(async {
            let (database, identities, outside) = outside().await;
            let world = World::new(database, logs, identities).await;
            body(&world, outside).await;
            world.finish().await;
        });
}
