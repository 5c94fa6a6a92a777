//! Keeping who sees an activity in step with who sees the records it is about.
//!
//! The order of locks matters. A link locks its record by its foreign key until the commit, and a change of
//! a record locks it first ([`crate::entity::lock`]); so either the change sees the new link, or the link's
//! transaction waits and then sees the change ([`catch_up`]).

use std::collections::HashMap;

use uuid::Uuid;

use super::{
    Activity, Target, store,
    target::{Link, who_sees},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::Typed as _,
    },
    db::{
        Tx,
        list::{self, Record as _},
    },
    entity,
};

/// Activities per statement: twenty thousand at once came close to the statement timeout.
const PER_STATEMENT: usize = 5_000;
/// The `visible_to` of a record that only those who see all may see.
const NOBODY: &str = "|";

/// Tells the activities about a record that it is now visible to others; `visible_to` is the record's own, and the
/// record is locked by this transaction. Activities change neither version nor time by it; events tell those who see
/// them from now on, and those who no longer do.
///
/// # Errors
/// The database; `FORBIDDEN` when an activity would be out of the actor's reach after it.
pub async fn follow(tx: &mut Tx, target: Target, visible_to: &str) -> Result<()> {
    let mut before = store::lock_activities_about(tx, target).await?;
    if before.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = before.keys().copied().collect();
    for activity in restamp(tx, &ids, &Link::new(target, visible_to)).await? {
        if let Some(was) = before.remove(&activity.key())
            && was != activity.visible_to
        {
            entity::emit_followed(tx, &activity, was, &[]);
        }
    }
    Ok(())
}

/// Takes a record that is about to be deleted out of who sees the activities about it. Their links to it go with the
/// record, by their foreign key.
///
/// # Errors
/// The database; `FORBIDDEN` when an activity would be out of the actor's reach without the record.
pub async fn leave(tx: &mut Tx, target: Target) -> Result<()> {
    follow(tx, target, NOBODY)
        .await
        .map_err(|error| match error {
            Error::Forbidden(_) => {
                Error::Forbidden("delete what activities of people beyond your reach are about")
            }
            other => other,
        })
}

/// Follows the records that changed hands between reading them and linking them to `activities`, which are this
/// transaction's own; who changed such a record has told all others. `seen` is how the records were seen then.
pub(super) async fn catch_up(
    tx: &mut Tx,
    seen: HashMap<Target, Link>,
    activities: &mut [Activity],
) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let mut now = store::links_to(tx, seen.keys().copied()).await?;
    let mut late = Vec::new();
    for (target, was) in seen {
        let is = now.remove(&target).ok_or_else(|| target.not_found())?;
        if is != was {
            late.push(is);
        }
    }
    if late.is_empty() {
        return Ok(());
    }
    let ids: Vec<_> = activities.iter().map(Activity::key).collect();
    for record in &late {
        restamp(tx, &ids, record).await?;
    }
    let mut again: HashMap<_, _> = list::find_many::<Activity>(tx, &ids)
        .await?
        .into_iter()
        .map(|a| (a.id, a))
        .collect();
    for activity in activities {
        if let Some(fresh) = again.remove(&activity.id) {
            let links = std::mem::take(&mut activity.links);
            *activity = Activity { links, ..fresh };
        }
    }
    Ok(())
}

/// Writes who sees a record into the activities about it and into their links; answers the activities.
async fn restamp(tx: &mut Tx, activities: &[Uuid], record: &Link) -> Result<Vec<Activity>> {
    let mut restamped = Vec::with_capacity(activities.len());
    for activities in activities.chunks(PER_STATEMENT) {
        let mut who = Vec::with_capacity(activities.len());
        for (id, mut links) in store::links_of(tx, activities).await? {
            for link in links.iter_mut().filter(|link| link.target == record.target) {
                link.visible_to.clone_from(&record.visible_to);
            }
            who.push((id.uuid(), who_sees(&links)));
        }
        let after = store::set_targets_visible_to(tx, who).await?;
        let visible_to = after.iter().map(|a| (a.key(), a.visible_to.clone()));
        store::restamp_links(tx, visible_to.collect(), record).await?;
        restamped.extend(after);
    }
    Ok(restamped)
}
