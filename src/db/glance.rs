//! Single statements of the system, each by itself.

use sqlx::{FromRow, postgres::PgRow};

use super::{Db, Running, Sql, SystemReason, connections::Lent, constraint::translate};
use crate::{error::Result, telemetry::Statement};

/// A connection of the system login for reading statements without a transaction around them: one trip each.
pub struct Glances {
    lent: Lent,
    running: Running,
}

impl Db {
    /// A connection for single statements.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn glances(&self, reason: SystemReason) -> Result<Glances> {
        tracing::debug!(?reason, "single statements of the system");
        Ok(Glances {
            lent: self.system.acquire().await.map_err(translate)?,
            running: self.running.clone(),
        })
    }
}

impl Glances {
    /// Closes the connection, in the middle of whatever it does.
    pub fn hang_up(mut self) {
        self.lent.connection.close_on_drop();
    }

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
        let rows = statement
            .run(rows.fetch_all(&mut *self.lent.connection))
            .await;
        let rows = rows.map_err(translate)?;
        statement.done(rows.len());
        Ok(rows)
    }
}
