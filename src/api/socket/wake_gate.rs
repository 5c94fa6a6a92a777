//! Polling what has called, and leaving the rest alone.
//!
//! A task that waits for several things polls all of them whenever one has happened. For a socket that is told of an event
//! along with ten thousand others, looking at everything that has not happened costs as much as telling: most of what it
//! looks at has left the processor's cache. What waits behind a bell is polled only after its own waker was called.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::task::AtomicWaker;

/// What wakes a task, and tells it what for.
pub(super) struct Bell {
    rope: Arc<Rope>,
    waker: Waker,
}

struct Rope {
    has_rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl Bell {
    /// One that has rung: nothing behind it was ever polled.
    pub(super) fn new() -> Self {
        let rope = Arc::new(Rope {
            has_rung: AtomicBool::new(true),
            task: AtomicWaker::new(),
        });
        let waker = Waker::from(Arc::clone(&rope));
        Self { rope, waker }
    }

    /// Whether something behind it has called.
    pub(super) fn has_rung(&self) -> bool {
        self.rope.has_rung.load(Ordering::Acquire)
    }

    /// Has what is behind it polled the next time: something else stands there now.
    pub(super) fn ring(&self) {
        self.rope.has_rung.store(true, Ordering::Release);
    }

    /// Polls if the bell has rung since the last time, or was not polled to its end then.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        // Registered first: a call between the two is then either seen here or wakes the task.
        self.rope.task.register(cx.waker());
        if !self.rope.has_rung.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let answer = poll(&mut Context::from_waker(&self.waker));
        if answer.is_ready() {
            self.ring();
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
    async fn what_has_not_called_is_left_alone_and_every_call_is_heard() {
        let bell = Bell::new();
        let (loud, mut heard) = mpsc::unbounded_channel();
        let (quiet, mut silent) = mpsc::unbounded_channel::<u32>();
        let polls = Cell::new(0);
        let mut next = async || {
            poll_fn(|cx| {
                if let Poll::Ready(number) = heard.poll_recv(cx) {
                    return Poll::Ready(number);
                }
                bell.poll(cx, |cx| {
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
    async fn what_takes_the_place_of_something_else_is_polled() {
        let bell = Bell::new();
        let (_first, mut receiver) = oneshot::channel::<u32>();
        let poll = |receiver: &mut oneshot::Receiver<u32>| {
            let mut cx = Context::from_waker(Waker::noop());
            bell.poll(&mut cx, |cx| std::pin::Pin::new(receiver).poll(cx))
        };
        assert!(poll(&mut receiver).is_pending());
        let (second, mut receiver) = oneshot::channel();
        second.send(7).expect("it is received");
        assert!(poll(&mut receiver).is_pending(), "it has not called");
        bell.ring();
        assert_eq!(poll(&mut receiver), Poll::Ready(Ok(7)));
    }
}
