//! Removing what can't be used any more.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{Accounts, store};
use crate::{base::error::Result, db::SystemReason};

/// How often.
const EVERY: Duration = Duration::from_secs(60 * 60);

impl Accounts {
    /// Removes old secrets and sessions every hour until stopped.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            match self.sweep_now().await {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "old secrets and sessions removed"),
                Err(error) => tracing::warn!(%error, "old secrets and sessions not removed"),
            }
        }
    }

    /// Removes secrets a day after their end and sessions ninety days after theirs, and says how many.
    ///
    /// # Errors
    /// The database.
    pub async fn sweep_now(&self) -> Result<u64> {
        let mut tx = self.db.system(SystemReason::SignIn).await?;
        let count = store::sweep(&mut tx).await?;
        tx.commit().await?;
        Ok(count)
    }
}
