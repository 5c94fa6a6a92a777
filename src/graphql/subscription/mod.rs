//! What domains make their subscriptions from: what is watched, and what every event says.

mod sight;
mod told;
mod turn;

pub use sight::AnyRecord;
pub(crate) use told::Happening;
pub use told::{FieldChange, Told};
pub(crate) use turn::{Plan, Planned, Turn};
pub use turn::{Turns, changes, presence, value, watch, watch_one, watched};
