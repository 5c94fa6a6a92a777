//! All SQL that only activities need.

mod links;
mod targets;

pub(super) use links::{insert_links, links_of, lock_activities_about, relink, restamp_links};
pub(super) use targets::{move_last_activity, visible_to_of};
use uuid::Uuid;

use super::{
    model::Activity,
    target::{Link, Links, who_sees},
};
use crate::{
    base::error::{Error, Result},
    db::{Sql, Tx, list::Record as _, rows_per_statement},
};

const COLUMNS: usize = 21;

pub(super) async fn insert(
    tx: &mut Tx,
    activities: Vec<Activity>,
    links: &Links,
) -> Result<Vec<Activity>> {
    let tenant = tx.tenant();
    let mut created = Vec::with_capacity(activities.len());
    for chunk in activities.chunks(rows_per_statement(COLUMNS)) {
        let sql = Sql::new(
            "INSERT INTO activities AS t (tenant_id, activity_id, kind, subject, body, direction, status, due_at, \
             start_at, end_at, done_at, outcome, owner_id, team_path, occurred_at, targets_visible_to, created_at, \
             created_by, updated_at, updated_by, version)",
        );
        let sql = sql.rows(chunk, |mut row, activity| {
            let Activity {
                id,
                fields: f,
                occurred_at,
                stamps: s,
                ..
            } = activity;
            row.bind(tenant)
                .bind(*id)
                .bind(f.kind)
                .bind(f.subject.clone())
                .bind(f.body.clone())
                .bind(f.direction)
                .bind(f.status)
                .bind(f.due_at)
                .bind(f.start_at)
                .bind(f.end_at)
                .bind(f.done_at)
                .bind(f.outcome.clone())
                .bind(f.ownership.owner_id)
                .bind(f.ownership.team_path.clone())
                .bind(*occurred_at)
                .bind(who_sees(&links[id]))
                .bind(s.created_at)
                .bind(s.created_by.clone())
                .bind(s.updated_at)
                .bind(s.updated_by.clone())
                .bind(s.version);
        });
        created.extend(
            tx.all::<Activity>(sql.push(" RETURNING ").push(Activity::COLUMNS))
                .await?,
        );
    }
    Ok(created)
}

pub(super) async fn update(tx: &mut Tx, activity: &Activity, links: &[Link]) -> Result<Activity> {
    let Activity {
        id,
        fields: f,
        occurred_at,
        stamps: s,
        ..
    } = activity;
    let sql = Sql::new("UPDATE activities t SET kind = ")
        .bind(f.kind)
        .push(", subject = ")
        .bind(f.subject.clone())
        .push(", body = ")
        .bind(f.body.clone())
        .push(", direction = ")
        .bind(f.direction)
        .push(", status = ")
        .bind(f.status)
        .push(", due_at = ")
        .bind(f.due_at)
        .push(", start_at = ")
        .bind(f.start_at)
        .push(", end_at = ")
        .bind(f.end_at)
        .push(", done_at = ")
        .bind(f.done_at)
        .push(", outcome = ")
        .bind(f.outcome.clone())
        .push(", owner_id = ")
        .bind(f.ownership.owner_id)
        .push(", team_path = ")
        .bind(f.ownership.team_path.clone())
        .push(", occurred_at = ")
        .bind(*occurred_at)
        .push(", targets_visible_to = ")
        .bind(who_sees(links))
        .push(", updated_at = ")
        .bind(s.updated_at)
        .push(", updated_by = ")
        .bind(s.updated_by.clone())
        .push(", version = ")
        .bind(s.version)
        .push(" WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.activity_id = ")
        .bind(*id)
        .push(" RETURNING ")
        .push(Activity::COLUMNS);
    tx.optional(sql)
        .await?
        .ok_or(Error::Forbidden("change this activity"))
}

/// Writes who sees what activities are about; answers the activities.
pub(super) async fn set_targets_visible_to(
    tx: &mut Tx,
    who: Vec<(Uuid, String)>,
) -> Result<Vec<Activity>> {
    let (ids, texts): (Vec<_>, Vec<_>) = who.into_iter().unzip();
    let sql = Sql::new("UPDATE activities t SET targets_visible_to = v.who FROM unnest(")
        .bind(ids)
        .push(", ")
        .bind(texts)
        .push(") AS v(id, who) WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.activity_id = v.id RETURNING ")
        .push(Activity::COLUMNS);
    tx.all(sql).await
}
