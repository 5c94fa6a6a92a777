//! How many stages the longest pipeline of a tenant has: what a board by stage may come to follows from it.
//!
//! It is remembered for as long as no pipeline of the tenant changes, which the database is asked each time.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use crate::{
    access::Actor,
    base::error::{Error, Result},
    crm::pipelines::{self, Pipeline},
    db::{Db, list::Record as _},
    events::Progress,
};

/// Numbers that are remembered, and for how long.
const REMEMBERED: u64 = 10_000;
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// Counts stages for who may see them.
pub(super) struct Stages {
    db: Db,
    progress: Progress,
    /// By who sees the same, and how far their pipelines were.
    known: Cache<String, usize>,
}

impl Stages {
    pub(super) fn new(db: Db, progress: Progress) -> Self {
        Self {
            db,
            progress,
            known: Cache::builder()
                .max_capacity(REMEMBERED)
                .time_to_live(REMEMBERED_FOR)
                .build(),
        }
    }

    /// How many stages there are in the pipeline that has the most of them, of those that the actor sees.
    ///
    /// # Errors
    /// The database.
    pub(super) async fn most(&self, actor: &Arc<Actor>) -> Result<usize> {
        let count = async || {
            let session = self.db.read_session(Arc::clone(actor));
            session
                .run(async |tx| pipelines::most_stages(tx).await)
                .await
        };
        let Some(versions) = self.progress.of(actor.tenant).await else {
            return count().await;
        };
        let class = actor.reading_class();
        let key = format!("{} {}", class.text(), versions.of([Pipeline::KIND]));
        let found = self.known.try_get_with(key, count()).await;
        found.map_err(|error| Error::clone(&error))
    }
}
