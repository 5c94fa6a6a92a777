//! What domains make their subscriptions from: what is watched, and the fields of every event.

mod mode;
mod record_event;
mod rows;
mod visibility;

pub(crate) use mode::{PlanSlot, ResolverMode, WatchPlan};
pub use mode::{ResolverStream, changes, presence, value, watch, watch_one, watched};
pub(crate) use record_event::Notification;
pub use record_event::{FieldChange, RecordEvent};
pub(crate) use rows::{Look, Looking};
pub use rows::{row, row_changes};
pub use visibility::AnyRecord;
