//! How the records of a kind are watched: the same for all kinds.

/// Declares the event of a kind, with the record as it is now, and the subscription to it. The texts are the schema's.
macro_rules! record_events {
    (
        $record:ty, $filter:ty;
        $(#[$about:meta])*
        $event:ident { $(#[$now:meta])* $field:ident }
        $(#[$watching:meta])*
        $subscription:ident { $(#[$events:meta])* $name:ident }
    ) => {
        $crate::crm::subscription::event! {
            $(#[$about])*
            $event {
                $(#[$now])*
                async fn $field(
                    &self,
                    ctx: &async_graphql::Context<'_>,
                ) -> $crate::base::error::Result<Option<std::sync::Arc<$record>>> {
                    self.0.record(ctx).await
                }
            }
        }

        $(#[$watching])*
        #[derive(Default)]
        pub struct $subscription;

        #[async_graphql::Subscription]
        impl $subscription {
            $(#[$events])*
            async fn $name(
                &self,
                ctx: &async_graphql::Context<'_>,
                filter: Option<$filter>,
                after: Option<$crate::events::EventCursor>,
            ) -> $crate::base::error::Result<$crate::graphql::subscription::ResolverStream<$event>> {
                $crate::graphql::subscription::changes::<$record, _>(ctx, filter, after)
            }
        }
    };
}

/// Declares an event of a subscription: what all of them say, who did it, and fields of its own.
macro_rules! event {
    ($(#[$about:meta])* $event:ident { $($fields:tt)* }) => {
        $(#[$about])*
        pub struct $event($crate::graphql::subscription::RecordEvent);

        impl From<$crate::graphql::subscription::RecordEvent> for $event {
            fn from(event: $crate::graphql::subscription::RecordEvent) -> Self {
                Self(event)
            }
        }

        $(#[$about])*
        #[async_graphql::Object]
        impl $event {
            #[graphql(flatten)]
            async fn event(&self) -> &$crate::graphql::subscription::RecordEvent {
                &self.0
            }

            /// Who did it; null when it is out of your sight, or when `kind` is `SYNCED`.
            async fn by(&self) -> Option<$crate::organization::members::ChangeAuthor> {
                self.0.actor().map($crate::organization::members::ChangeAuthor::new)
            }

            $($fields)*
        }
    };
}

pub(crate) use {event, record_events};
