//! What operators of a server see of it and do to it.

mod collisions;
mod drain;
mod figures;
mod health;
mod metrics;
mod rolling;
mod slow;
