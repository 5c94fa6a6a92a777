//! How records are archived, restored and deleted: the same for all kinds.

use async_graphql::Context;

use crate::{
    base::{error::Result, ids::Typed},
    entity::{self, Entity},
    graphql::{ContextExt as _, DeletePayload},
};

/// Declares the archive of a kind and its end, as an object whose fields are flattened into its mutations: what names a
/// record, what a change to one came to (see [`payload`]), and the three fields. The texts are the schema's.
macro_rules! record_lifecycle {
    (
        $record:ty, $id:ty;
        $(#[$about:meta])*
        $input:ident { $(#[$which:meta])* id }
        $(#[$outcome:meta])*
        $payload:ident { $(#[$now:meta])* $field:ident }
        $(#[$writing:meta])*
        $lifecycle:ident {
            $(#[$archiving:meta])* $archive:ident
            $(#[$restoring:meta])* $restore:ident
            $(#[$deleting:meta])* $delete:ident
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, async_graphql::InputObject)]
        struct $input {
            $(#[$which])*
            id: $id,
            /// The version it is expected at; another one answers CONFLICT.
            expected_version: Option<i32>,
        }

        $crate::crm::lifecycle::payload! {
            $record, $id;
            $(#[$outcome])*
            $payload { $(#[$now])* $field }
        }

        $(#[$writing])*
        struct $lifecycle;

        #[async_graphql::Object]
        impl $lifecycle {
            $(#[$archiving])*
            async fn $archive(
                &self,
                ctx: &async_graphql::Context<'_>,
                input: $input,
            ) -> async_graphql::Result<$payload> {
                let $input { id, expected_version } = input;
                let outcome = $crate::crm::lifecycle::archive(ctx, (id, expected_version)).await;
                $payload::new(ctx, id, outcome).await
            }

            $(#[$restoring])*
            async fn $restore(
                &self,
                ctx: &async_graphql::Context<'_>,
                input: $input,
            ) -> async_graphql::Result<$payload> {
                let $input { id, expected_version } = input;
                let outcome = $crate::crm::lifecycle::restore(ctx, (id, expected_version)).await;
                $payload::new(ctx, id, outcome).await
            }

            $(#[$deleting])*
            async fn $delete(
                &self,
                ctx: &async_graphql::Context<'_>,
                input: $input,
            ) -> async_graphql::Result<$crate::graphql::DeletePayload> {
                let $input { id, expected_version } = input;
                $crate::crm::lifecycle::delete::<$record>(ctx, (id, expected_version)).await
            }
        }
    };
}

/// Declares what a change to a record came to.
macro_rules! payload {
    (
        $record:ty, $id:ty;
        $(#[$outcome:meta])*
        $payload:ident { $(#[$now:meta])* $field:ident }
    ) => {
        $(#[$outcome])*
        #[derive(async_graphql::SimpleObject)]
        struct $payload {
            $(#[$now])*
            $field: Option<std::sync::Arc<$record>>,
            /// What has to be mended; empty when the change was made.
            user_errors: Vec<$crate::graphql::UserError>,
        }

        impl $payload {
            /// Splits a change's outcome, see [`answer`]($crate::graphql::answer).
            async fn new(
                ctx: &async_graphql::Context<'_>,
                id: $id,
                outcome: $crate::base::error::Result<$record>,
            ) -> async_graphql::Result<Self> {
                let id = $crate::base::ids::Typed::uuid(id);
                let ($field, user_errors) = $crate::graphql::answer(ctx, id, outcome).await?;
                Ok(Self { $field, user_errors })
            }
        }
    };
}

pub(super) use {payload, record_lifecycle};

/// As [`entity::archive`].
pub(super) async fn archive<R: Entity>(
    ctx: &Context<'_>,
    (id, expected_version): (impl Typed, Option<i32>),
) -> Result<R> {
    let write = ctx
        .request()
        .write(async |tx| entity::archive(tx, id.uuid(), expected_version).await);
    write.await
}

/// As [`entity::restore`].
pub(super) async fn restore<R: Entity>(
    ctx: &Context<'_>,
    (id, expected_version): (impl Typed, Option<i32>),
) -> Result<R> {
    let write = ctx
        .request()
        .write(async |tx| entity::restore(tx, id.uuid(), expected_version).await);
    write.await
}

/// As [`entity::delete`].
pub(super) async fn delete<R: Entity>(
    ctx: &Context<'_>,
    (id, expected_version): (impl Typed + ToString, Option<i32>),
) -> async_graphql::Result<DeletePayload> {
    let write = ctx
        .request()
        .write(async |tx| entity::delete::<R>(tx, id.uuid(), expected_version).await);
    DeletePayload::new(id, write.await)
}
