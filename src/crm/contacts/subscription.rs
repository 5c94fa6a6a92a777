//! What happens to contacts, as it happens.

use std::sync::Arc;

use async_graphql::{Context, Object, Subscription};

use super::{Contact, ContactFilter};
use crate::{
    base::error::Result,
    events::EventCursor,
    graphql::live::{self, Told, Turns},
};

/// Something that happened to a contact.
pub struct ContactEvent(Told);

impl From<Told> for ContactEvent {
    fn from(told: Told) -> Self {
        Self(told)
    }
}

/// Something that happened to a contact.
#[Object]
impl ContactEvent {
    #[graphql(flatten)]
    async fn told(&self) -> &Told {
        &self.0
    }

    /// The contact as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
    async fn contact(&self, ctx: &Context<'_>) -> Result<Option<Arc<Contact>>> {
        self.0.record(ctx).await
    }
}

/// Watching contacts.
#[derive(Default)]
pub struct ContactSubscription;

#[Subscription]
impl ContactSubscription {
    /// What happens to the contacts that you see and that meet the filter, from now on or from after a cursor.
    async fn contact_events(
        &self,
        ctx: &Context<'_>,
        filter: Option<ContactFilter>,
        after: Option<EventCursor>,
    ) -> Result<Turns<ContactEvent>> {
        live::changes::<Contact, _>(ctx, filter, after)
    }
}
