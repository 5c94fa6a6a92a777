//! Subscriptions to rows whose changes are in no event: one look a second for all subscribers of an operation, which is one
//! statement while nothing changes.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep, timeout};

use super::{Runtime, group::SubscriberGroup, operation::RenderError, shared::SharedSubscription};
use crate::{
    events::{self, EventCursor},
    graphql::{
        RequestContext,
        subscription::{Look, Looking, ResolverMode},
    },
};

/// How often rows are looked at.
const LOOKED_EVERY: Duration = Duration::from_secs(1);
/// Looking takes at most one part in this many of the time.
const LOOK_SHARE: u32 = 4;
/// How long what was seen may wait for the events before it, and how often it is looked whether they came.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(5);

impl SubscriberGroup {
    /// Looks at rows and sends what is new of them, until nothing will change any more or there are no subscribers.
    pub(super) async fn keep_rows(
        &self,
        runtime: &Runtime,
        subscription: &SharedSubscription,
        look: &Look,
    ) {
        let mut sent_at = Instant::now();
        loop {
            let began = Instant::now();
            let permit = match subscription.is_heavy {
                true => self.heavy.acquire().await.ok(),
                false => None,
            };
            let context = self.context(runtime);
            let mode = ResolverMode::Look(Looking::At(look.clone()));
            let seen = subscription.look(runtime, &context, mode).await;
            // Events are rendered under the same permit.
            drop(permit);
            let is_news = match &seen {
                Ok(payload) if !look.is_of_changes() => subscription.is_other_value(payload),
                Ok(_) => look.has_news(),
                Err(_) => false,
            };
            if is_news {
                runtime.metrics.live.answers.inc();
            }
            let is_sendable = match is_news {
                true => self.has_come_to(subscription, context).await,
                false => {
                    // Its connection is for others until the next look.
                    drop(context);
                    true
                }
            };
            match seen {
                // The next look tries again.
                Ok(_) if !is_sendable => {}
                Ok(payload) if look.is_of_changes() => {
                    // Without changes it says now and then that there are none.
                    if is_news || sent_at.elapsed() >= runtime.heartbeat {
                        subscription.send_rows(runtime, &self.feed, payload);
                        sent_at = Instant::now();
                    }
                    look.accept();
                }
                Ok(payload) => {
                    subscription.send_value(runtime, &self.feed, payload);
                    if look.is_over() {
                        return subscription.complete();
                    }
                }
                Err(RenderError::Unavailable) => {}
                Err(RenderError::Failed(failure))
                    if failure.code == runtime.limits.too_large().code && look.take_fewer() => {}
                Err(RenderError::Failed(failure)) => return subscription.end(&failure),
            }
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = subscription.left.cancelled() => return,
                () = sleep(LOOKED_EVERY.max(began.elapsed() * LOOK_SHARE)) => {}
            }
        }
    }

    /// Waits until a subscription has come past all events that there were when something was read; whether it was in
    /// time. Events may have taken rights from its subscribers, who are sent nothing that was read afterwards.
    async fn has_come_to(
        &self,
        subscription: &SharedSubscription,
        context: Arc<RequestContext>,
    ) -> bool {
        let here = context.read(async |tx| events::here(tx).await).await;
        let Ok(EventCursor { seq, .. }) = here else {
            return false;
        };
        // What it was read by is not held while others are served.
        drop(context);
        self.feed.hear(seq);
        let come = async {
            while subscription.checked() < seq {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, come).await.is_ok()
    }
}
