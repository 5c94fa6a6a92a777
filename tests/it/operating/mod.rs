//! What operators of a server see of it and do to it.

mod drain;
mod figures;
mod health;
mod metrics;
