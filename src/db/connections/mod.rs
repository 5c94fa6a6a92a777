//! A stack of idle connections on top of a pool: the one that was used last is used next.
//!
//! sqlx hands out the connection that has been idle longest, and pings each that is returned. So Postgres' processes
//! rotate, each finds the processors' caches full of the others' data, and every transaction pays for a ping. Here a
//! connection waits on a stack, from which the next transaction pops it at once. Those that stay idle, and every one
//! now and then, go back to sqlx, which pings them and closes what is old or unused. One on which long statements were
//! planned is closed: its process has grown and would keep that memory while idle.
//!
//! A snapshot that was read to its end may stay open on the stack for a moment. Its ROLLBACK then travels in the
//! message that begins the next transaction, so that a query costs one message less.

mod pooled;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use sqlx::{Postgres, pool::PoolConnection, postgres::PgPool};
use tokio::{
    sync::{Notify, Semaphore},
    time::{sleep, timeout},
};

use crate::platform::telemetry::metrics::{Metrics, Pool, PoolUse};
pub(super) use pooled::PooledConnection;
use pooled::{end, is_open};

/// How long a connection is used before it goes back to sqlx.
const CHECKED_EVERY: Duration = Duration::from_secs(300);
/// How long it may be idle before it does.
const IDLE_FOR: Duration = Duration::from_secs(60);
/// How long it may take to answer sqlx' ping. sqlx would wait until TCP gives up, and count it as one of its own
/// meanwhile.
const CHECK_PATIENCE: Duration = Duration::from_secs(1);
/// How long a snapshot is left open for a next transaction; tokio's timers know no shorter time.
const LEFT_OPEN: Duration = Duration::from_millis(1);

/// A pool with a stack of idle connections on top of it.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    pool: PgPool,
    idle: Mutex<Vec<IdleConnection>>,
    /// One for each connection: sqlx does not know of those on the stack, and would make callers wait for them.
    permits: Arc<Semaphore>,
    patience: Duration,
    /// Notified when a connection was pushed with a snapshot open on it.
    left_open: Arc<Notify>,
}

/// A connection on the stack.
struct IdleConnection {
    connection: PoolConnection<Postgres>,
    /// When it came from sqlx.
    from_pool_at: Instant,
    /// Since when it is idle.
    idle_since: Instant,
    /// How many transactions have begun in the message that ended the one before, in a row.
    chained: u8,
    /// Bytes of long statements that were planned on it.
    planned_bytes: usize,
}

impl Connections {
    /// Must be called on a runtime, as the pool must be opened on one.
    pub(super) fn new(pool: PgPool) -> Self {
        let options = pool.options();
        let inner = Arc::new(Inner {
            permits: Arc::new(Semaphore::new(options.get_max_connections() as usize)),
            patience: options.get_acquire_timeout(),
            pool,
            idle: Mutex::default(),
            left_open: Arc::default(),
        });
        tokio::spawn(sweep(Arc::downgrade(&inner)));
        let left_open = Arc::clone(&inner.left_open);
        tokio::spawn(end_left_open(Arc::downgrade(&inner), left_open));
        Self(inner)
    }

    /// An idle connection, or a new one.
    ///
    /// # Errors
    /// None has become free in time, or the database does not answer.
    pub(super) async fn acquire(&self) -> sqlx::Result<PooledConnection> {
        let acquired = timeout(self.0.patience, async {
            let permit = Arc::clone(&self.0.permits).acquire_owned().await;
            let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
            let entry = self.0.idle().pop();
            let entry = match entry {
                Some(entry) => entry,
                None => IdleConnection::new(self.acquire_from_pool().await?),
            };
            Ok(PooledConnection {
                connection: entry.connection,
                from_pool_at: entry.from_pool_at,
                chained: entry.chained,
                planned_bytes: entry.planned_bytes,
                connections: self.clone(),
                _permit: permit,
            })
        });
        acquired.await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where connections come from"
    )]
    async fn acquire_from_pool(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.0.pool.acquire().await
    }

    /// Has their use told in the metrics, for as long as they exist.
    pub(super) fn count_in(&self, metrics: &Metrics, pool: Pool) {
        let inner = Arc::downgrade(&self.0);
        let told = metrics.database.clone();
        metrics.sample(move || {
            let Some(inner) = inner.upgrade() else {
                return;
            };
            let most = inner.pool.options().get_max_connections();
            let free = u32::try_from(inner.permits.available_permits()).unwrap_or(most);
            let now = PoolUse {
                most,
                open: inner.pool.size(),
                used: most.saturating_sub(free),
            };
            told.note_pool(pool, now);
        });
    }

    /// How many there are.
    pub(super) fn size(&self) -> u32 {
        self.0.pool.size()
    }

    /// How long a caller waits for one.
    pub(super) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Closes them all, those in use when they come back.
    pub(super) async fn close(&self) {
        // It is closed from this call on, so none is pushed after this.
        let closed = self.0.pool.close();
        let idle = std::mem::take(&mut *self.0.idle());
        idle.into_iter().for_each(IdleConnection::return_to_pool);
        closed.await;
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<IdleConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the snapshots whose time is over; whether some are left whose time is not. They stay on the stack
    /// meanwhile: a caller that finds it empty waits for sqlx, which has none to give.
    fn end_left_open(&self) -> bool {
        let mut waits = false;
        let is_broken = |entry: &mut IdleConnection| {
            if !is_open(&entry.connection) {
                return false;
            }
            let is_over = entry.idle_since.elapsed() >= LEFT_OPEN;
            waits |= !is_over;
            is_over && !end(&mut entry.connection)
        };
        for mut broken in self.idle().extract_if(.., is_broken) {
            broken.connection.close_on_drop();
        }
        waits
    }
}

/// Returns connections that stay idle to sqlx, for as long as the stack exists.
async fn sweep(inner: Weak<Inner>) {
    loop {
        sleep(IDLE_FOR / 2).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let is_unused = |entry: &mut IdleConnection| entry.idle_since.elapsed() >= IDLE_FOR;
        let unused: Vec<_> = inner.idle().extract_if(.., is_unused).collect();
        unused.into_iter().for_each(IdleConnection::return_to_pool);
    }
}

/// Ends snapshots that were left open and had no next transaction, for as long as the stack exists.
async fn end_left_open(inner: Weak<Inner>, left_open: Arc<Notify>) {
    loop {
        left_open.notified().await;
        sleep(LEFT_OPEN).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        if inner.end_left_open() {
            left_open.notify_one();
        }
    }
}

impl IdleConnection {
    /// One that comes from sqlx.
    fn new(connection: PoolConnection<Postgres>) -> Self {
        Self {
            connection,
            from_pool_at: Instant::now(),
            idle_since: Instant::now(),
            chained: 0,
            planned_bytes: 0,
        }
    }

    /// Gives it to sqlx, or closes it when it does not answer, or when its process has grown somewhat.
    fn return_to_pool(mut self) {
        end(&mut self.connection);
        if self.planned_bytes > 0 {
            self.connection.close_on_drop();
            return;
        }
        let back = self.connection.return_to_pool();
        tokio::spawn(timeout(CHECK_PATIENCE, back));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.left_open.notify_one();
        let idle = self.idle.get_mut().unwrap_or_else(PoisonError::into_inner);
        for entry in idle.drain(..) {
            // There may be no runtime any more for sqlx to close it on.
            drop(entry.connection.leak());
        }
    }
}
