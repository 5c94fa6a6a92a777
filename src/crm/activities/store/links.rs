//! The links between activities and what they are about.
//!
//! A link carries its activity's time, so that a record's latest activities are one index range, and who sees the
//! activity, because a policy may not look elsewhere.

use std::collections::HashMap;

use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{ActivityId, CompanyId, ContactId, LeadId, OpportunityId},
    },
    crm::activities::{
        model::Activity,
        target::{Link, Links, Target},
    },
    db::{ReadTx, Sql, Tx, rows_per_statement},
};

const COLUMNS: usize = 9;

type LinkRow = (
    ActivityId,
    Option<CompanyId>,
    Option<ContactId>,
    Option<LeadId>,
    Option<OpportunityId>,
    String,
);

/// The links of activities, in the order of the targets' ids.
pub(in crate::crm::activities) async fn links_of(
    tx: &mut ReadTx,
    activities: &[Uuid],
) -> Result<Links> {
    let sql = Sql::new(
        "SELECT l.activity_id, l.company_id, l.contact_id, l.lead_id, l.opportunity_id, l.target_visible_to \
         FROM activity_targets l WHERE l.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND l.activity_id")
    .one_of(activities)
    .push(" ORDER BY l.activity_id, l.target_id");
    let mut links = Links::with_capacity(activities.len());
    for (activity, company, contact, lead, opportunity, visible_to) in
        tx.all::<LinkRow>(sql).await?
    {
        let target = company
            .map(Target::Company)
            .or(contact.map(Target::Contact))
            .or(lead.map(Target::Lead))
            .or(opportunity.map(Target::Opportunity));
        // A constraint says that exactly one of them is set.
        let Some(target) = target else { continue };
        links
            .entry(activity)
            .or_default()
            .push(Link { target, visible_to });
    }
    Ok(links)
}

/// Adds links to activities that stand.
pub(in crate::crm::activities) async fn insert_links<'a>(
    tx: &mut Tx,
    activities: Vec<(&'a Activity, &'a [Link])>,
) -> Result<()> {
    let tenant = tx.tenant();
    let mut links = Vec::with_capacity(activities.len());
    for (activity, about) in activities {
        links.extend(about.iter().map(|link| (activity, link)));
    }
    for chunk in links.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO activity_targets (tenant_id, activity_id, company_id, contact_id, lead_id, opportunity_id, \
             occurred_at, target_visible_to, visible_to)",
        );
        tx.execute(
            sql.rows(chunk, |mut row, (activity, Link { target, visible_to })| {
                let id = |own: &str| (column(*target) == own).then(|| target.uuid());
                row.bind(tenant)
                    .bind(activity.id)
                    .bind(id("company_id"))
                    .bind(id("contact_id"))
                    .bind(id("lead_id"))
                    .bind(id("opportunity_id"))
                    .bind(activity.occurred_at)
                    .bind(visible_to.clone())
                    .bind(activity.visible_to.clone());
            }),
        )
        .await?;
    }
    Ok(())
}

/// Brings the links of a changed activity from the old ones to its own, with its time and who sees it.
pub(in crate::crm::activities) async fn relink(
    tx: &mut Tx,
    activity: &Activity,
    old: &[Link],
) -> Result<()> {
    let new = &activity.links;
    let only_in = |these: &[Link], others: &[Link]| -> Vec<Link> {
        these
            .iter()
            .filter(|link| others.iter().all(|other| other.target != link.target))
            .cloned()
            .collect()
    };
    let (gone, added) = (only_in(old, new), only_in(new, old));
    if !gone.is_empty() {
        let gone: Vec<Uuid> = gone.iter().map(|link| link.target.uuid()).collect();
        let sql = Sql::new("DELETE FROM activity_targets l WHERE l.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND l.activity_id = ")
            .bind(activity.id)
            .push(" AND l.target_id")
            .one_of(&gone);
        tx.execute(sql).await?;
    }
    if old.len() > gone.len() {
        let sql = Sql::new("UPDATE activity_targets l SET occurred_at = ")
            .bind(activity.occurred_at)
            .push(", visible_to = ")
            .bind(activity.visible_to.clone())
            .push(" WHERE l.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND l.activity_id = ")
            .bind(activity.id);
        tx.execute(sql).await?;
    }
    insert_links(tx, vec![(activity, added.as_slice())]).await
}

/// Locks the activities about a record in the order of their ids. None can be added meanwhile: linking a
/// record waits for the transaction that changes it.
pub(in crate::crm::activities) async fn lock_activities_about(
    tx: &mut Tx,
    target: Target,
) -> Result<HashMap<Uuid, String>> {
    let sql = Sql::new(
        "SELECT t.activity_id, t.visible_to FROM activities t WHERE t.activity_id IN (\
         SELECT l.activity_id FROM activity_targets l WHERE l.tenant_id = ",
    )
    .bind(tx.tenant())
    .push(" AND l.")
    .push(column(target))
    .push(" = ")
    .bind(target.uuid())
    .push(") AND t.tenant_id = ")
    .bind(tx.tenant())
    .push(" ORDER BY t.activity_id FOR UPDATE OF t");
    let rows = tx.all::<(Uuid, String)>(sql).await?;
    Ok(rows.into_iter().collect())
}

/// Writes who sees activities into their links, and who sees a record into the links to it. In one statement: rows
/// that are changed twice in a transaction have their foreign keys checked again.
pub(in crate::crm::activities) async fn restamp_links(
    tx: &mut Tx,
    who: Vec<(Uuid, String)>,
    record: &Link,
) -> Result<()> {
    let (ids, texts): (Vec<_>, Vec<_>) = who.into_iter().unzip();
    let sql = Sql::new(
        "UPDATE activity_targets l SET visible_to = v.who, target_visible_to = CASE WHEN l.",
    )
    .push(column(record.target))
    .push(" = ")
    .bind(record.target.uuid())
    .push(" THEN ")
    .bind(record.visible_to.clone())
    .push(" ELSE l.target_visible_to END FROM unnest(")
    .bind(ids)
    .push(", ")
    .bind(texts)
    .push(") AS v(id, who) WHERE l.tenant_id = ")
    .bind(tx.tenant())
    .push(" AND l.activity_id = v.id");
    tx.execute(sql).await.map(drop)
}

fn column(target: Target) -> &'static str {
    match target {
        Target::Company(_) => "company_id",
        Target::Contact(_) => "contact_id",
        Target::Lead(_) => "lead_id",
        Target::Opportunity(_) => "opportunity_id",
    }
}
