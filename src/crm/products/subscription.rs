//! What happens to products, as it happens.

use super::{Product, ProductFilter};
use crate::crm::subscription::record_events;

record_events! {
    Product, ProductFilter;

    /// Something that happened to a product.
    ProductEvent {
        /// The product as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        product
    }

    /// Watching products.
    ProductSubscription {
        /// What happens to the products that meet the filter, from now on or from after a cursor.
        product_events
    }
}
