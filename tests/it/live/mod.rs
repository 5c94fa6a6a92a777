//! Subscriptions: every subscriber sees every change that it may see, once, in order.

mod events;
mod returns;
pub(crate) mod socket;

pub(crate) use socket::Socket;
