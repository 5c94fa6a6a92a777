//! `dealgraph dev`: everything on one machine with one command, and nothing left behind.
//!
//! A private Postgres and a private Redis under a data folder, the demo tenants, the server and the explorer.
//! The tests use the same clusters.

mod account;
pub mod datadir;
pub mod error;
mod hook;
mod layout;
mod leftover;
mod lock;
mod log;
mod path;
mod people;
pub mod pgbouncer;
pub mod postgres;
mod process;
pub mod redis;
mod run;
mod token;

pub use error::DevError;
pub use run::{DevOptions, Failure, run};
pub use token::{connect, connect_as_owner, encryption_keys, token, token_settings, vault};
