//! All SQL that only deals need.

pub(super) mod board;

use uuid::Uuid;

use super::{
    history::StageChange,
    model::{DealContact, DealUser, Opportunity},
};
use crate::{
    base::{
        error::Result,
        ids::{ContactId, OpportunityId, UserId},
    },
    crm::pipelines::Stage,
    db::{Columns as _, Sql, Tx, rows_per_statement},
    entity::IdPage,
};

/// Appends stage history rows.
pub(super) async fn insert_history(tx: &mut Tx, rows: Vec<StageChange>) -> Result<()> {
    let tenant = tx.tenant();
    for chunk in rows.chunks(rows_per_statement(14)) {
        let sql = Sql::new(
            "INSERT INTO opportunity_stage_history (tenant_id, stage_change_id, opportunity_id, from_stage_id, \
             to_stage_id, from_status, to_status, amount_minor, amount_currency, probability, stood_seconds, \
             changed_at, changed_by, visible_to)",
        );
        let sql = sql.rows(chunk, |mut row, change| {
            let (from_stage, from_status) = change.from.unzip();
            row.bind(tenant)
                .bind(change.id)
                .bind(change.opportunity_id)
                .bind(from_stage)
                .bind(change.to.0)
                .bind(from_status)
                .bind(change.to.1)
                .bind(change.amount.0)
                .bind(change.amount.1.clone())
                .bind(change.probability)
                .bind(change.stood_seconds)
                .bind(change.changed_at)
                .bind(change.changed_by.clone())
                .bind(change.visible_to.clone());
        });
        tx.execute(sql).await?;
    }
    Ok(())
}

pub(super) async fn insert_contacts<'a>(
    tx: &mut Tx,
    deals: Vec<(&'a Opportunity, &'a [DealContact])>,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let rows = pairs(deals);
    for chunk in rows.chunks(rows_per_statement(6)) {
        let sql = Sql::new(
            "INSERT INTO opportunity_contacts (tenant_id, opportunity_id, contact_id, role, visible_to, created_at)",
        );
        let sql = sql.rows(chunk, |mut row, (deal, contact)| {
            row.bind(tenant)
                .bind(deal.id)
                .bind(contact.contact_id)
                .bind(contact.role.clone())
                .bind(deal.visible_to.clone())
                .bind(now);
        });
        tx.execute(sql.push(" ON CONFLICT (tenant_id, opportunity_id, contact_id) DO NOTHING"))
            .await?;
    }
    Ok(())
}

pub(super) async fn include_contact(
    tx: &mut Tx,
    deal: &Opportunity,
    contact_id: ContactId,
) -> Result<()> {
    let contact = [DealContact {
        contact_id,
        role: None,
    }];
    insert_contacts(tx, vec![(deal, contact.as_slice())]).await
}

pub(super) async fn delete_contacts(tx: &mut Tx, id: OpportunityId) -> Result<()> {
    let sql = Sql::new("DELETE FROM opportunity_contacts WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND opportunity_id = ")
        .bind(id);
    tx.execute(sql).await?;
    Ok(())
}

pub(super) async fn insert_users<'a>(
    tx: &mut Tx,
    deals: Vec<(&'a Opportunity, &'a [DealUser])>,
) -> Result<()> {
    let (tenant, now) = (tx.tenant(), tx.now());
    let rows = pairs(deals);
    for chunk in rows.chunks(rows_per_statement(6)) {
        let sql = Sql::new(
            "INSERT INTO opportunity_users (tenant_id, opportunity_id, user_id, role, visible_to, created_at)",
        );
        let sql = sql.rows(chunk, |mut row, (deal, user)| {
            row.bind(tenant)
                .bind(deal.id)
                .bind(user.user_id)
                .bind(user.role.clone())
                .bind(deal.visible_to.clone())
                .bind(now);
        });
        tx.execute(sql).await?;
    }
    Ok(())
}

pub(super) async fn delete_users(tx: &mut Tx, id: OpportunityId) -> Result<()> {
    let sql = Sql::new("DELETE FROM opportunity_users WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND opportunity_id = ")
        .bind(id);
    tx.execute(sql).await?;
    Ok(())
}

/// The people added to a deal.
pub(super) async fn users_of(tx: &mut Tx, id: OpportunityId) -> Result<Vec<DealUser>> {
    let sql = Sql::new("SELECT user_id, role FROM opportunity_users WHERE tenant_id = ")
        .bind(tx.tenant())
        .push(" AND opportunity_id = ")
        .bind(id)
        .push(" ORDER BY user_id");
    let rows = tx.all::<(UserId, Option<String>)>(sql).await?;
    Ok(rows
        .into_iter()
        .map(|(user_id, role)| DealUser { user_id, role })
        .collect())
}

/// The next deals that a person owns, acts next in, or was added to.
pub(super) async fn of_person(tx: &mut Tx, person: UserId, page: IdPage) -> Result<Vec<Uuid>> {
    let sql = Sql::new("SELECT t.opportunity_id FROM opportunities t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.owner_id = ")
        .bind(person)
        .push(" AND t.opportunity_id > ")
        .bind(page.after)
        .push(" UNION SELECT a.opportunity_id FROM opportunities a WHERE a.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND a.next_action_owner_id = ")
        .bind(person)
        .push(" AND a.opportunity_id > ")
        .bind(page.after)
        .push(" UNION SELECT u.opportunity_id FROM opportunity_users u WHERE u.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND u.user_id = ")
        .bind(person)
        .push(" AND u.opportunity_id > ")
        .bind(page.after);
    tx.column(sql.push(" ORDER BY 1 LIMIT ").bind(page.limit))
        .await
}

fn pairs<'a, T>(deals: Vec<(&'a Opportunity, &'a [T])>) -> Vec<(&'a Opportunity, &'a T)> {
    deals
        .into_iter()
        .flat_map(|(deal, parts)| parts.iter().map(move |part| (deal, part)))
        .collect()
}

/// Lets the parts of a deal follow who sees it.
pub(super) async fn follow(tx: &mut Tx, deal: &Opportunity) -> Result<()> {
    for head in [
        "UPDATE opportunity_contacts SET visible_to = ",
        "UPDATE opportunity_users SET visible_to = ",
        "UPDATE opportunity_stage_history SET visible_to = ",
    ] {
        let sql = Sql::new(head)
            .bind(deal.visible_to.clone())
            .push(" WHERE tenant_id = ")
            .bind(tx.tenant())
            .push(" AND opportunity_id = ")
            .bind(deal.id);
        tx.execute(sql).await?;
    }
    Ok(())
}

/// The open stage that a deal stood in last.
pub(super) async fn last_open_stage(tx: &mut Tx, id: OpportunityId) -> Result<Option<Stage>> {
    let sql = Sql::new("SELECT ")
        .push(Stage::select())
        .push(" FROM opportunity_stage_history h JOIN stages t ON t.stage_id = h.to_stage_id AND t.tenant_id = ")
        .bind(tx.tenant())
        .push(" WHERE t.kind = 'OPEN' AND h.to_status = 'OPEN' AND h.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND h.opportunity_id = ")
        .bind(id)
        .push(" ORDER BY h.changed_at DESC, h.stage_change_id DESC LIMIT 1");
    tx.optional(sql).await
}
