//! Subscribers: clients that keep the cursor of what they were told last, and come back with it to whichever server,
//! however they were cut off.

mod client;
mod line;
mod plan;
mod socket;
mod stream;
pub(crate) mod track;

pub(crate) use client::{Client, Crowd};
pub(crate) use plan::clients;
pub(crate) use track::Track;
