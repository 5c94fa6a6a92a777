//! Products in the schema: what can be changed.

use std::sync::Arc;

use async_graphql::{Context, InputObject, MaybeUndefined, Object};

use super::{NewProduct, Product, ProductFields};
use crate::{
    access::Rights,
    base::{error::Result, ids::ProductId},
    crm::lifecycle::record_lifecycle,
    graphql::{
        ContextExt as _,
        patch::{patch, patch_money, patch_required, refuse_masked},
        scalars::MoneyInput,
    },
};

/// What can be written of a product beside what it is called. Leave a field out to keep it, send null to empty it.
#[derive(Debug, InputObject)]
struct ProductDetails {
    /// What one of it costs.
    unit_price: MaybeUndefined<MoneyInput>,
    /// Notes on the product.
    description: MaybeUndefined<String>,
}

impl ProductDetails {
    fn write_to(self, fields: &mut ProductFields, rights: &Rights) -> Result<()> {
        let amounts = ProductFields::UNIT_PRICE_MINOR;
        refuse_masked(rights, amounts, &self.unit_price, "unitPrice")?;
        patch_money(
            self.unit_price,
            "unitPrice",
            (
                &mut fields.unit_price_minor,
                &mut fields.unit_price_currency,
            ),
        )?;
        patch(self.description, &mut fields.description);
        Ok(())
    }
}

/// A product to be created.
#[derive(Debug, InputObject)]
struct ProductCreateInput {
    /// Your own id for it (`product:<uuid>`, best a version 7): sending the same twice creates it once.
    id: Option<ProductId>,
    /// What it is called.
    name: String,
    /// What it is listed under; TAKEN when another product has it, in whatever case.
    code: String,
    /// Whether it can be sold.
    #[graphql(default = true)]
    active: bool,
    #[graphql(flatten)]
    details: ProductDetails,
}

/// A change to a product.
#[derive(Debug, InputObject)]
struct ProductUpdateInput {
    /// Which product.
    id: ProductId,
    /// The version that the change was made for; another one answers CONFLICT.
    expected_version: Option<i32>,
    /// What it is called.
    name: Option<String>,
    /// What it is listed under; TAKEN when another product has it, in whatever case.
    code: Option<String>,
    /// Whether it can be sold.
    active: Option<bool>,
    #[graphql(flatten)]
    details: ProductDetails,
}

record_lifecycle! {
    Product, ProductId;

    /// Names a product, and the version it is expected at.
    ProductRefInput {
        /// Which product.
        id
    }

    /// What a change to a product came to.
    ProductPayload {
        /// The product after the change; after a CONFLICT as it is now; null when the change was refused.
        product
    }

    /// Archiving and deleting products.
    ProductLifecycle {
        /// Archives a product. Its code stays taken.
        product_archive
        /// Restores a product from the archive.
        product_restore
        /// Deletes a product for good.
        product_delete
    }
}

/// Writing products; for admins.
#[derive(Default)]
pub struct ProductMutation;

#[Object]
impl ProductMutation {
    /// Creates a product.
    async fn product_create(
        &self,
        ctx: &Context<'_>,
        input: ProductCreateInput,
    ) -> async_graphql::Result<ProductPayload> {
        let ProductCreateInput {
            id,
            name,
            code,
            active,
            details,
        } = input;
        let id = id.unwrap_or_default();
        let outcome = ctx.request().write(async |tx| {
            let mut fields = ProductFields {
                active,
                ..ProductFields::new(name, code)
            };
            details.write_to(&mut fields, &tx.actor().rights)?;
            super::create(
                tx,
                NewProduct {
                    id,
                    fields,
                    created_at: None,
                },
            )
            .await
        });
        ProductPayload::new(ctx, id, outcome.await).await
    }

    /// Changes a product.
    async fn product_update(
        &self,
        ctx: &Context<'_>,
        input: ProductUpdateInput,
    ) -> async_graphql::Result<ProductPayload> {
        let ProductUpdateInput {
            id,
            expected_version,
            name,
            code,
            active,
            details,
        } = input;
        let outcome = ctx.request().write(async |tx| {
            let rights = Arc::clone(&tx.actor().rights);
            super::update(tx, (id, expected_version), |fields| {
                patch_required(name, &mut fields.name);
                patch_required(code, &mut fields.code);
                patch_required(active, &mut fields.active);
                details.write_to(fields, &rights)
            })
            .await
        });
        ProductPayload::new(ctx, id, outcome.await).await
    }

    #[graphql(flatten)]
    async fn lifecycle(&self) -> ProductLifecycle {
        ProductLifecycle
    }
}
