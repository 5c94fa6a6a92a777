//! Products: the catalogue of what a tenant sells.
//!
//! Nobody owns a product. Who may read deals sees all of them, and an admin changes them.

mod filter;
mod graphql;
mod model;
mod mutation;
mod projection;
mod subscription;

pub use filter::ProductFilter;
pub use graphql::ProductQuery as Query;
pub use model::{NewProduct, Product, ProductFields, ProductOrderField};
pub use mutation::ProductMutation as Mutation;
pub use subscription::{ProductEvent, ProductSubscription as Subscription};

use crate::{
    base::{
        error::Result,
        ids::{ProductId, Typed as _},
    },
    db::{Tx, journal::EventKind, list},
    entity::{self, Stamps},
};

/// Creates products, all or none. One that brings an id which exists already is refused.
///
/// # Errors
/// What [`ProductFields::check`] refuses; `TAKEN` for a code in use; `FORBIDDEN` for anybody but an admin.
pub async fn create_many(tx: &mut Tx, new: Vec<NewProduct>) -> Result<Vec<Product>> {
    let mut products = Vec::with_capacity(new.len());
    for NewProduct {
        id,
        mut fields,
        created_at,
    } in new
    {
        fields.check()?;
        products.push(Product {
            id,
            fields,
            visible_to: String::new(),
            stamps: Stamps::new(tx, created_at),
        });
    }
    let created = entity::insert(tx, &products).await?;
    for product in &created {
        entity::emit_created(tx, product, &product.fields);
    }
    Ok(created)
}

/// Creates a product. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// As [`create_many`].
pub async fn create(tx: &mut Tx, new: NewProduct) -> Result<Product> {
    match list::find(tx, new.id.uuid()).await? {
        Some(existing) => Ok(existing),
        None => Ok(create_many(tx, vec![new]).await?.remove(0)),
    }
}

/// Changes a product.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `TAKEN`, and what `change` and [`ProductFields::check`] refuse.
pub async fn update(
    tx: &mut Tx,
    product: (ProductId, Option<i32>),
    change: impl FnOnce(&mut ProductFields) -> Result<()>,
) -> Result<Product> {
    entity::change::<Product>(tx, product, EventKind::Updated, async |_, product| {
        change(&mut product.fields)?;
        product.fields.check()
    })
    .await
}
