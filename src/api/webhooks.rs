//! Rendering what servers elsewhere are sent: the subscriptions of their endpoints, run as for a subscriber.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use super::{
    Api,
    http::prepare_subscription,
    live::{Failure, Refused, Start, page::Reader},
};
use crate::{
    access::Actor,
    base::error::{Error, Result},
    events::{FeedError, LoggedEvent},
    graphql::subscription::Notification,
    organization::webhooks::{Page, RenderFailure, Rendered, Renderer, WebhookSubscription},
};

/// The largest response to one event, in points: whoever sets up an endpoint is not there to pay for each.
const MOST_POINTS: u64 = 500;

impl Renderer for Api {
    fn check<'a>(
        &'a self,
        actor: &'a Arc<Actor>,
        subscription: &'a WebhookSubscription,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match self.reader(actor, subscription).await {
                Ok(_) => Ok(()),
                Err(refused) if is_passing(&refused) => Err(Error::Unavailable("the database")),
                Err(refused) => {
                    let (code, message) = explained(&refused);
                    let message = format!("{message} ({code})");
                    Err(Error::invalid("INVALID_DOCUMENT", "document", message))
                }
            }
        })
    }

    fn render<'a>(
        &'a self,
        actor: &'a Arc<Actor>,
        subscriptions: &'a [WebhookSubscription],
        after: i64,
        known: i64,
    ) -> BoxFuture<'a, Result<Page, RenderFailure>> {
        Box::pin(async move {
            let events = self.live().events_after(actor, after, known).await;
            let mut left = events.map_err(|error| match error {
                FeedError::Lost => RenderFailure::LogLost,
                FeedError::Failed(_) => RenderFailure::Unavailable,
            })?;
            let upto = left.last().map_or(after, |last| last.seq);
            let mut rendered = Vec::new();
            for subscription in subscriptions {
                if left.is_empty() {
                    break;
                }
                let answered = self.answered(actor, subscription, &left);
                let answered = answered.await.map_err(|refused| failed(&refused))?;
                left.retain(|event| answered.iter().all(|one| one.cursor.seq != event.seq));
                rendered.extend(answered);
            }
            rendered.sort_by_key(|one| one.cursor.seq);
            Ok(Page { upto, rendered })
        })
    }
}

impl Api {
    async fn reader(
        &self,
        actor: &Arc<Actor>,
        subscription: &WebhookSubscription,
    ) -> Result<Reader, Refused> {
        let start = Start::AfterEvent(0);
        let payload = subscription.payload();
        let prepared = prepare_subscription(self, actor, &payload, &start).await?;
        let points = super::spending::of_event(&prepared.measure);
        if points > MOST_POINTS {
            let message = format!(
                "an event costs up to {points} points, and a webhook at most {MOST_POINTS}: select less"
            );
            return Err(Failure::new("TOO_EXPENSIVE", message).into());
        }
        self.live().reader(actor, &prepared).await
    }

    async fn answered(
        &self,
        actor: &Arc<Actor>,
        subscription: &WebhookSubscription,
        events: &[Arc<LoggedEvent>],
    ) -> Result<Vec<Rendered>, Refused> {
        let reader = self.reader(actor, subscription).await?;
        let takes = |notification: &Notification| subscription.takes(notification.change);
        let answers = self.live().answers(actor, &reader, events, takes).await?;
        let rendered = answers.into_iter().filter_map(|answer| {
            let event = answer.notification.event.as_ref()?;
            let mut response: Json = serde_json::from_str(&answer.payload).ok()?;
            let data = match response["data"].take() {
                // The only field, by whatever name.
                Json::Object(fields) => fields.into_iter().next().map(|(_, value)| value),
                _ => None,
            };
            Some(Rendered {
                cursor: answer.notification.cursor.clone(),
                change: answer.notification.change,
                entity: event.entity.clone(),
                id: event.id,
                author: event.actor.clone(),
                occurred_at: event.occurred_at,
                data: data.unwrap_or(Json::Null),
                errors: Some(response["errors"].take()).filter(|errors| !errors.is_null()),
            })
        });
        Ok(rendered.collect())
    }
}

/// The first thing that is wrong.
fn explained(refused: &Refused) -> (String, String) {
    let errors = refused.to_json();
    let first = &errors[0];
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    (text(&first["extensions"]["code"]), text(&first["message"]))
}

/// Whether the same may work later.
fn is_passing(refused: &Refused) -> bool {
    let (code, _) = explained(refused);
    ["UNAVAILABLE", "TENANT_BUSY", "TIMEOUT", "INTERNAL"].contains(&code.as_str())
}

fn failed(refused: &Refused) -> RenderFailure {
    match is_passing(refused) {
        true => RenderFailure::Unavailable,
        false => {
            let (code, message) = explained(refused);
            RenderFailure::Unreadable(format!("{message} ({code})"))
        }
    }
}
