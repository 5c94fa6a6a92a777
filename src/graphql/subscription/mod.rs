//! What domains make their subscriptions from: what is watched, and what every event says.

mod mode;
mod record_event;
mod visibility;

pub(crate) use mode::{Plan, Planned, Turn};
pub use mode::{Turns, changes, presence, value, watch, watch_one, watched};
pub(crate) use record_event::Happening;
pub use record_event::{FieldChange, Told};
pub use visibility::AnyRecord;
