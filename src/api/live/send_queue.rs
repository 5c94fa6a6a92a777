//! The bounded queue of what waits to be sent to one client. A client that lets it fill up is disconnected with the cursor
//! to resume from; it delays no other.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{Failure, Refused, SubscriptionHandle};

/// Most deliveries that wait for one client.
const MOST_DELIVERIES: usize = 256;
/// Most bytes of them; an empty queue takes one of any size.
const MOST_BYTES: usize = 1024 * 1024;

/// The capacity that an empty queue keeps.
const SHORT: usize = 4;

/// An operation, by its client's id for it.
pub(crate) type OperationId = Arc<str>;

/// A response, rendered once and sent to all subscribers of a shared subscription.
#[derive(Debug)]
pub(crate) struct RenderedResponse {
    /// The number of its event, or the position up to which everything has been delivered.
    pub(crate) seq: i64,
    /// The cursor of that position; empty for live values, from which nothing resumes.
    pub(crate) cursor: String,
    /// A GraphQL response in JSON.
    pub(crate) payload: Arc<str>,
}

/// Something for a client.
pub(crate) enum Delivery {
    /// A response of an operation.
    Next(OperationId, Arc<RenderedResponse>),
    /// An operation ended, since there is nothing more to say.
    Completed(OperationId),
    /// An operation ended for a reason.
    Failed(OperationId, Failure),
    /// An operation was opened or refused.
    Opened(OperationId, Box<Result<SubscriptionHandle, Refused>>),
    /// The rights of the client may have changed with this event: they are read again, as of this instant or later, and
    /// the operation resumes after the event.
    Recheck(OperationId, i64, Instant),
}

/// The queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The queue of one client.
#[derive(Default)]
pub(crate) struct SendQueue {
    waiting: Mutex<Queued>,
    /// The waker of the task that drains it.
    filled: AtomicWaker,
    taken: Notify,
}

#[derive(Default)]
struct Queued {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    /// Whether a sender waits for capacity.
    is_awaited: bool,
    is_closed: bool,
}

impl Queued {
    fn has_capacity(&self, responses: &[Arc<RenderedResponse>]) -> bool {
        let bytes: usize = responses
            .iter()
            .map(|response| response.payload.len())
            .sum();
        self.deliveries.is_empty()
            || (self.deliveries.len() + responses.len() <= MOST_DELIVERIES
                && self.bytes + bytes <= MOST_BYTES)
    }

    /// Hands back what a closed queue does not take, to be dropped once the queue is unlocked: dropping a handle locks
    /// its shared subscription, which locks queues.
    #[must_use]
    fn put(&mut self, delivery: Delivery) -> Option<Delivery> {
        if self.is_closed {
            return Some(delivery);
        }
        if let Delivery::Next(_, response) = &delivery {
            self.bytes += response.payload.len();
        }
        self.deliveries.push_back(delivery);
        None
    }
}

impl SendQueue {
    /// Enqueues a response; never waits.
    pub(crate) fn push(
        &self,
        operation: &OperationId,
        response: &Arc<RenderedResponse>,
    ) -> Result<(), Full> {
        self.push_all(operation, std::slice::from_ref(response))
    }

    /// Enqueues all of some responses, or none.
    pub(crate) fn push_all(
        &self,
        operation: &OperationId,
        responses: &[Arc<RenderedResponse>],
    ) -> Result<(), Full> {
        let mut waiting = self.waiting();
        if !waiting.has_capacity(responses) {
            return Err(Full);
        }
        for response in responses {
            // A response holds no handle.
            _ = waiting.put(Delivery::Next(Arc::clone(operation), Arc::clone(response)));
        }
        drop(waiting);
        self.filled.wake();
        Ok(())
    }

    /// Enqueues what ends an operation or interrupts it, beyond the capacity too.
    pub(crate) fn put(&self, delivery: Delivery) {
        let refused = self.waiting().put(delivery);
        drop(refused);
        self.filled.wake();
    }

    /// Enqueues a response, after waiting for capacity.
    pub(crate) async fn send(
        &self,
        operation: &OperationId,
        response: &Arc<RenderedResponse>,
    ) -> Result<(), Gone> {
        loop {
            let taken = self.taken.notified();
            {
                let mut waiting = self.waiting();
                if waiting.is_closed {
                    return Err(Gone);
                }
                // Set before the capacity is checked, or what is taken in between would wake no sender.
                waiting.is_awaited = true;
            }
            if self.push(operation, response).is_ok() {
                return Ok(());
            }
            taken.await;
        }
    }

    /// The next delivery, first in first out.
    pub(crate) async fn next(&self) -> Delivery {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next delivery, first in first out. One task polls.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Delivery> {
        if let Some(delivery) = self.take() {
            return Poll::Ready(delivery);
        }
        // Polled again after that: what was enqueued meanwhile has woken no task.
        self.filled.register(cx.waker());
        self.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// The next delivery, if there is one.
    pub(crate) fn take(&self) -> Option<Delivery> {
        let mut waiting = self.waiting();
        let delivery = waiting.deliveries.pop_front()?;
        if let Delivery::Next(_, response) = &delivery {
            waiting.bytes -= response.payload.len();
        }
        // A queue that was long once gives its memory back; a short one keeps it for the next event.
        if waiting.deliveries.is_empty() && waiting.deliveries.capacity() > SHORT {
            waiting.deliveries = VecDeque::new();
        }
        let is_awaited = std::mem::take(&mut waiting.is_awaited);
        drop(waiting);
        if is_awaited {
            self.taken.notify_waiters();
        }
        Some(delivery)
    }

    /// Drops what waits, and takes nothing from then on.
    pub(crate) fn close(&self) {
        let closed = Queued {
            is_closed: true,
            ..Queued::default()
        };
        let dropped = std::mem::replace(&mut *self.waiting(), closed);
        drop(dropped);
        self.taken.notify_waiters();
    }

    fn waiting(&self) -> MutexGuard<'_, Queued> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(bytes: usize) -> Arc<RenderedResponse> {
        Arc::new(RenderedResponse {
            seq: 1,
            cursor: String::new(),
            payload: "x".repeat(bytes).into(),
        })
    }

    #[tokio::test]
    async fn it_holds_so_many_and_so_much_and_always_an_end() {
        let (queue, id) = (SendQueue::default(), OperationId::from("1"));
        for _ in 0..MOST_DELIVERIES {
            assert_eq!(queue.push(&id, &response(1)), Ok(()));
        }
        assert_eq!(queue.push(&id, &response(1)), Err(Full));
        queue.put(Delivery::Recheck(id.clone(), 1, Instant::now()));
        for _ in 0..MOST_DELIVERIES {
            assert!(matches!(queue.next().await, Delivery::Next(..)));
        }
        assert!(matches!(queue.next().await, Delivery::Recheck(..)));

        assert_eq!(queue.push(&id, &response(MOST_BYTES + 1)), Ok(()), "alone");
        assert_eq!(queue.push(&id, &response(1)), Err(Full));
        queue.close();
        assert_eq!(queue.send(&id, &response(1)).await, Err(Gone));
    }
}
