//! What waits to be sent to one client. It is bounded: whoever does not take it is told where to resume, and nobody
//! else waits for them.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{Failure, Refused, Seat};

/// Most messages that wait for one client.
const MOST_MESSAGES: usize = 256;
/// Most bytes of them; one message more is taken when nothing else waits.
const MOST_BYTES: usize = 1024 * 1024;

/// Messages that a queue keeps room for while it is empty.
const SHORT: usize = 4;

/// An operation, by the name that its client gave it.
pub(crate) type OperationId = Arc<str>;

/// An answer as it is sent to all who asked the same.
#[derive(Debug)]
pub(crate) struct Message {
    /// The number of the event that it tells of, or the place up to which all is told.
    pub(crate) seq: i64,
    /// That place as clients hold it; empty for answers that nobody resumes from.
    pub(crate) cursor: String,
    /// A GraphQL response in JSON.
    pub(crate) payload: Arc<str>,
}

/// Something for a client.
pub(crate) enum Parcel {
    /// An answer of an operation.
    Next(OperationId, Arc<Message>),
    /// An operation ended for a reason.
    Failed(OperationId, Failure),
    /// An operation is under way, or was refused.
    Opened(OperationId, Box<Result<Seat, Refused>>),
    /// The rights of the client may have changed with this event: they are to be asked for anew, as of now or later,
    /// and the operation goes on after it.
    Recheck(OperationId, i64, Instant),
}

/// There is no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// The client is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The queue of one client.
#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    /// Of the one who empties it.
    filled: AtomicWaker,
    taken: Notify,
}

#[derive(Default)]
struct Waiting {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    /// Whether somebody waits for room.
    is_awaited: bool,
    is_closed: bool,
}

impl Waiting {
    fn has_room(&self, messages: &[Arc<Message>]) -> bool {
        let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
        self.parcels.is_empty()
            || (self.parcels.len() + messages.len() <= MOST_MESSAGES
                && self.bytes + bytes <= MOST_BYTES)
    }

    /// Hands back what nobody takes any more, to be dropped when the queue is not locked: what leaves a seat locks its
    /// audience, which locks queues.
    #[must_use]
    fn put(&mut self, parcel: Parcel) -> Option<Parcel> {
        if self.is_closed {
            return Some(parcel);
        }
        if let Parcel::Next(_, message) = &parcel {
            self.bytes += message.payload.len();
        }
        self.parcels.push_back(parcel);
        None
    }
}

impl Outbox {
    /// Leaves an answer; never waits.
    pub(crate) fn push(&self, operation: &OperationId, message: &Arc<Message>) -> Result<(), Full> {
        self.push_all(operation, std::slice::from_ref(message))
    }

    /// Leaves all of some answers, or none.
    pub(crate) fn push_all(
        &self,
        operation: &OperationId,
        messages: &[Arc<Message>],
    ) -> Result<(), Full> {
        let mut waiting = self.waiting();
        if !waiting.has_room(messages) {
            return Err(Full);
        }
        for message in messages {
            // An answer holds no seat.
            _ = waiting.put(Parcel::Next(Arc::clone(operation), Arc::clone(message)));
        }
        drop(waiting);
        self.filled.wake();
        Ok(())
    }

    /// Leaves what ends an operation or interrupts it; there is always room for that.
    pub(crate) fn put(&self, parcel: Parcel) {
        let refused = self.waiting().put(parcel);
        drop(refused);
        self.filled.wake();
    }

    /// Leaves an answer, after waiting for room.
    pub(crate) async fn send(
        &self,
        operation: &OperationId,
        message: &Arc<Message>,
    ) -> Result<(), Gone> {
        loop {
            let taken = self.taken.notified();
            {
                let mut waiting = self.waiting();
                if waiting.is_closed {
                    return Err(Gone);
                }
                // Before room is looked for, or what is taken in between would be told to nobody.
                waiting.is_awaited = true;
            }
            if self.push(operation, message).is_ok() {
                return Ok(());
            }
            taken.await;
        }
    }

    /// The next one, in the order they were left.
    pub(crate) async fn next(&self) -> Parcel {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next one, in the order they were left. One task asks.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Parcel> {
        if let Some(parcel) = self.take() {
            return Poll::Ready(parcel);
        }
        // Asked again after that: what was left meanwhile has woken nobody.
        self.filled.register(cx.waker());
        self.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// The next one, if there is one.
    pub(crate) fn take(&self) -> Option<Parcel> {
        let mut waiting = self.waiting();
        let parcel = waiting.parcels.pop_front()?;
        if let Parcel::Next(_, message) = &parcel {
            waiting.bytes -= message.payload.len();
        }
        // A queue that was long once does not keep its memory; a short one does, for the next event.
        if waiting.parcels.is_empty() && waiting.parcels.capacity() > SHORT {
            waiting.parcels = VecDeque::new();
        }
        let is_awaited = std::mem::take(&mut waiting.is_awaited);
        drop(waiting);
        if is_awaited {
            self.taken.notify_waiters();
        }
        Some(parcel)
    }

    /// Drops what waits; nothing is taken any more.
    pub(crate) fn close(&self) {
        let closed = Waiting {
            is_closed: true,
            ..Waiting::default()
        };
        let dropped = std::mem::replace(&mut *self.waiting(), closed);
        drop(dropped);
        self.taken.notify_waiters();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Arc<Message> {
        Arc::new(Message {
            seq: 1,
            cursor: String::new(),
            payload: "x".repeat(bytes).into(),
        })
    }

    #[tokio::test]
    async fn it_holds_so_many_and_so_much_and_always_an_end() {
        let (outbox, id) = (Outbox::default(), OperationId::from("1"));
        for _ in 0..MOST_MESSAGES {
            assert_eq!(outbox.push(&id, &message(1)), Ok(()));
        }
        assert_eq!(outbox.push(&id, &message(1)), Err(Full));
        outbox.put(Parcel::Recheck(id.clone(), 1, Instant::now()));
        for _ in 0..MOST_MESSAGES {
            assert!(matches!(outbox.next().await, Parcel::Next(..)));
        }
        assert!(matches!(outbox.next().await, Parcel::Recheck(..)));

        assert_eq!(outbox.push(&id, &message(MOST_BYTES + 1)), Ok(()), "alone");
        assert_eq!(outbox.push(&id, &message(1)), Err(Full));
        outbox.close();
        assert_eq!(outbox.send(&id, &message(1)).await, Err(Gone));
    }
}
