//! What happens to companies, as it happens.

use super::{Company, CompanyFilter};
use crate::crm::subscription::record_events;

record_events! {
    Company, CompanyFilter;

    /// Something that happened to a company.
    CompanyEvent {
        /// The company as it is now; null when it is gone or not in your sight, and when `kind` is `SYNCED`.
        company
    }

    /// Watching companies.
    CompanySubscription {
        /// What happens to the companies that you see and that meet the filter, from now on or from after a cursor.
        company_events
    }
}
