//! All SQL that only leads need.

use super::model::Lead;
use crate::{
    base::{
        error::{Error, Result},
        text::normalize,
    },
    db::{Sql, Tx, list::Record as _, rows_per_statement},
};

const COLUMNS: usize = 27;

pub(super) async fn insert(tx: &mut Tx, leads: Vec<Lead>) -> Result<Vec<Lead>> {
    let tenant = tx.tenant();
    let mut created = Vec::with_capacity(leads.len());
    for chunk in leads.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO leads AS t (tenant_id, lead_id, first_name, last_name, name_normalized, email, \
             email_normalized, phone, company_name, title, status, unqualified_reason, source, notes, \
             estimated_amount_minor, estimated_amount_currency, next_action_at, next_action_details, \
             last_activity_at, tags, owner_id, team_path, created_at, created_by, updated_at, updated_by, version)",
        );
        let sql = sql.rows(
            chunk,
            |mut row,
             Lead {
                 id,
                 fields: f,
                 stamps: s,
                 ..
             }| {
                row.bind(tenant)
                    .bind(*id)
                    .bind(f.first_name.clone())
                    .bind(f.last_name.clone())
                    .bind(normalize(&f.sorted_name()))
                    .bind(f.email.clone())
                    .bind(f.email_normalized())
                    .bind(f.phone.clone())
                    .bind(f.company_name.clone())
                    .bind(f.title.clone())
                    .bind(f.status)
                    .bind(f.unqualified_reason.clone())
                    .bind(f.source.clone())
                    .bind(f.notes.clone())
                    .bind(f.estimated_amount_minor)
                    .bind(f.estimated_amount_currency.clone())
                    .bind(f.next_action_at)
                    .bind(f.next_action_details.clone())
                    .bind(f.last_activity_at)
                    .bind(f.tags.clone())
                    .bind(f.ownership.owner_id)
                    .bind(f.ownership.team_path.clone())
                    .bind(s.created_at)
                    .bind(s.created_by.clone())
                    .bind(s.updated_at)
                    .bind(s.updated_by.clone())
                    .bind(s.version);
            },
        );
        created.extend(
            tx.all::<Lead>(sql.push(" RETURNING ").push(Lead::COLUMNS))
                .await?,
        );
    }
    Ok(created)
}

/// Writes all but `last_activity_at`, which belongs to activities.
pub(super) async fn update(
    tx: &mut Tx,
    Lead {
        id,
        fields: f,
        stamps: s,
        ..
    }: &Lead,
) -> Result<Lead> {
    let sql = Sql::new("UPDATE leads t SET first_name = ")
        .bind(f.first_name.clone())
        .push(", last_name = ")
        .bind(f.last_name.clone())
        .push(", name_normalized = ")
        .bind(normalize(&f.sorted_name()))
        .push(", email = ")
        .bind(f.email.clone())
        .push(", email_normalized = ")
        .bind(f.email_normalized())
        .push(", phone = ")
        .bind(f.phone.clone())
        .push(", company_name = ")
        .bind(f.company_name.clone())
        .push(", title = ")
        .bind(f.title.clone())
        .push(", status = ")
        .bind(f.status)
        .push(", unqualified_reason = ")
        .bind(f.unqualified_reason.clone())
        .push(", source = ")
        .bind(f.source.clone())
        .push(", notes = ")
        .bind(f.notes.clone())
        .push(", estimated_amount_minor = ")
        .bind(f.estimated_amount_minor)
        .push(", estimated_amount_currency = ")
        .bind(f.estimated_amount_currency.clone())
        .push(", next_action_at = ")
        .bind(f.next_action_at)
        .push(", next_action_details = ")
        .bind(f.next_action_details.clone())
        .push(", tags = ")
        .bind(f.tags.clone())
        .push(", owner_id = ")
        .bind(f.ownership.owner_id)
        .push(", team_path = ")
        .bind(f.ownership.team_path.clone())
        .push(", updated_at = ")
        .bind(s.updated_at)
        .push(", updated_by = ")
        .bind(s.updated_by.clone())
        .push(", version = ")
        .bind(s.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.lead_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(Lead::COLUMNS);
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this lead"))
}
