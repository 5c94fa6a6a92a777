//! What other services and pages send that is no GraphQL: webhooks, and what is posted to forms. Each is read here, bounded,
//! and handed to its domain.
//!
//! No cookie is read, and nothing here is asked with a token of ours.

mod capture;
mod hooks;

pub use capture::router as capture;
pub use hooks::router as hooks;
