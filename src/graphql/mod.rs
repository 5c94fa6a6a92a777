//! The kit that domains make their part of the schema from: connections, filters, orders, patches, payloads, batching
//! loaders, the projection of plain columns, and subscriptions.
//!
//! Nothing here knows a rule of the business or a domain. A resolver of a domain translates its arguments, calls one verb
//! of its domain and translates the answer.

mod can;
pub mod connection;
mod context;
mod errors;
pub mod filters;
mod loaders;
mod meter;
pub mod patch;
pub(crate) mod projection;
mod rate_limit;
pub mod scalars;
pub mod subscription;
mod written;

pub use can::RecordRights;
pub use connection::{Connection, ListArgs, Listing, page_request};
pub(crate) use connection::{Ends, ends};
pub(crate) use context::RequestParts;
pub use context::{ContextExt, RequestContext};
pub use errors::{DeletePayload, UserError, answer};
pub use filters::Filter;
pub use loaders::Batch;
pub use rate_limit::{Balances, RateLimit};
pub use written::Written;
