//! Products in the schema: what can be read.

use async_graphql::{Context, Object};
use chrono::{DateTime, Utc};
use dealgraph_derive::connection_args;

use super::{
    Product, ProductFields,
    filter::{ProductFilter, ProductOrder, USUAL_ORDER},
    projection::SHAPE,
};
use crate::{
    base::{
        error::Result,
        ids::{ProductId, Typed as _},
    },
    entity::Stamps,
    graphql::{
        Connection, ContextExt as _, ListArgs, RecordRights,
        projection::{self, Found},
        scalars::Money,
    },
};

/// Something that the tenant sells.
#[Object]
impl Product {
    /// The id, as `product:<uuid>`.
    pub async fn id(&self) -> ProductId {
        self.id
    }

    #[graphql(flatten)]
    async fn fields(&self) -> &ProductFields {
        &self.fields
    }

    /// What one of it costs.
    async fn unit_price(&self, ctx: &Context<'_>) -> Option<Money> {
        let price = self.fields.unit_price().map(Money::from);
        ctx.request()
            .unless_masked(ProductFields::UNIT_PRICE_MINOR, price)
    }

    /// What you may do with it.
    async fn can(&self, ctx: &Context<'_>) -> RecordRights {
        RecordRights::on(ctx.request(), self)
    }

    /// When it was archived; lists leave archived products out.
    async fn archived_at(&self) -> Option<DateTime<Utc>> {
        self.stamps.archived_at
    }

    #[graphql(flatten)]
    async fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    /// When it last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.stamps.updated_at
    }
}

/// Reading products.
#[derive(Default)]
pub struct ProductQuery;

#[connection_args]
#[Object]
impl ProductQuery {
    /// A product by its id; null when there is none that you may see.
    async fn product(&self, ctx: &Context<'_>, id: ProductId) -> Result<Option<Found<Product>>> {
        projection::find(ctx, &SHAPE, id.uuid()).await
    }

    /// Products, the newest first unless ordered otherwise.
    async fn products(
        &self,
        ctx: &Context<'_>,
        args: ListArgs<ProductFilter, ProductOrder>,
    ) -> Result<Connection<Product>> {
        let query = args.query(ctx.request().actor().tenant, USUAL_ORDER)?;
        projection::list(ctx, &SHAPE, query).await
    }
}
