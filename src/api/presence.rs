//! Who is viewing a record now. Subscribing to its viewers is viewing it; without sight of the record there is no
//! answer.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Subscription};
use chrono::{DateTime, Utc};

use crate::{
    api::node,
    base::{
        entities::entities,
        error::{Error, Result},
        ids,
    },
    crm,
    events::Watched,
    graphql::{
        ContextExt as _,
        subscription::{self, ResolverStream, watch_one},
    },
    organization::members::User,
    platform::redis::{Presences, Viewer},
};

/// A member who is viewing a record.
pub struct Viewing(Viewer);

/// A member who is viewing a record.
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
    /// Who is looking at a record: now, and anew whenever a member comes or goes. A subscriber counts as looking too,
    /// unless `announce` is false; a person counts once, however many windows they have open.
    async fn presence(
        &self,
        ctx: &Context<'_>,
        on: ID,
        #[graphql(default = true)] announce: bool,
    ) -> Result<ResolverStream<Vec<Viewing>>> {
        let watched = || one_record(ctx, &on);
        let viewing = async || viewing(ctx, &on).await;
        subscription::presence(ctx, &on, announce, watched, viewing).await
    }
}

/// The viewers of a record, if the actor sees it.
async fn viewing(ctx: &Context<'_>, on: &ID) -> Result<Vec<Viewing>> {
    if node::find(ctx, on).await?.is_none() {
        return Err(Error::NotFound {
            kind: "record",
            field: "on",
        });
    }
    let presences = ctx.data_unchecked::<Arc<Presences>>();
    let viewers = presences.of(ctx.request().actor().tenant, on).await;
    Ok(viewers.into_iter().map(Viewing).collect())
}

macro_rules! viewed {
    (targets { $($targets:tt)* } owned { $($owned:tt)* } $($others:tt)*) => {
        viewed! { @of $($targets)* $($owned)* }
    };
    (@of $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )*) => {
        /// The one record that has an id.
        fn one_record(ctx: &Context<'_>, id: &ID) -> Result<Watched> {
            let (prefix, _) = id.split_once(':').unwrap_or_default();
            match prefix {
                $($prefix => watch_one::<ids::$id, $layer::$domain::$record>(ctx, id),)*
                _ => {
                    let known = [$($prefix,)*].join(", ");
                    let message = format!("expected the id of one of: {known}");
                    Err(Error::invalid("INVALID_ID", "on", message))
                }
            }
        }
    };
}
entities!(viewed);
