//! Reading with single statements outside of a transaction.

use sqlx::{
    FromRow, SqlSafeStr as _,
    postgres::{PgRow, PgTransactionManager},
};
use sqlx_core::transaction::TransactionManager as _;

use super::{
    Db, Sql, StatementOptions, SystemReason,
    connections::PooledConnection,
    constraint::{is_unread, translate},
};
use crate::base::error::Result;

/// Begins the transaction of a statement that needs one.
const BEGIN: &str = "BEGIN READ ONLY";

/// A connection of the system login that reads without a transaction around its statements: one round trip each.
/// Dropped in the middle of a statement, it closes the connection.
///
/// Where statements don't stay prepared each has a transaction after all. It is parsed in one message and run in the next
/// without a name, and a pooler in between could hand the second message to another connection of Postgres, where the
/// nameless statement is the last one of somebody else.
pub struct AutocommitReader {
    /// There until this is dropped.
    pooled: Option<PooledConnection>,
    /// Whether a statement is under way.
    is_busy: bool,
    options: StatementOptions,
}

impl Db {
    /// A reader for single statements.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn autocommit_reader(&self, reason: SystemReason) -> Result<AutocommitReader> {
        tracing::debug!(?reason, "single statements of the system");
        let pooled = self.system.acquire().await.map_err(translate)?;
        debug_assert!(!pooled.is_open(), "only people's snapshots are left open");
        Ok(AutocommitReader {
            pooled: Some(pooled),
            is_busy: false,
            options: self.statement_options.clone(),
        })
    }
}

impl AutocommitReader {
    /// Runs a query and decodes all rows.
    ///
    /// # Errors
    /// The database.
    pub async fn all<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(
        &mut self,
        mut sql: Sql,
    ) -> Result<Vec<T>> {
        let text = sql.0.sql();
        if let Some(observer) = &self.options.observer {
            observer(text.as_str());
        }
        let statement = self.options.statement(text);
        let query = sql.0.build_query_as::<T>();
        let rows = query.persistent(self.options.prepared);
        let pooled = self.pooled.as_mut().expect("it is there until dropped");
        self.is_busy = true;
        let is_prepared = self.options.prepared;
        let reading = async {
            if !is_prepared {
                pooled.begin(BEGIN.into_sql_str()).await?;
            }
            let rows = rows.fetch_all(&mut *pooled.connection).await?;
            if !is_prepared {
                // Waited for, since others wait for the pooler's connection.
                PgTransactionManager::rollback(&mut pooled.connection).await?;
            }
            Ok(rows)
        };
        let rows = statement.run(reading).await;
        self.is_busy = rows.as_ref().is_err_and(is_unread);
        let rows = rows.map_err(translate)?;
        statement.done(rows.len());
        Ok(rows)
    }
}

impl Drop for AutocommitReader {
    fn drop(&mut self) {
        match self.pooled.take() {
            Some(mut broken) if self.is_busy => broken.connection.close_on_drop(),
            Some(pooled) => pooled.release(),
            None => {}
        }
    }
}
