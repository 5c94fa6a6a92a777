//! Connections that are ready: whichever was used last is used next.
//!
//! sqlx hands out the one that has rested longest, and asks each that comes back whether it still answers. So all of
//! Postgres' processes take turns, each finds the processors' caches full of the others' data, and every transaction
//! pays for a question. Here a connection waits on a pile, from which the next transaction takes it at once. Those that
//! nobody needs, and every one now and then, go back to sqlx, which asks them and closes what is old or unused. One on
//! which long statements were planned is closed: its process has grown and would keep that memory while idle.
//!
//! A snapshot that was read to its end may stay open on the pile for a moment. Its ROLLBACK then travels in the message
//! that begins the next transaction, so that a query costs Postgres and us a message less.

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

pub(super) use pooled::Lent;
use pooled::{end, is_open};

/// So long a connection is used before it goes back to sqlx.
const USED: Duration = Duration::from_secs(300);
/// So long it rests at most before it does.
const RESTED: Duration = Duration::from_secs(60);
/// So long it has to answer when it does. sqlx would wait until TCP gives up, and count it as one of its own meanwhile.
const ANSWERED: Duration = Duration::from_secs(1);
/// So long a snapshot is left open for somebody who follows; tokio's timers know no shorter time.
const LEFT_OPEN: Duration = Duration::from_millis(1);

/// A pool with a pile on top of it.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    pool: PgPool,
    pile: Mutex<Vec<Ready>>,
    /// One for each connection: sqlx does not hear of what lies on the pile, and would let people wait for it.
    places: Arc<Semaphore>,
    patience: Duration,
    /// Told when a connection was laid on the pile with a snapshot open on it.
    left_open: Arc<Notify>,
}

/// A connection on the pile.
struct Ready {
    connection: PoolConnection<Postgres>,
    /// When it came from sqlx.
    from: Instant,
    /// Since when nobody has used it.
    since: Instant,
    /// How many snapshots have followed on each other without a pause.
    in_a_row: u8,
    /// Bytes of long statements that were planned on it.
    strain: usize,
}

impl Connections {
    /// Must be called on a runtime, as the pool must be opened on one.
    pub(super) fn new(pool: PgPool) -> Self {
        let options = pool.options();
        let inner = Arc::new(Inner {
            places: Arc::new(Semaphore::new(options.get_max_connections() as usize)),
            patience: options.get_acquire_timeout(),
            pool,
            pile: Mutex::default(),
            left_open: Arc::default(),
        });
        tokio::spawn(sweep(Arc::downgrade(&inner)));
        let left_open = Arc::clone(&inner.left_open);
        tokio::spawn(end_left_open(Arc::downgrade(&inner), left_open));
        Self(inner)
    }

    /// One that is ready, or has to be made.
    ///
    /// # Errors
    /// None has become free in time, or the database does not answer.
    pub(super) async fn acquire(&self) -> sqlx::Result<Lent> {
        let acquired = timeout(self.0.patience, async {
            let place = Arc::clone(&self.0.places).acquire_owned().await;
            let place = place.map_err(|_| sqlx::Error::PoolClosed)?;
            let ready = self.0.pile().pop();
            let ready = match ready {
                Some(ready) => ready,
                None => Ready::new(self.other().await?),
            };
            Ok(Lent {
                connection: ready.connection,
                from: ready.from,
                in_a_row: ready.in_a_row,
                strain: ready.strain,
                home: self.clone(),
                _place: place,
            })
        });
        acquired.await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    async fn other(&self) -> sqlx::Result<PoolConnection<Postgres>> {
        self.0.pool.acquire().await
    }

    /// How many there are.
    pub(super) fn size(&self) -> u32 {
        self.0.pool.size()
    }

    /// How long somebody waits for one.
    pub(super) fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Closes them all, those in use when they come back.
    pub(super) async fn close(&self) {
        // It is closed from this call on, so none is put on the pile after this.
        let closed = self.0.pool.close();
        let pile = std::mem::take(&mut *self.0.pile());
        pile.into_iter().for_each(Ready::go_back);
        closed.await;
    }
}

impl Inner {
    fn pile(&self) -> MutexGuard<'_, Vec<Ready>> {
        self.pile.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what nobody has followed on in time; whether there are some left whose time is not over. They stay on the
    /// pile meanwhile: whoever finds it empty waits for sqlx, which has none to give.
    fn end_left_open(&self) -> bool {
        let mut waits = false;
        let is_broken = |ready: &mut Ready| {
            if !is_open(&ready.connection) {
                return false;
            }
            let is_over = ready.since.elapsed() >= LEFT_OPEN;
            waits |= !is_over;
            is_over && !end(&mut ready.connection)
        };
        for mut broken in self.pile().extract_if(.., is_broken) {
            broken.connection.close_on_drop();
        }
        waits
    }
}

/// Takes those off the pile that nobody needs, as long as there is one.
async fn sweep(inner: Weak<Inner>) {
    loop {
        sleep(RESTED / 2).await;
        let Some(inner) = inner.upgrade() else {
            return;
        };
        let is_unused = |ready: &mut Ready| ready.since.elapsed() >= RESTED;
        let unused: Vec<_> = inner.pile().extract_if(.., is_unused).collect();
        unused.into_iter().for_each(Ready::go_back);
    }
}

/// Ends the snapshots that were left open and that nobody followed on, as long as there is a pile.
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

impl Ready {
    /// One that comes from sqlx.
    fn new(connection: PoolConnection<Postgres>) -> Self {
        Self {
            connection,
            from: Instant::now(),
            since: Instant::now(),
            in_a_row: 0,
            strain: 0,
        }
    }

    /// Gives it to sqlx, or closes it when it does not answer, or when its process has grown somewhat.
    fn go_back(mut self) {
        end(&mut self.connection);
        if self.strain > 0 {
            self.connection.close_on_drop();
            return;
        }
        let back = self.connection.return_to_pool();
        tokio::spawn(timeout(ANSWERED, back));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.left_open.notify_one();
        let pile = self.pile.get_mut().unwrap_or_else(PoisonError::into_inner);
        for ready in pile.drain(..) {
            // There may be no runtime any more for sqlx to close it on.
            drop(ready.connection.leak());
        }
    }
}
