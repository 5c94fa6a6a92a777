//! All SQL that only forms and their submissions need.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value as Json;
use uuid::Uuid;

use super::submission::SubmissionOutcome;
use crate::{
    base::{
        error::Result,
        ids::{LeadFormId, LeadFormSubmissionId, LeadId},
    },
    db::{ReadTx, Sql, Tx},
};

/// A submission as it is stored.
#[derive(Debug)]
pub(super) struct NewSubmission {
    pub(super) form: LeadFormId,
    pub(super) outcome: SubmissionOutcome,
    pub(super) reason: Option<(&'static str, Option<String>)>,
    pub(super) lead: Option<LeadId>,
    pub(super) consent: Option<(String, Option<String>)>,
    pub(super) page_url: Option<String>,
    pub(super) address: Option<String>,
    pub(super) extra: Json,
}

/// How the tenant stands, as it says itself.
pub(super) async fn standing(tx: &mut ReadTx) -> Result<Option<String>> {
    let sql = Sql::new("SELECT t.status FROM tenants t WHERE t.tenant_id = ").bind(tx.tenant());
    Ok(tx.column(sql).await?.pop())
}

/// Has others wait who submit the same address, so that of two at once one finds what the other made.
pub(super) async fn lock_address(tx: &mut Tx, email: &str) -> Result<()> {
    let key = format!("lead form {} {email}", tx.tenant());
    let sql = Sql::new("SELECT pg_advisory_xact_lock(hashtextextended(").bind(key);
    tx.execute(sql.push(", 0))")).await?;
    Ok(())
}

/// The latest lead with an address that is open.
pub(super) async fn open_lead(tx: &mut Tx, email: &str) -> Result<Option<LeadId>> {
    let sql = Sql::new("SELECT l.lead_id FROM leads l WHERE l.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND l.email_normalized = ")
        .bind(email.to_owned())
        .push(
            " AND l.status NOT IN ('CONVERTED', 'UNQUALIFIED') AND l.archived_at IS NULL \
             ORDER BY l.created_at DESC, l.lead_id DESC LIMIT 1",
        );
    Ok(tx.column(sql).await?.pop())
}

pub(super) async fn insert(tx: &mut Tx, new: NewSubmission) -> Result<()> {
    let sql = Sql::new(
        "INSERT INTO lead_form_submissions (tenant_id, lead_form_submission_id, lead_form_id, outcome, reason_code, \
         reason_field, lead_id, consent_text, consent_version, page_url, address, extra, submitted_at) VALUES ",
    );
    let (tenant, now) = (tx.tenant(), tx.now());
    let (code, field) = new.reason.unzip();
    let (text, version) = new.consent.unzip();
    let sql = sql.row(|mut row| {
        row.bind(tenant)
            .bind(LeadFormSubmissionId::new())
            .bind(new.form)
            .bind(new.outcome)
            .bind(code)
            .bind(field.flatten())
            .bind(new.lead)
            .bind(text)
            .bind(version.flatten())
            .bind(new.page_url)
            .bind(new.address)
            .bind(new.extra)
            .bind(now);
    });
    tx.execute(sql).await?;
    Ok(())
}

/// Forgets some submissions before an instant that came to nothing; how many, and whether there are others of that kind.
pub(super) async fn forget(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<(u64, bool)> {
    let sql = Sql::new("DELETE FROM lead_form_submissions s WHERE s.tenant_id = ")
        .bind(tx.tenant())
        .push(
            " AND s.lead_form_submission_id IN (SELECT o.lead_form_submission_id FROM lead_form_submissions o \
             WHERE o.tenant_id = ",
        )
        .bind(tx.tenant())
        .push(" AND o.outcome IN ('SPAM', 'REFUSED') AND o.submitted_at < ")
        .bind(before)
        .push(" ORDER BY o.submitted_at LIMIT ")
        .bind(most)
        .push(")");
    let forgotten = tx.execute(sql).await?;
    let sql = Sql::new("SELECT 1 FROM lead_form_submissions s WHERE s.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND s.outcome IN ('SPAM', 'REFUSED') LIMIT 1");
    let rest: Vec<i32> = tx.column(sql).await?;
    Ok((forgotten, !rest.is_empty()))
}

/// What was posted beside the fields that are mapped.
pub(super) async fn extras(tx: &mut ReadTx, ids: &[Uuid]) -> Result<HashMap<Uuid, Json>> {
    let sql = Sql::new(
        "SELECT s.lead_form_submission_id, s.extra FROM lead_form_submissions s WHERE s.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND s.lead_form_submission_id = ANY(")
    .bind(ids.to_vec())
    .push(")");
    let extras: Vec<(Uuid, Json)> = tx.all(sql).await?;
    Ok(extras.into_iter().collect())
}
