//! What is known of a submission.

use std::collections::HashMap;

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use serde_json::Value as Json;
use uuid::Uuid;

use super::store;
use crate::{
    base::{
        error::Result,
        ids::{LeadFormSubmissionId, Typed as _},
    },
    db::{ReadTx, list::Record},
    graphql::Batch,
};

/// What was posted to a form, and what it came to.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[unread(extra, secret)]
pub struct LeadFormSubmission {
    #[sqlx(rename = "lead_form_submission_id")]
    pub(super) id: LeadFormSubmissionId,
    pub(super) lead_form_id: Uuid,
    pub(super) outcome: SubmissionOutcome,
    pub(super) reason_code: Option<String>,
    pub(super) reason_field: Option<String>,
    pub(super) lead_id: Option<Uuid>,
    #[column(long)]
    pub(super) consent_text: Option<String>,
    pub(super) consent_version: Option<String>,
    #[column(personal)]
    pub(super) page_url: Option<String>,
    #[column(personal)]
    pub(super) address: Option<String>,
    pub(super) submitted_at: DateTime<Utc>,
}

/// What a submission came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SubmissionOutcome {
    /// A lead came about.
    Created,
    /// It was added to a lead.
    Updated,
    /// It was a program's: a field was filled in that people don't see.
    Spam,
    /// It was not taken; the reason says why.
    Refused,
}

/// What submissions can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = LeadFormSubmission)]
pub enum LeadFormSubmissionOrderField {
    /// When it was submitted.
    #[order(time = self.submitted_at)]
    SubmittedAt,
}

impl Record for LeadFormSubmission {
    const ARCHIVES: bool = false;
    type Order = LeadFormSubmissionOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

/// What was posted beside the fields that are mapped.
pub(super) struct Extras;

impl Batch for Extras {
    type Value = Json;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Json>> {
        store::extras(tx, keys).await
    }
}
