//! Telling a subscriber privately what came after its cursor, and having that paid for: each event that is read like an
//! answer of its own, and what it was not told or not as much of is given back.

use std::{sync::Arc, time::Duration};

use super::{Failure, Line, Live, Refused, Seat, open::refused};
use crate::{
    access::Actor,
    api::spending::Reserved,
    events::{Feed, Logged},
};

/// Events that are told of at a time, at the most.
const MOST: u64 = 200;

/// Points that come to about as many bytes as may wait for a client.
const LITTLE: u64 = 1_000;

/// Who is told of the past, and what each event of it may cost them; nothing where they were only interrupted.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) actor: &'a Arc<Actor>,
    pub(super) line: &'a Line,
    pub(super) price: Option<u64>,
}

impl Live {
    /// Tells a subscriber a page of what came after an event; answers how far that is.
    pub(super) async fn catch_up(
        &self,
        seat: &Seat,
        reader: Reader<'_>,
        after: i64,
    ) -> Result<i64, Refused> {
        let feed = &seat.circle.feed;
        let at_once = self.at_once(reader);
        let due = (feed.position() - after).clamp(0, at_once as i64);
        // Before anything is read. Who has to come back only because too much waits for them yet pays nothing for that.
        let mut paid = match due {
            0 => None,
            due => {
                let due = due.unsigned_abs();
                Some(self.pay_for_past(reader, (feed, after), due).await?)
            }
        };
        let events = feed.read(after).await;
        let events = events.map_err(|error| refused(error, feed))?;
        if events.is_empty() {
            if let Some(Some(paid)) = paid.take() {
                paid.settle(0);
            }
            // The audience is further than the feed for a moment only.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut after = after;
        for events in events.chunks(at_once as usize) {
            let paid = match paid.take() {
                Some(paid) => paid,
                None => {
                    let due = events.len() as u64;
                    self.pay_for_past(reader, (feed, after), due).await?
                }
            };
            self.tell_past(seat, reader, (events, paid)).await?;
            after = events.last().map_or(after, |last| last.seq);
        }
        Ok(after)
    }

    /// Whether what was missed is little enough to be told along with others who missed it too. Whoever has missed more is
    /// told it alone, piece by piece, as it is taken and paid for.
    pub(super) fn is_little(&self, reader: Reader<'_>, due: u64) -> bool {
        let points = due.saturating_mul(reader.price.unwrap_or(0));
        due <= self.at_once(reader) && points <= LITTLE
    }

    /// So many events that they may come to as much as one query, and to less than there ever is to pay with.
    fn at_once(&self, Reader { actor, price, .. }: Reader<'_>) -> u64 {
        let Some(price) = price else {
            return MOST;
        };
        let most = self.running.spending.most(actor) / 2;
        let most = most.min(self.running.limits.nodes as u64);
        (most / price.max(1)).clamp(1, MOST)
    }

    /// Takes the points for being told of so many events after one.
    pub(super) async fn pay_for_past(
        &self,
        Reader { actor, price, .. }: Reader<'_>,
        (feed, after): (&Feed, i64),
        events: u64,
    ) -> Result<Option<Reserved<'_>>, Failure> {
        let Some(price) = price else {
            return Ok(None);
        };
        let reserved = self.running.spending.reserve(actor, price * events).await;
        let reserved = reserved.map_err(|overdrawn| {
            Failure::rate_limited(&overdrawn, feed.cursor(after).to_string())
        })?;
        Ok(Some(reserved))
    }

    async fn tell_past(
        &self,
        seat: &Seat,
        Reader { actor, line, .. }: Reader<'_>,
        (events, paid): (&[Arc<Logged>], Option<Reserved<'_>>),
    ) -> Result<(), Refused> {
        let (feed, audience, running) = (&seat.circle.feed, &seat.audience, &self.running);
        let context = running.shared_context(Arc::clone(actor));
        let telling = audience.messages(running, feed, &context, events);
        let messages = match audience.is_heavy {
            true => {
                let _turn = seat.circle.heavy.acquire().await;
                let patience = running.limits.event_time * events.len() as u32;
                let told = tokio::time::timeout(patience, telling).await;
                let after = events.first().map_or(0, |first| first.seq - 1);
                told.map_err(|_| Failure::too_slow(feed.cursor(after).to_string()))?
            }
            false => telling.await,
        };
        let is_too_much = context.is_too_large();
        if let Some(paid) = paid {
            // What was too much is worked out again, and nothing of it given back.
            let objects = match is_too_much {
                true => u64::MAX,
                false => context.written_objects(),
            };
            paid.settle(objects.saturating_add(events.len() as u64 - 1));
        }
        // The snapshot is not held while the client takes its time.
        drop(context);
        if !is_too_much {
            return Ok(line.send_all(&messages?).await?);
        }
        drop(messages);
        for event in events {
            let messages = audience.alone(running, feed, actor, event).await?;
            line.send_all(&messages).await?;
        }
        Ok(())
    }
}
