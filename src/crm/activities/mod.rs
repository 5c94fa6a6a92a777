//! Calls, e-mails, messages, meetings, notes and tasks, and the records they are about.
//!
//! An actor that sees one of the records sees the activity too. So an activity carries who sees each of them, and what
//! changes that for a record calls [`follow`].

mod filter;
mod follow;
mod graphql;
mod loader;
mod model;
mod mutation;
mod projection;
mod store;
mod subscription;
mod target;

use std::collections::HashMap;

use serde::Serialize;

pub use filter::{ActivityFilter, ActivityOrder};
pub use follow::{follow, leave};
pub use graphql::ActivityQuery as Query;
pub(crate) use graphql::{OF_COMPANY, OF_CONTACT, OF_LEAD, OF_OPPORTUNITY, below};
pub use model::{
    Activity, ActivityDirection, ActivityFields, ActivityKind, ActivityOrderField, ActivityStatus,
    NewActivity,
};
pub use mutation::ActivityMutation as Mutation;
pub(crate) use projection::listed;
pub use subscription::{ActivityEvent, ActivitySubscription as Subscription};
pub use target::{MAX_TARGETS, Target};

use uuid::Uuid;

use crate::{
    base::ids::UserId,
    base::{
        error::Result,
        ids::{ActivityId, Typed as _},
    },
    db::{Tx, journal::EventKind, list},
    entity::Owned,
    entity::{self, Stamps},
};
use target::{Link, Links, distinct, last_done};

/// Creates activities, all or none. What is done moves the last activity of the records it is about.
///
/// # Errors
/// What [`ActivityFields::check`] refuses; `TOO_MANY_VALUES`; `NOT_FOUND` for an owner or target that the actor can't
/// see; `TAKEN` for an id that exists; `FORBIDDEN` without the permission or beyond the row scope.
pub async fn create_many(tx: &mut Tx, new: Vec<NewActivity>) -> Result<Vec<Activity>> {
    let mut activities = Vec::with_capacity(new.len());
    let mut targets = Vec::with_capacity(new.len());
    for NewActivity {
        id,
        mut fields,
        targets: about,
        created_at,
    } in new
    {
        fields.check(None, tx.now())?;
        targets.push(distinct(about)?);
        let stamps = Stamps::new(tx, created_at);
        let occurred_at = fields.occurred_at(stamps.created_at);
        activities.push(Activity {
            id,
            fields,
            occurred_at,
            visible_to: String::new(),
            stamps,
            links: Vec::new(),
        });
    }
    entity::place_owners(
        tx,
        activities
            .iter_mut()
            .map(|activity| &mut activity.fields.ownership),
    )
    .await?;
    let seen = store::visible_to_of(tx, targets.iter().flatten().copied()).await?;
    let mut links = Links::with_capacity(activities.len());
    for (activity, targets) in activities.iter_mut().zip(targets) {
        let linked = targets.into_iter().map(|target| {
            let visible_to = seen.get(&target).ok_or_else(|| target.not_found())?;
            Ok(Link::new(target, visible_to))
        });
        activity.links = linked.collect::<Result<_>>()?;
        links.insert(activity.id, activity.links.clone());
    }

    let mut created = entity::insert(tx, &activities).await?;
    let linked = created
        .iter()
        .map(|activity| (activity, links[&activity.id].as_slice()))
        .collect();
    // Before the links: they lock the records too, but weaker, and two who raise a lock can wait for each other.
    store::move_last_activity(tx, last_done(&created, &links)).await?;
    store::insert_links(tx, linked).await?;
    follow::catch_up(tx, seen, &mut created).await?;
    for activity in &created {
        entity::emit_created(tx, activity, &Told::new(activity, &links[&activity.id]));
    }
    Ok(created)
}

/// Creates an activity. One that brings an id which exists already is answered as it stands.
///
/// # Errors
/// As [`create_many`].
pub async fn create(tx: &mut Tx, new: NewActivity) -> Result<Activity> {
    match list::find(tx, new.id.uuid()).await? {
        Some(existing) => Ok(existing),
        None => Ok(create_many(tx, vec![new]).await?.remove(0)),
    }
}

