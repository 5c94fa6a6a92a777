//! A connection in use.

use std::{sync::Arc, time::Instant};

use futures_util::FutureExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Postgres, SqlStr, pool::PoolConnection,
    postgres::PgTransactionManager,
};
use sqlx_core::transaction::TransactionManager as _;
use tokio::sync::OwnedSemaphorePermit;

use super::{CHECKED_EVERY, Connections, IdleConnection};

/// How many transactions in a row may begin in the message that ends the one before. A pooler between here and Postgres
/// can reassign its connection only in between.
const MOST_CHAINED: u8 = 20;
/// After this many bytes of long statements a connection is closed. Planning them has made its process grow, by some
/// thousand bytes for each byte of text, and a process keeps the memory that it once had.
const MOST_PLANNED: usize = 64 << 10;

/// A connection in use. Dropped, it goes back to sqlx, which pings it; see [`Self::release`].
pub(in crate::db) struct PooledConnection {
    pub(in crate::db) connection: PoolConnection<Postgres>,
    pub(super) from_pool_at: Instant,
    pub(super) chained: u8,
    /// Bytes of long statements that were planned on it.
    pub(super) planned_bytes: usize,
    pub(super) connections: Connections,
    /// Given up last.
    pub(super) _permit: OwnedSemaphorePermit,
}

impl PooledConnection {
    /// Whether a transaction is open, as far as sqlx knows.
    pub(in crate::db) fn is_open(&self) -> bool {
        is_open(&self.connection)
    }

    /// Begins a transaction by the statement that does. What the one before has left open ends in the same message.
    pub(in crate::db) async fn begin(&mut self, begin: SqlStr) -> sqlx::Result<()> {
        if !self.is_open() {
            if self.chained >= MOST_CHAINED {
                // Without the flush, BEGIN would be sent before ROLLBACK was answered.
                self.connection.flush().await?;
            }
            self.chained = 0;
            return PgTransactionManager::begin(&mut self.connection, Some(begin)).await;
        }
        // sqlx takes it for the same transaction still.
        self.chained += 1;
        let both = AssertSqlSafe(format!("ROLLBACK; {}", begin.as_str()));
        let begun = sqlx::raw_sql(both).execute(&mut *self.connection);
        begun.await.map(drop)
    }

    /// Notes that a long statement is planned on it.
    pub(in crate::db) fn note_planned(&mut self, bytes: usize) {
        self.planned_bytes = self.planned_bytes.saturating_add(bytes);
    }

    fn is_worn(&self) -> bool {
        self.planned_bytes >= MOST_PLANNED
    }

    /// Pushes it onto the stack, after the end of the transaction that may be open on it. That is sent, and the next
    /// user reads the answer.
    pub(in crate::db) fn release(mut self) {
        if end(&mut self.connection) && !self.is_worn() {
            self.push_idle();
        } else {
            self.connection.close_on_drop();
        }
    }

    /// The same for a snapshot, which holds no locks: it stays open for a moment, because ending it takes one message
    /// less when the next transaction follows at once.
    pub(in crate::db) fn release_open(self) {
        if self.chained >= MOST_CHAINED || self.is_worn() {
            return self.release();
        }
        let left_open = Arc::clone(&self.connections.0.left_open);
        self.push_idle();
        left_open.notify_one();
    }

    fn push_idle(self) {
        let entry = IdleConnection {
            connection: self.connection,
            from_pool_at: self.from_pool_at,
            idle_since: Instant::now(),
            chained: self.chained,
            planned_bytes: self.planned_bytes,
        };
        let mut idle = self.connections.0.idle();
        if entry.from_pool_at.elapsed() < CHECKED_EVERY && !self.connections.0.pool.is_closed() {
            idle.push(entry);
        } else {
            drop(idle);
            entry.return_to_pool();
        }
    }
}

/// Whether a transaction is open on a connection.
pub(super) fn is_open(connection: &PgConnection) -> bool {
    PgTransactionManager::get_transaction_depth(connection) > 0
}

/// Sends the end of the transaction that may be open; false if that can't be.
pub(super) fn end(connection: &mut PgConnection) -> bool {
    PgTransactionManager::start_rollback(connection);
    // Polled once it sends, and waits for the answer from then on.
    !matches!(connection.flush().now_or_never(), Some(Err(_)))
}
