//! Subscriptions: every subscriber sees every change that it may see, once, in order.

mod events;
pub(crate) mod socket;

pub(crate) use socket::Socket;
