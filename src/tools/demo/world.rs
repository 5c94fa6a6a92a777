//! What the invention of a tenant's records starts from.

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::names::Names;
use crate::{base::ids::UserId, data::import::Ids, entity::Ownership};

/// One tenant's surroundings.
pub(super) struct World {
    pub(super) ids: Ids,
    /// The instant of loading; what is still to be done lies around it.
    pub(super) now: DateTime<Utc>,
    pub(super) names: &'static Names,
    pub(super) currency: &'static str,
    /// Who sells.
    pub(super) reps: Vec<UserId>,
}

impl World {
    pub(super) fn today(&self) -> NaiveDate {
        self.now.date_naive()
    }

    /// The date so many days from today; before it when negative.
    pub(super) fn day(&self, days: i64) -> NaiveDate {
        shifted(self.today(), days)
    }
}

/// The date so many days after another; before it when negative.
pub(super) fn shifted(date: NaiveDate, days: i64) -> NaiveDate {
    let by = Days::new(days.unsigned_abs());
    let shifted = if days < 0 {
        date.checked_sub_days(by)
    } else {
        date.checked_add_days(by)
    };
    shifted.unwrap_or(date)
}

/// A record's belonging to a person; the team follows from the person.
pub(super) fn owned_by(owner_id: Option<UserId>) -> Ownership {
    Ownership {
        owner_id,
        team_path: None,
    }
}
