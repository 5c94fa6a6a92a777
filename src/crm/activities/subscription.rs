//! What happens to activities, as it happens.

use super::{Activity, ActivityFilter};
use crate::crm::subscription::record_events;

record_events! {
    Activity, ActivityFilter;

    /// Something that happened to an activity.
    ActivityEvent {
        /// The activity as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        activity
    }

    /// Watching activities.
    ActivitySubscription {
        /// What happens to the activities that you see and that meet the filter, from now on or from after a cursor.
        activity_events
    }
}
