//! Polling a future only after its own waker was called.
//!
//! A task that waits for several futures polls all of them whenever one has called its waker. For a socket that gets an
//! event along with ten thousand others, polling the futures that are not ready costs as much as the delivery: most of
//! what they touch has left the processor's cache. What is polled through a gate is skipped until it has called the
//! gate's waker.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// Skips a future until it has called its waker.
pub(super) struct WakeGate {
    wakeups: Arc<Wakeups>,
    waker: Waker,
}

struct Wakeups {
    is_woken: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Wakeups {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl WakeGate {
    /// One that polls the first time.
    pub(super) fn new() -> Self {
        let wakeups = Arc::new(Wakeups {
            is_woken: AtomicBool::new(true),
            task: AtomicWaker::new(),
        });
        let waker = Waker::from(Arc::clone(&wakeups));
        Self { wakeups, waker }
    }

    /// Whether its waker was called since the last poll.
    pub(super) fn is_woken(&self) -> bool {
        self.wakeups.is_woken.load(Ordering::Acquire)
    }

    /// Polls the next time: the future is another one now.
    pub(super) fn mark_woken(&self) {
        self.wakeups.is_woken.store(true, Ordering::Release);
    }

    /// Polls if the waker was called since the last time, or the last poll was ready.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Registered first: a call in between is then either seen here or wakes the task.
        self.wakeups.task.register(cx.waker());
        if !self.wakeups.is_woken.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let answer = poll(&mut Context::from_waker(&self.waker));
        if answer.is_ready() {
            self.mark_woken();
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, future::poll_fn, time::Duration};

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[tokio::test]
    async fn what_has_not_woken_is_not_polled_and_no_wakeup_is_lost() {
        let wake_gate = WakeGate::new();
        let (loud, mut heard) = mpsc::unbounded_channel();
        let (quiet, mut silent) = mpsc::unbounded_channel::<u32>();
        let polls = Cell::new(0);
        let mut next = async || {
            poll_fn(|cx| {
                if let Poll::Ready(number) = heard.poll_recv(cx) {
                    return Poll::Ready(number);
                }
                wake_gate.poll(cx, |cx| {
                    polls.set(polls.get() + 1);
                    silent.poll_recv(cx)
                })
            })
            .await
        };
        for number in 0..100_u32 {
            loud.send(number).expect("it is received");
            tokio::task::yield_now().await;
            assert_eq!(next().await, Some(number));
        }
        assert_eq!(polls.get(), 0, "there was always something else");
        let (answer, mut answered) = mpsc::unbounded_channel();
        let later = tokio::spawn(async move {
            for number in 100..200 {
                // The other one waits by now, or soon will.
                tokio::time::sleep(Duration::from_micros(number.into())).await;
                let sender = if number % 2 == 0 { &loud } else { &quiet };
                sender.send(number).expect("it is received");
                assert_eq!(answered.recv().await, Some(number));
            }
        });
        for number in 100..200_u32 {
            assert_eq!(next().await, Some(number));
            answer.send(number).expect("it is received");
        }
        // Once for each of its calls, and once more to be called again.
        assert!((50..=102).contains(&polls.get()), "{}", polls.get());
        later.await.expect("all was sent");
    }

    #[tokio::test]
    async fn a_future_that_replaces_another_is_polled() {
        let wake_gate = WakeGate::new();
        let (_first, mut receiver) = oneshot::channel::<u32>();
        let poll = |receiver: &mut oneshot::Receiver<u32>| {
            let mut cx = Context::from_waker(Waker::noop());
            wake_gate.poll(&mut cx, |cx| std::pin::Pin::new(receiver).poll(cx))
        };
        assert!(poll(&mut receiver).is_pending());
        let (second, mut receiver) = oneshot::channel();
        second.send(7).expect("it is received");
        assert!(poll(&mut receiver).is_pending(), "it has not woken");
        wake_gate.mark_woken();
        assert_eq!(poll(&mut receiver), Poll::Ready(Ok(7)));
    }
}
