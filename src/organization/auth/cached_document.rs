//! A cached document of another server: read on demand with single flight, read again after a while, and used stale for
//! hours while the other server is down.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::{base::clock::Clock, platform::outbound::FetchError};

/// How long a document is fresh.
const FRESH_FOR: TimeDelta = TimeDelta::minutes(10);
/// How long a stale document is used when reading fails: a key that was withdrawn is refused after this at the latest.
const STALE_FOR: TimeDelta = TimeDelta::hours(12);
/// The least time between two reads, whatever comes in.
const PAUSE: TimeDelta = TimeDelta::seconds(30);
/// The same while there is no document at all.
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);

type ReadFuture<T> = Pin<Box<dyn Future<Output = Result<T, FetchError>> + Send>>;
type ReadFn<T> = Arc<dyn Fn() -> ReadFuture<T> + Send + Sync>;

/// One document, shared by all its users.
pub(crate) struct CachedDocument<T> {
    what: String,
    read: ReadFn<T>,
    clock: Clock,
    state: Arc<Mutex<DocumentState<T>>>,
    flight: Arc<tokio::sync::Mutex<()>>,
}

struct DocumentState<T> {
    document: Option<(Arc<T>, DateTime<Utc>)>,
    last_read: Option<DateTime<Utc>>,
}

impl<T> DocumentState<T> {
    fn may_read(&self, now: DateTime<Utc>) -> bool {
        let pause = if self.document.is_some() {
            PAUSE
        } else {
            FIRST_PAUSE
        };
        // A clock that was set back must not stop the reads.
        self.last_read
            .is_none_or(|last| now - last >= pause || now < last)
    }

    fn within(&self, age: TimeDelta, now: DateTime<Utc>) -> Option<Arc<T>> {
        let (document, read_at) = self.document.as_ref()?;
        (now - *read_at < age).then(|| Arc::clone(document))
    }
}

impl<T: Send + Sync + 'static> CachedDocument<T> {
    /// Caches what `read` reads; `what` names it in the log.
    pub(crate) fn new<F>(
        what: impl Into<String>,
        clock: Clock,
        read: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<T, FetchError>> + Send + 'static,
    {
        Self {
            what: what.into(),
            read: Arc::new(move || Box::pin(read())),
            clock,
            state: Arc::new(Mutex::new(DocumentState {
                document: None,
                last_read: None,
            })),
            flight: Arc::default(),
        }
    }

    /// The document, if it could be read; no caller waits for the other server while there is a usable one.
    pub(crate) async fn get(&self) -> Option<Arc<T>> {
        let (fresh, usable) = {
            let (state, now) = (self.state(), self.clock.now());
            (state.within(FRESH_FOR, now), state.within(STALE_FOR, now))
        };
        if fresh.is_some() {
            return fresh;
        }
        if usable.is_none() || self.flight.try_lock().is_ok() {
            self.refresh().await;
        }
        self.state().within(STALE_FOR, self.clock.now())
    }

    /// A newer document than `seen`, in which something was missing; none when there is none or it is too early to ask.
    pub(crate) async fn newer(&self, seen: &Arc<T>) -> Option<Arc<T>> {
        self.refresh().await;
        let newest = self.state().within(STALE_FOR, self.clock.now())?;
        (!Arc::ptr_eq(&newest, seen)).then_some(newest)
    }

    /// Reads once for all concurrent callers, and not at all during the pause. In a task of its own: a caller that is
    /// cancelled must not cancel the read.
    async fn refresh(&self) {
        let flight = Arc::clone(&self.flight).lock_owned().await;
        let now = self.clock.now();
        {
            let mut state = self.state();
            if !state.may_read(now) {
                return;
            }
            state.last_read = Some(now);
        }
        let (reading, state, what) = ((self.read)(), Arc::clone(&self.state), self.what.clone());
        let asking = tokio::spawn(async move {
            match reading.await {
                Ok(document) => lock(&state).document = Some((Arc::new(document), now)),
                Err(error) => tracing::warn!(
                    error = &error as &(dyn std::error::Error + 'static),
                    what,
                    "another server's document can't be read"
                ),
            }
            drop(flight);
        });
        _ = asking.await;
    }

    fn state(&self) -> MutexGuard<'_, DocumentState<T>> {
        lock(&self.state)
    }
}

