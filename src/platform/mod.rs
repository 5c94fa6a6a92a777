//! What the product stands on: configuration, telemetry, Redis, mail, and the accept loop.

pub mod config;
pub mod mail;
pub mod redis;
pub mod server;
pub mod telemetry;
