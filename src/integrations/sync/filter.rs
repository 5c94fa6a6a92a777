//! Runs in the schema: which ones are asked for, and in which order.

use async_graphql::InputObject;

use super::{SyncMode, SyncRunOrderField, SyncRunStatus};
use crate::{
    base::{
        error::Result,
        ids::{IntegrationId, SyncRunId},
        text::Form,
    },
    db::{Direction, OrderTerm, Predicate},
    graphql::{
        Filter,
        filters::{Conditions, DateTimeFilter, IdFilter, TextFilter, enum_filter, order_input},
    },
};

enum_filter! {
    /// Compares how far a run is.
    pub SyncRunStatusFilter(SyncRunStatus)
}

enum_filter! {
    /// Compares whether a run reads all records.
    pub SyncModeFilter(SyncMode)
}

/// Which runs.
#[derive(Debug, Default, InputObject)]
pub struct SyncRunFilter {
    /// All of these hold.
    and: Option<Vec<SyncRunFilter>>,
    /// At least one of these holds.
    or: Option<Vec<SyncRunFilter>>,
    /// This does not hold.
    not: Option<Box<SyncRunFilter>>,
    /// By id.
    id: Option<IdFilter>,
    /// By the account.
    integration_id: Option<IdFilter>,
    /// By the kind of records.
    kind: Option<TextFilter>,
    /// By whether all records were read.
    mode: Option<SyncModeFilter>,
    /// By how far they are.
    status: Option<SyncRunStatusFilter>,
    /// By when they began.
    started_at: Option<DateTimeFilter>,
}

impl Filter for SyncRunFilter {
    fn predicate(self) -> Result<Predicate> {
        let mut all = Conditions::default();
        all.id::<SyncRunId>("id", "sync_run_id", self.id)?;
        all.id::<IntegrationId>("integrationId", "integration_id", self.integration_id)?;
        all.text("kind", "kind", self.kind, Form::Line)?;
        all.enumeration("mode", "mode", self.mode)?;
        all.enumeration("status", "status", self.status)?;
        all.time("startedAt", "started_at", self.started_at)?;
        all.finish(self.and, self.or, self.not)
    }
}

order_input! {
    /// One criterion of the order of runs.
    pub SyncRunOrder(SyncRunOrderField), descending
}

pub(super) const NEWEST: OrderTerm<SyncRunOrderField> = OrderTerm {
    field: SyncRunOrderField::StartedAt,
    direction: Direction::Desc,
};