/// Changes an activity. `targets` replaces what it is about, as far as the actor sees that: nobody can take away a
/// record whose name they don't know.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `TOO_MANY_VALUES`, and what `change` and [`ActivityFields::check`] refuse.
pub async fn update(
    tx: &mut Tx,
    (id, expected_version): (ActivityId, Option<i32>),
    targets: Option<Vec<Target>>,
    change: impl FnOnce(&mut ActivityFields) -> Result<()>,
) -> Result<Activity> {
    let before: Activity = entity::lock(tx, id.uuid(), expected_version).await?;
    let old_links = store::links_of(tx, &[id.uuid()])
        .await?
        .remove(&id)
        .unwrap_or_default();
    let mut after = before.clone();
    change(&mut after.fields)?;
    after.fields.check(Some(&before.fields), tx.now())?;
    if after.fields.ownership != before.fields.ownership {
        entity::place_owners(tx, [&mut after.fields.ownership]).await?;
    }
    let (links, seen) = match targets {
        Some(targets) => relinked(tx, &old_links, targets).await?,
        None => (old_links.clone(), HashMap::new()),
    };
    if after.fields == before.fields && links == old_links {
        return Ok(before);
    }
    after.occurred_at = after.fields.occurred_at(after.stamps.created_at);
    after.stamps.touch(tx);
    after.links.clone_from(&links);
    let mut changed = [entity::update(tx, &after).await?];
    if after.fields.done_at != before.fields.done_at || links != old_links {
        store::move_last_activity(tx, last_done(&changed, &Links::from([(id, links.clone())])))
            .await?;
    }
    store::relink(tx, &changed[0], (&old_links, &links)).await?;
    follow::catch_up(tx, seen, &mut changed).await?;
    let [after] = changed;
    let (old, new) = (Told::new(&before, &old_links), Told::new(&after, &links));
    entity::emit_changed(tx, EventKind::Updated, (&before, &old), (&after, &new));
    Ok(after)
}

/// Makes an activity done, now. Doing it twice changes nothing.
///
/// # Errors
/// As [`update`], and what [`ActivityFields::complete`] refuses.
pub async fn complete(
    tx: &mut Tx,
    (id, expected_version): (ActivityId, Option<i32>),
    outcome: Option<String>,
) -> Result<Activity> {
    update(tx, (id, expected_version), None, |fields| {
        fields.complete(outcome)
    })
    .await
}

/// The links of an activity whose targets the actor replaces, in the order of the ids, and who sees those records.
async fn relinked(
    tx: &mut Tx,
    old: &[Link],
    targets: Vec<Target>,
) -> Result<(Vec<Link>, HashMap<Target, String>)> {
    let targets = distinct(targets)?;
    let all = old
        .iter()
        .map(|link| link.target)
        .chain(targets.iter().copied());
    let mut seen = store::visible_to_of(tx, all).await?;
    let mut links: Vec<Link> = old
        .iter()
        .filter(|link| !seen.contains_key(&link.target))
        .cloned()
        .collect();
    for target in &targets {
        let visible_to = seen.get(target).ok_or_else(|| target.not_found())?;
        let known = old.iter().find(|link| link.target == *target).cloned();
        links.push(known.unwrap_or_else(|| Link::new(*target, visible_to)));
    }
    links.sort_unstable_by_key(|link| link.target.uuid());
    // Only a record that is linked anew may have changed unnoticed.
    seen.retain(|target, _| {
        targets.contains(target) && old.iter().all(|link| link.target != *target)
    });
    Ok((links, seen))
}

/// What the event log keeps of an activity.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    fields: &'a ActivityFields,
    target_ids: Vec<Target>,
}

impl<'a> Told<'a> {
    fn new(activity: &'a Activity, links: &[Link]) -> Self {
        Self {
            fields: &activity.fields,
            target_ids: links.iter().map(|link| link.target).collect(),
        }
    }
}

impl Owned for Activity {
    async fn reassign(tx: &mut Tx, id: Uuid, people: (UserId, UserId)) -> Result<()> {
        let id = (ActivityId::from_uuid(id), None);
        update(tx, id, None, |fields| {
            fields.ownership.hand_over(people);
            Ok(())
        })
        .await?;
        Ok(())
    }
}