fn lock<T>(state: &Mutex<DocumentState<T>>) -> MutexGuard<'_, DocumentState<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use futures_util::FutureExt as _;

    use super::*;

    /// A server that answers how often it was asked, unless it is down; and a clock to set.
    #[derive(Clone, Default)]
    struct Server {
        asked: Arc<AtomicU32>,
        down: Arc<AtomicU32>,
        seconds: Arc<AtomicI64>,
    }

    impl Server {
        fn cached(&self) -> CachedDocument<u32> {
            let (server, clock) = (self.clone(), self.clone());
            let clock = Clock::from_fn(move || {
                DateTime::from_timestamp(1_800_000_000 + clock.seconds.load(Ordering::SeqCst), 0)
                    .expect("a time")
            });
            CachedDocument::new("a document", clock, move || {
                let server = server.clone();
                async move {
                    let asked = server.asked.fetch_add(1, Ordering::SeqCst) + 1;
                    tokio::task::yield_now().await;
                    match server.down.load(Ordering::SeqCst) {
                        0 => Ok(asked),
                        _ => Err(FetchError::Status(503)),
                    }
                }
            })
        }

        fn pass(&self, seconds: i64) {
            self.seconds.fetch_add(seconds, Ordering::SeqCst);
        }

        fn asked(&self) -> u32 {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn it_is_read_once_for_all_callers_and_again_after_ten_minutes() {
        let server = Server::default();
        let document = Arc::new(server.cached());
        let readers = (0..50).map(|_| {
            let document = Arc::clone(&document);
            tokio::spawn(async move { document.get().await })
        });
        for reader in readers.collect::<Vec<_>>() {
            assert_eq!(reader.await.expect("it ends").as_deref(), Some(&1));
        }
        server.pass(599);
        assert_eq!(document.get().await.as_deref(), Some(&1));
        server.pass(1);
        assert_eq!(document.get().await.as_deref(), Some(&2));
    }

    #[tokio::test]
    async fn a_flood_of_misses_reads_once_in_half_a_minute() {
        let server = Server::default();
        let document = server.cached();
        let seen = document.get().await.expect("a document");
        server.pass(31);
        let newer = document.newer(&seen).await.expect("a newer one");
        for _ in 0..1_000 {
            assert_eq!(document.newer(&newer).await, None);
        }
        assert_eq!(server.asked(), 2);
        server.pass(30);
        assert_eq!(document.newer(&newer).await.as_deref(), Some(&3));
    }

    #[tokio::test]
    async fn it_is_used_for_hours_while_the_server_is_down_and_not_for_ever() {
        let server = Server::default();
        let document = server.cached();
        document.get().await.expect("a document");
        server.down.store(1, Ordering::SeqCst);
        server.pass(11 * 3_600);
        assert_eq!(document.get().await.as_deref(), Some(&1));
        assert_eq!(
            (document.get().await.as_deref(), server.asked()),
            (Some(&1), 2)
        );
        server.pass(3_600);
        assert_eq!(document.get().await, None);
        server.down.store(0, Ordering::SeqCst);
        server.pass(30);
        assert_eq!(document.get().await.as_deref(), Some(&4));
    }

    #[tokio::test]
    async fn a_cancelled_caller_does_not_cancel_the_read() {
        let server = Server::default();
        let document = server.cached();
        let first = document.get().now_or_never();
        assert_eq!(first, None, "it went away while the server was asked");
        assert_eq!(
            (document.get().await.as_deref(), server.asked()),
            (Some(&1), 1)
        );
    }

    #[tokio::test]
    async fn without_any_document_it_is_read_again_soon() {
        let server = Server::default();
        server.down.store(1, Ordering::SeqCst);
        let document = server.cached();
        assert_eq!((document.get().await, document.get().await), (None, None));
        assert_eq!(server.asked(), 1);
        server.down.store(0, Ordering::SeqCst);
        server.pass(5);
        assert_eq!(document.get().await.as_deref(), Some(&2));
    }
}
