//! A service elsewhere that has people: a sample of what providers are written for, with a real server in this process.
//! It takes OAuth 2.0 with PKCE, gives refresh tokens that are good once, pages what it has by cursor, wants pauses, knows
//! idempotency keys, and forgets how far it was read, all as tests want it.

mod plain;
mod provider;
mod server;

pub(crate) use plain::Plain;
pub(crate) use provider::RolodexProvider;
pub(crate) use server::Rolodex;
