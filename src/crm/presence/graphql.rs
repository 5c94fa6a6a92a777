//! Presence in the schema.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Subscription};
use chrono::{DateTime, Utc};

use crate::{
    base::error::{Error, Result},
    graphql::{
        ContextExt as _,
        live::{self, Turns},
        node,
    },
    organization::members::User,
    platform::redis::{Presences, Present},
};

/// Somebody who is looking at a record.
pub struct Viewing(Present);

/// Somebody who is looking at a record.
#[Object(name = "Presence")]
impl Viewing {
    /// Who.
    async fn user(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        User::load(ctx, Some(self.0.user)).await
    }

    /// Since when.
    async fn since(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.0.since_ms)
    }
}

/// Reading who looks at a record.
#[derive(Default)]
pub struct PresenceQuery;

#[Object]
impl PresenceQuery {
    /// Who is looking at a record now, the one who has been there longest first. Asking does not count as looking.
    async fn presence(&self, ctx: &Context<'_>, on: ID) -> Result<Vec<Viewing>> {
        viewing(ctx, &on).await
    }
}

/// Watching who looks at a record.
#[derive(Default)]
pub struct PresenceSubscription;

#[Subscription]
impl PresenceSubscription {
    /// Who is looking at a record: now, and anew whenever somebody comes or goes. Whoever has this open is looking too,
    /// unless `announce` is false; a person counts once, however many windows they have open.
    async fn presence(
        &self,
        ctx: &Context<'_>,
        on: ID,
        #[graphql(default = true)] announce: bool,
    ) -> Result<Turns<Vec<Viewing>>> {
        live::presence(ctx, (&on, announce), async || viewing(ctx, &on).await).await
    }
}

/// Who looks at a record, if the one who asks may see it.
async fn viewing(ctx: &Context<'_>, on: &ID) -> Result<Vec<Viewing>> {
    if node::find(ctx, on).await?.is_none() {
        return Err(Error::NotFound {
            kind: "record",
            field: "on",
        });
    }
    let presences = ctx.data_unchecked::<Arc<Presences>>();
    let present = presences.of(ctx.request().actor().tenant, on).await;
    Ok(present.into_iter().map(Viewing).collect())
}
