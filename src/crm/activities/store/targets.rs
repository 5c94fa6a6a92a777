//! What activities read and write of the records they are about.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    base::{
        error::Result,
        ids::{ContactId, LeadId, OpportunityId, Typed},
    },
    crm::{
        activities::target::{Link, Target},
        contacts::Contact,
        leads::Lead,
        opportunities::Opportunity,
    },
    db::{Sql, Tx},
    entity::{self, Entity},
};

/// Links to records as those are seen now, in one statement. Those that the actor can't see are left out.
pub(in crate::crm::activities) async fn links_to(
    tx: &mut Tx,
    targets: impl IntoIterator<Item = Target>,
) -> Result<HashMap<Target, Link>> {
    let mut ids: HashMap<&'static str, HashSet<Uuid>> = HashMap::new();
    for target in targets {
        ids.entry(target.kind()).or_default().insert(target.uuid());
    }
    let mut sql: Option<Sql> = None;
    for &(kind, table, column) in Target::KINDS {
        let Some(ids) = ids.remove(kind) else {
            continue;
        };
        let before = sql.map_or_else(|| Sql::new(""), |sql| sql.push(" UNION ALL "));
        let mut ids: Vec<Uuid> = ids.into_iter().collect();
        ids.sort_unstable();
        let arm = before
            .push("SELECT '")
            .push(kind)
            .push("', t.")
            .push(column)
            .push(", t.visible_to FROM ")
            .push(table)
            .push(" t WHERE t.tenant_id = ")
            .bind(tx.tenant())
            .push(" AND t.")
            .push(column)
            .one_of(&ids);
        sql = Some(arm);
    }
    let Some(sql) = sql else {
        return Ok(HashMap::new());
    };
    let rows = tx.all::<(String, Uuid, String)>(sql).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(kind, id, visible_to)| {
            let target = Target::of(&kind, id)?;
            Some((target, Link::new(target, &visible_to)))
        })
        .collect())
}

/// Moves the time of the last activity of records forward, never back. It is derived from the activities, so it
/// counts as no change and the version stays; who watches the records is told. Records that the actor may not edit are
/// passed over by their policy.
pub(in crate::crm::activities) async fn move_last_activity(
    tx: &mut Tx,
    latest: HashMap<Target, DateTime<Utc>>,
) -> Result<()> {
    // In the order of their ids, so that two transactions wait for each other in one direction only.
    let mut latest: Vec<_> = latest.into_iter().collect();
    latest.sort_unstable_by_key(|(target, _)| target.uuid());
    move_time::<OpportunityId, Opportunity>(tx, &latest, "last_activity_at").await?;
    move_time::<LeadId, Lead>(tx, &latest, "last_activity_at").await?;
    move_time::<ContactId, Contact>(tx, &latest, "last_contacted_at").await
}

async fn move_time<T: Typed, R: Entity>(
    tx: &mut Tx,
    latest: &[(Target, DateTime<Utc>)],
    column: &'static str,
) -> Result<()> {
    let of_kind = latest
        .iter()
        .filter(|(target, _)| target.kind() == T::PREFIX);
    let (ids, times): (Vec<Uuid>, Vec<_>) =
        of_kind.map(|(target, at)| (target.uuid(), *at)).unzip();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = Sql::new("UPDATE ")
        .push(R::TABLE)
        .push(" t SET ")
        .push(column)
        .push(" = v.at FROM unnest(")
        .bind(ids)
        .push(", ")
        .bind(times)
        .push(") AS v(id, at) WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = v.id AND (t.")
        .push(column)
        .push(" IS NULL OR t.")
        .push(column)
        .push(" < v.at) RETURNING ")
        .push(R::select());
    for record in tx.all::<R>(sql).await? {
        let visible_to = record.visible_to().to_owned();
        entity::emit_followed(tx, &record, visible_to, &[column]);
    }
    Ok(())
}
