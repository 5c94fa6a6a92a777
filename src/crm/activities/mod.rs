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
mod record;
mod store;
mod subscription;
mod target;

pub use filter::{ActivityFilter, ActivityOrder};
pub use follow::{follow, leave};
pub use graphql::ActivityQuery as Query;
pub(crate) use graphql::{OF_COMPANY, OF_CONTACT, OF_LEAD, OF_OPPORTUNITY, below};
pub use model::{
    Activity, ActivityDirection, ActivityFields, ActivityKind, ActivityStatus, NewActivity,
};
pub use mutation::ActivityMutation as Mutation;
pub(crate) use projection::listed;
pub use record::ActivityOrderField;
pub use subscription::{ActivityEvent, ActivitySubscription as Subscription};
pub use target::{MAX_TARGETS, Target};

use uuid::Uuid;

use crate::{
    base::ids::UserId,
    base::{
        error::Result,
        ids::{ActivityId, OpportunityId, Typed as _},
    },
    db::{ReadTx, Tx, journal::EventKind, list},
    entity::{self, Changeable as _, Owned, Stamps},
};
use target::{Link, Links, distinct, last_done};

/// The deal that an activity is about, if it is about one and no other.
///
/// # Errors
/// The database.
pub async fn only_deal(tx: &mut ReadTx, activity: ActivityId) -> Result<Option<OpportunityId>> {
    let links = store::links_of(tx, &[activity.uuid()]).await?;
    let links = links.get(&activity).map_or(&[][..], Vec::as_slice);
    let mut deals = links.iter().filter_map(|link| match link.target {
        Target::Opportunity(id) => Some(id),
        _ => None,
    });
    Ok(deals.next().filter(|_| deals.next().is_none()))
}

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
    let seen = store::links_to(tx, targets.iter().flatten().copied()).await?;
    let mut links = Links::with_capacity(activities.len());
    for (activity, targets) in activities.iter_mut().zip(targets) {
        let linked = targets
            .into_iter()
            .map(|target| seen.get(&target).cloned().ok_or_else(|| target.not_found()));
        activity.links = linked.collect::<Result<_>>()?;
        links.insert(activity.id, activity.links.clone());
    }

    let mut created = entity::insert(tx, &activities).await?;
    for activity in &mut created {
        activity.links = links.remove(&activity.id).unwrap_or_default();
    }
    let linked = created
        .iter()
        .map(|activity| (activity, activity.links.as_slice()))
        .collect();
    // Before the links: they lock the records too, but weaker, and two who raise a lock can wait for each other.
    store::move_last_activity(tx, last_done(&created)).await?;
    store::insert_links(tx, linked).await?;
    follow::catch_up(tx, seen, &mut created).await?;
    for activity in &created {
        entity::emit_created(tx, activity, &activity.told());
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
    let mut before: Activity = entity::lock(tx, id.uuid(), expected_version).await?;
    before.links = store::links_of(tx, &[id.uuid()])
        .await?
        .remove(&id)
        .unwrap_or_default();
    let mut after = before.clone();
    change(&mut after.fields)?;
    after.fields.check(Some(&before.fields), tx.now())?;
    if after.fields.ownership != before.fields.ownership {
        entity::place_owners(tx, [&mut after.fields.ownership]).await?;
    }
    if let Some(targets) = targets {
        after.links = relinked(tx, &before.links, targets).await?;
    }
    after.occurred_at = after.fields.occurred_at(after.stamps.created_at);
    entity::save(tx, EventKind::Updated, (before, after)).await
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

/// The links of an activity whose targets the actor replaces, in the order of the ids.
async fn relinked(tx: &mut Tx, old: &[Link], targets: Vec<Target>) -> Result<Vec<Link>> {
    let targets = distinct(targets)?;
    let all = old
        .iter()
        .map(|link| link.target)
        .chain(targets.iter().copied());
    let seen = store::links_to(tx, all).await?;
    let mut links: Vec<Link> = old
        .iter()
        .filter(|link| !seen.contains_key(&link.target))
        .cloned()
        .collect();
    for target in &targets {
        let link = seen.get(target).ok_or_else(|| target.not_found())?;
        let known = old.iter().find(|link| link.target == *target);
        links.push(known.unwrap_or(link).clone());
    }
    links.sort_unstable_by_key(|link| link.target.uuid());
    Ok(links)
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
