//! `node(id)`: any object by its id, whose prefix tells the type.

use std::sync::Arc;

use async_graphql::{Context, ID, Interface, Object};
use futures_util::future::{BoxFuture, FutureExt as _};
use uuid::Uuid;

use crate::{
    base::{
        entities::entities,
        error::{Error, Result},
        ids::{self, JobId, Typed, UserId, WebhookDeliveryId},
    },
    crm,
    db::{Columns as _, Part, Registered as _, list::Record},
    graphql::ContextExt as _,
    graphql::subscription::AnyRecord,
    integrations,
    organization::{
        self,
        jobs::Job,
        members::{Member, User},
        tenants::{self, TenantSettings},
        webhooks::deliveries::WebhookDelivery,
    },
};

macro_rules! nodes {
    ($($section:ident { $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )* })*) => {
        /// An object with an id of its own.
        #[derive(Interface)]
        #[graphql(field(name = "id", ty = "ID", desc = "The id, as `<type>:<uuid>`."))]
        pub enum Node {
            $($( $(#[$doc])* $record(Arc<$layer::$domain::$record>), )*)*
            /// A person.
            User(User),
            /// A job.
            Job(Arc<Job>),
            /// Something that is sent to a server elsewhere.
            WebhookDelivery(Arc<WebhookDelivery>),
        }

        /// What the records of each kind declare of their columns: the kind, the table, the columns.
        pub const DECLARED: &[(&str, &str, &[Part])] = &[
            $($( (
                <$layer::$domain::$record>::KIND,
                <$layer::$domain::$record>::TABLE,
                <$layer::$domain::$record>::PARTS,
            ), )*)*
            (Member::KIND, Member::TABLE, Member::PARTS),
            (tenants::KIND, "tenants", TenantSettings::PARTS),
        ];

        /// The types of the schema whose objects are records, with what these declare of their columns.
        pub(super) const TYPES: &[(&str, &[Part])] = &[
            $($( (stringify!($record), <$layer::$domain::$record>::PARTS), )*)*
        ];

        /// Any object by its id; nothing when there is none that the actor may see.
        ///
        /// # Errors
        /// `INVALID_ID` when it is no id of an object.
        pub(crate) async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
            let (prefix, _) = id.split_once(':').unwrap_or_default();
            match prefix {
                $($( $prefix => Ok(load::<ids::$id, $layer::$domain::$record>(ctx, id).await?.map(Node::$record)), )*)*
                JobId::PREFIX => Ok(load::<JobId, Job>(ctx, id).await?.map(Node::Job)),
                WebhookDeliveryId::PREFIX => {
                    let found = load::<WebhookDeliveryId, WebhookDelivery>(ctx, id).await?;
                    Ok(found.map(Node::WebhookDelivery))
                }
                UserId::PREFIX => Ok(User::load(ctx, Some(read::<UserId>(id)?)).await?.map(Node::User)),
                _ => Err(Error::invalid(
                    "INVALID_ID",
                    "id",
                    "expected an id like opportunity:<uuid>",
                )),
            }
        }
    };
}
entities!(nodes);

/// Reading anything by its id.
#[derive(Default)]
pub(super) struct NodeQuery;

#[Object]
impl NodeQuery {
    /// Any object by its id; null when there is none that you may see.
    async fn node(&self, ctx: &Context<'_>, id: ID) -> Result<Option<Node>> {
        find(ctx, &id).await
    }
}

/// Finds records for the kit.
pub(super) struct Nodes;

impl AnyRecord for Nodes {
    fn is_seen<'c>(&self, ctx: &'c Context<'_>, id: &'c ID) -> BoxFuture<'c, Result<bool>> {
        async move { Ok(find(ctx, id).await?.is_some()) }.boxed()
    }

    fn parts(&self, kind: &str) -> Option<&'static [Part]> {
        parts(kind)
    }
}

/// What records of a kind declare of their columns.
pub(super) fn parts(kind: &str) -> Option<&'static [Part]> {
    let known = DECLARED.iter().find(|(known, ..)| *known == kind);
    known.map(|(.., parts)| *parts)
}

fn read<T: Typed>(id: &ID) -> Result<T> {
    ids::parse::<T>(id).map_err(|bad| Error::invalid("INVALID_ID", "id", bad.to_string()))
}

async fn load<T: Typed, R: Record>(ctx: &Context<'_>, id: &ID) -> Result<Option<Arc<R>>> {
    let id: Uuid = read::<T>(id)?.uuid();
    ctx.request().load(Some(id)).await
}
