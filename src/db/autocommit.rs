//! Single statements of the system, each by itself.

use sqlx::{FromRow, postgres::PgRow};

use super::{
    Db, Running, Sql, SystemReason,
    connections::Lent,
    constraint::{is_unread, translate},
};
use crate::{base::error::Result, platform::telemetry::Statement};

/// A connection of the system login for reading statements without a transaction around them: one trip each. Dropped in
/// the middle of a statement it hangs up.
pub struct Glances {
    /// There until this is dropped.
    lent: Option<Lent>,
    /// Whether a statement is under way.
    is_busy: bool,
    running: Running,
}

impl Db {
    /// A connection for single statements.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn glances(&self, reason: SystemReason) -> Result<Glances> {
        tracing::debug!(?reason, "single statements of the system");
        let lent = self.system.acquire().await.map_err(translate)?;
        debug_assert!(!lent.is_open(), "only people's snapshots are left open");
        Ok(Glances {
            lent: Some(lent),
            is_busy: false,
            running: self.running.clone(),
        })
    }
}

impl Glances {
    /// Runs a query and decodes all rows.
    ///
    /// # Errors
    /// The database.
    pub async fn all<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(
        &mut self,
        mut sql: Sql,
    ) -> Result<Vec<T>> {
        let text = sql.0.sql();
        if let Some(observer) = &self.running.observer {
            observer(text.as_str());
        }
        let statement = Statement::begin(text);
        let query = sql.0.build_query_as::<T>();
        let rows = query.persistent(self.running.prepared);
        let lent = self.lent.as_mut().expect("it is there until dropped");
        self.is_busy = true;
        let rows = statement.run(rows.fetch_all(&mut *lent.connection)).await;
        self.is_busy = rows.as_ref().is_err_and(is_unread);
        let rows = rows.map_err(translate)?;
        statement.done(rows.len());
        Ok(rows)
    }
}

impl Drop for Glances {
    fn drop(&mut self) {
        match self.lent.take() {
            Some(mut broken) if self.is_busy => broken.connection.close_on_drop(),
            Some(lent) => lent.keep(),
            None => {}
        }
    }
}
