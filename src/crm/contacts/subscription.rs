//! What happens to contacts, as it happens.

use super::{Contact, ContactFilter};
use crate::crm::subscription::record_events;

record_events! {
    Contact, ContactFilter;

    /// Something that happened to a contact.
    ContactEvent {
        /// The contact as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        contact
    }

    /// Watching contacts.
    ContactSubscription {
        /// What happens to the contacts that you see and that meet the filter, from now on or from after a cursor.
        contact_events
    }
}
