//! How many stages the longest pipeline of a tenant has: what a board by stage may cost follows from it.
//!
//! It is cached for as long as no pipeline of the tenant changes; the version of pipelines is read each time.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;

use crate::{
    access::Actor,
    base::error::{Error, Result},
    crm::pipelines::{self, Pipeline},
    db::{Db, Registered as _},
    events::VersionReader,
};

/// Counts that are cached, and for how long.
const CACHED: u64 = 10_000;
const CACHED_FOR: Duration = Duration::from_secs(60);

/// Counts stages, by visibility class.
pub(super) struct StageCounts {
    db: Db,
    progress: VersionReader,
    /// By visibility class and version of pipelines.
    counts: Cache<String, usize>,
}

impl StageCounts {
    pub(super) fn new(db: Db, progress: VersionReader) -> Self {
        Self {
            db,
            progress,
            counts: Cache::builder()
                .max_capacity(CACHED)
                .time_to_live(CACHED_FOR)
                .build(),
        }
    }

    /// The number of stages of the longest pipeline that the actor sees.
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
        let found = self.counts.try_get_with(key, count()).await;
        found.map_err(|error| Error::clone(&error))
    }
}
