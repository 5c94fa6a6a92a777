//! What happens to leads, as it happens.

use super::{Lead, LeadFilter};
use crate::crm::subscription::record_events;

record_events! {
    Lead, LeadFilter;

    /// Something that happened to a lead.
    LeadEvent {
        /// The lead as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        lead
    }

    /// Watching leads.
    LeadSubscription {
        /// What happens to the leads that you see and that meet the filter, from now on or from after a cursor.
        lead_events
    }
}
