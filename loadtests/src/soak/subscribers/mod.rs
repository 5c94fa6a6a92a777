//! Subscribers: clients that keep the cursor of what they received last, and come back with it to whichever server,
//! however they were cut off.

mod client;
mod line;
mod plan;
mod socket;
mod stream;
pub(crate) mod track;

pub(crate) use client::{Client, SharedState};
pub(crate) use plan::{clients, crowd};
pub(crate) use track::Track;
