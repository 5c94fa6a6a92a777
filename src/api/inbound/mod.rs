//! What other services and pages send that is no GraphQL: webhooks. Each is read here, bounded, and handed to its domain.
//!
//! No cookie is read, and nothing here is asked with a token of ours.

mod hooks;

pub use hooks::router as hooks;
