//! What happens to accounts, as it happens.

use super::{Integration, IntegrationFilter};
use crate::crm::subscription::record_events;

record_events! {
    Integration, IntegrationFilter;

    /// Something that happened to an integration.
    IntegrationEvent {
        /// The integration as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        integration
    }

    /// Watching integrations.
    IntegrationSubscription {
        /// What happens to the integrations that meet the filter, from now on or from after a cursor: that one has to be
        /// authorised again, for example. For who holds `integrations:write`.
        integration_events
    }
}
