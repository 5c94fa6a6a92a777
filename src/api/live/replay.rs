//! Replaying to one subscriber what came after its cursor. Each event costs as much as a response of its own; what the
//! replay did not come to is refunded.

use std::{sync::Arc, time::Duration};

use super::{Failure, Live, Recipient, Refused, SubscriptionHandle, open::refused};
use crate::{
    access::Actor,
    api::spending::Reserved,
    events::{Feed, LoggedEvent},
};

/// Events in one page of a replay, at most.
const MOST: u64 = 200;

/// Points whose responses fit into a client's send queue, about.
const LITTLE: u64 = 1_000;

/// Who gets the replay, and what each event of it may cost; nothing where the server interrupted them.
#[derive(Clone, Copy)]
pub(super) struct Replay<'a> {
    pub(super) actor: &'a Arc<Actor>,
    pub(super) recipient: &'a Recipient,
    pub(super) price: Option<u64>,
}

impl Live {
    /// Replays a page of what came after an event; answers how far that is.
    pub(super) async fn catch_up(
        &self,
        handle: &SubscriptionHandle,
        replay: Replay<'_>,
        after: i64,
    ) -> Result<i64, Refused> {
        let feed = &handle.group.feed;
        let at_once = self.at_once(replay);
        let due = (feed.position() - after).clamp(0, at_once as i64);
        // Charged before anything is read. A round with nothing due, because the send queue was full, costs nothing.
        let mut paid = match due {
            0 => None,
            due => {
                let due = due.unsigned_abs();
                Some(self.charge_replay(replay, feed, after, due).await?)
            }
        };
        let events = feed.read(after).await;
        let events = events.map_err(|error| refused(error, feed))?;
        if events.is_empty() {
            if let Some(Some(paid)) = paid.take() {
                paid.settle(0);
            }
            // The shared subscription is ahead of the feed for a moment only.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut after = after;
        for events in events.chunks(at_once as usize) {
            let paid = match paid.take() {
                Some(paid) => paid,
                None => {
                    let due = events.len() as u64;
                    self.charge_replay(replay, feed, after, due).await?
                }
            };
            self.replay_page(handle, replay, events, paid).await?;
            after = events.last().map_or(after, |last| last.seq);
        }
        Ok(after)
    }

    /// Whether what was missed is little enough to be replayed together with other subscribers. A longer replay is
    /// private, page by page, as it is taken and paid for.
    pub(super) fn is_little(&self, replay: Replay<'_>, due: u64) -> bool {
        let points = due.saturating_mul(replay.price.unwrap_or(0));
        due <= self.at_once(replay) && points <= LITTLE
    }

    /// The page size: a page may cost as much as one query may, and less than the actor can ever hold in points.
    fn at_once(&self, Replay { actor, price, .. }: Replay<'_>) -> u64 {
        let Some(price) = price else {
            return MOST;
        };
        let most = self.runtime.spending.most(actor) / 2;
        let most = most.min(self.runtime.limits.nodes as u64);
        (most / price.max(1)).clamp(1, MOST)
    }

    /// Reserves the points for replaying this many events.
    pub(super) async fn charge_replay(
        &self,
        Replay { actor, price, .. }: Replay<'_>,
        feed: &Feed,
        after: i64,
        events: u64,
    ) -> Result<Option<Reserved<'_>>, Failure> {
        let Some(price) = price else {
            return Ok(None);
        };
        let reserved = self.runtime.spending.reserve(actor, price * events).await;
        let reserved = reserved.map_err(|overdrawn| {
            Failure::rate_limited(&overdrawn, feed.cursor(after).to_string())
        })?;
        Ok(Some(reserved))
    }

    async fn replay_page(
        &self,
        handle: &SubscriptionHandle,
        Replay {
            actor, recipient, ..
        }: Replay<'_>,
        events: &[Arc<LoggedEvent>],
        paid: Option<Reserved<'_>>,
    ) -> Result<(), Refused> {
        let (feed, subscription, runtime) =
            (&handle.group.feed, &handle.subscription, &self.runtime);
        let context = runtime.shared_context(Arc::clone(actor));
        let rendering = subscription.responses(runtime, feed, &context, events);
        let responses = match subscription.is_heavy {
            true => {
                let _permit = handle.group.heavy.acquire().await;
                let patience = runtime.limits.event_time * events.len() as u32;
                let notified = tokio::time::timeout(patience, rendering).await;
                let after = events.first().map_or(0, |first| first.seq - 1);
                notified.map_err(|_| Failure::too_slow(feed.cursor(after).to_string()))?
            }
            false => rendering.await,
        };
        let is_too_much = context.is_too_large();
        if let Some(paid) = paid {
            // What was too large is rendered again, and nothing of it refunded.
            let objects = match is_too_much {
                true => u64::MAX,
                false => context.written_objects(),
            };
            paid.settle(objects.saturating_add(events.len() as u64 - 1));
        }
        // The snapshot is not held while the client reads.
        drop(context);
        if !is_too_much {
            return Ok(recipient.send_all(&responses?).await?);
        }
        drop(responses);
        for event in events {
            let responses = subscription
                .render_alone(runtime, feed, actor, event)
                .await?;
            recipient.send_all(&responses).await?;
        }
        Ok(())
    }
}
