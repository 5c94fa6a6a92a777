//! Outside identities: signing in at a real provider, and access tokens that other issuers made.

mod account;
mod foreign;
mod issuer;
mod provider;
mod sign_in;

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::TimeDelta;
use dealgraph::base::clock::Clock;
use sqlx::{AssertSqlSafe, raw_sql};

use crate::harness::{Side, World};

/// A clock that goes and can be put forward.
#[derive(Clone, Default)]
struct Later(Arc<AtomicI64>);

impl Later {
    fn clock(&self) -> Clock {
        let (system, later) = (Clock::system(), Arc::clone(&self.0));
        Clock::from_fn(move || system.now() + TimeDelta::seconds(later.load(Ordering::SeqCst)))
    }

    fn pass(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

async fn sql(world: &World, text: &str) {
    let mut superuser = world.database.superuser().await;
    raw_sql(AssertSqlSafe(text.to_owned()))
        .execute(&mut superuser)
        .await
        .expect("the superuser may do this");
}

/// The short name of a tenant.
async fn slug(world: &World, side: Side) -> String {
    let mut superuser = world.database.superuser().await;
    sqlx::query_scalar("SELECT slug FROM tenants WHERE tenant_id = $1")
        .bind(side.tenant())
        .fetch_one(&mut superuser)
        .await
        .expect("the tenant is there")
}

/// Who is linked beside whom the world begins with: subjects at issuers, with the persons here.
async fn links(world: &World) -> Vec<(String, dealgraph::base::ids::UserId)> {
    let mut superuser = world.database.superuser().await;
    sqlx::query_as(
        "SELECT subject, user_id FROM identities WHERE issuer LIKE 'http:%' ORDER BY subject",
    )
    .fetch_all(&mut superuser)
    .await
    .expect("the links are read")
}

/// How often something stands in the audit log of a tenant.
async fn audited(world: &World, side: Side, action: &str) -> i64 {
    world.accounts.recorder.flush().await;
    let mut superuser = world.database.superuser().await;
    sqlx::query_scalar("SELECT count(*) FROM audit_log WHERE tenant_id = $1 AND action = $2")
        .bind(side.tenant())
        .bind(action.to_owned())
        .fetch_one(&mut superuser)
        .await
        .expect("the log is read")
}
