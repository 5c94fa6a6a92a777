//! The defaults of the libraries below that fail, each reproduced once and refused here for good.
//!
//! What a client can send goes to the real binary in a process of its own; the clocks of connections are proven in this
//! process, where they can be short. Two of the thirteen have their place elsewhere: a BEGIN that is cancelled (pool),
//! and operators that no index serves under row-level security (explain). Two are choices of packages.

pub(crate) mod child;
mod clocks;
mod documents;
mod notify;
pub(crate) mod served;
mod transport;
