//! The infrastructure: telemetry, Redis, mail, and the accept loop.

pub(crate) mod fetch;
pub mod mail;
mod progress;
pub mod redis;
pub mod server;
pub mod telemetry;
mod vault;

pub use progress::Progress;
pub use vault::{BadVaultKey, Vault};
