//! All SQL that only activities need.

mod links;
mod targets;

pub(super) use links::{insert_links, links_of, lock_activities_about, relink, restamp_links};
pub(super) use targets::{links_to, move_last_activity};
use uuid::Uuid;

use super::model::Activity;
use crate::{
    base::error::Result,
    db::{Columns as _, Sql, Tx},
};

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
        .push(Activity::select());
    tx.all(sql).await
}
