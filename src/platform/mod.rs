//! The infrastructure: telemetry, Redis, mail, other servers, and the accept loop.

pub mod mail;
pub mod outbound;
mod progress;
pub mod redis;
pub mod server;
pub mod standard_webhooks;
pub mod telemetry;
mod vault;

pub use progress::Progress;
pub use vault::{BadVaultKey, Vault};
