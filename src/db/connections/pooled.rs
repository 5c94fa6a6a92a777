//! A connection in somebody's hands.

use std::{sync::Arc, time::Instant};

use futures_util::FutureExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, Postgres, SqlStr, pool::PoolConnection,
    postgres::PgTransactionManager,
};
use sqlx_core::transaction::TransactionManager as _;
use tokio::sync::OwnedSemaphorePermit;

use super::{Connections, Ready, USED};

/// So often in a row a connection goes from one transaction to the next without a pause. A pooler between here and
/// Postgres gives away its own only in a pause.
const IN_A_ROW: u8 = 20;
/// After so many bytes of long statements a connection is closed. Planning them has made its process grow, by some thousand
/// bytes for each byte of text, and a process keeps for good what it once had.
const WORN: usize = 64 << 10;

/// A connection in use. Dropped it goes back to sqlx, which asks it whether it still answers; see [`Self::keep`].
pub(in crate::db) struct Lent {
    pub(in crate::db) connection: PoolConnection<Postgres>,
    pub(super) from: Instant,
    pub(super) in_a_row: u8,
    /// Bytes of long statements that were planned on it.
    pub(super) strain: usize,
    pub(super) home: Connections,
    /// Given up last.
    pub(super) _place: OwnedSemaphorePermit,
}

impl Lent {
    /// Whether a transaction is open, as far as sqlx knows.
    pub(in crate::db) fn is_open(&self) -> bool {
        is_open(&self.connection)
    }

    /// Begins a transaction by the statement that does. What the one before has left open ends in the same message.
    pub(in crate::db) async fn begin(&mut self, begin: SqlStr) -> sqlx::Result<()> {
        if !self.is_open() {
            if self.in_a_row >= IN_A_ROW {
                // The pause: without it BEGIN would be sent before ROLLBACK was answered.
                self.connection.flush().await?;
            }
            self.in_a_row = 0;
            return PgTransactionManager::begin(&mut self.connection, Some(begin)).await;
        }
        // sqlx takes it for the same transaction still.
        self.in_a_row += 1;
        let both = AssertSqlSafe(format!("ROLLBACK; {}", begin.as_str()));
        let begun = sqlx::raw_sql(both).execute(&mut *self.connection);
        begun.await.map(drop)
    }

    /// Notes that a long statement is planned on it.
    pub(in crate::db) fn strain(&mut self, bytes: usize) {
        self.strain = self.strain.saturating_add(bytes);
    }

    fn is_worn(&self) -> bool {
        self.strain >= WORN
    }

    /// Puts it on the pile, for the next, after the end of the transaction that may be open on it. That is sent, and
    /// whoever is next reads the answer.
    pub(in crate::db) fn keep(mut self) {
        if end(&mut self.connection) && !self.is_worn() {
            self.lay_down();
        } else {
            self.connection.close_on_drop();
        }
    }

    /// The same for a snapshot, which hinders nobody: it stays open for a moment, because ending it takes a message less
    /// when somebody follows at once.
    pub(in crate::db) fn keep_open(self) {
        if self.in_a_row >= IN_A_ROW || self.is_worn() {
            return self.keep();
        }
        let left_open = Arc::clone(&self.home.0.left_open);
        self.lay_down();
        left_open.notify_one();
    }

    fn lay_down(self) {
        let ready = Ready {
            connection: self.connection,
            from: self.from,
            since: Instant::now(),
            in_a_row: self.in_a_row,
            strain: self.strain,
        };
        let mut pile = self.home.0.pile();
        if ready.from.elapsed() < USED && !self.home.0.pool.is_closed() {
            pile.push(ready);
        } else {
            drop(pile);
            ready.go_back();
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
