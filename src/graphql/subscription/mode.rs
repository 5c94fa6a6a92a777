//! What a subscription's resolver runs for. It never holds a stream open: it runs once to say what it watches, and then
//! once for each response, so that one run serves all subscribers of an operation.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, ID};
use futures_util::stream::{self, Iter};

use super::{
    record_event::{Notification, RecordEvent},
    rows::{Look, Looking},
};
use crate::{
    access::Scope,
    base::{
        error::{Error, Result},
        ids::{self, Typed},
    },
    db::{Comparison, Predicate, Value, refuse_hidden_filter},
    entity::Entity,
    events::{EventCursor, Watched},
    graphql::{ContextExt as _, Filter},
};

/// What a resolver of a subscription yields: one item, or none while it is planned.
pub type ResolverStream<T> = Iter<std::option::IntoIter<T>>;

/// What a resolver runs for; in the data of its request.
#[derive(Clone)]
pub(crate) enum ResolverMode {
    /// To say what it watches.
    Plan(PlanSlot),
    /// To render a notification.
    Notify(Arc<Notification>),
    /// To render the current value.
    Value,
    /// To look at rows.
    Look(Looking),
}

/// What a subscription watches.
#[derive(Debug)]
pub(crate) enum WatchPlan {
    /// The changes of records, after a position in the log.
    Changes(Watched, Option<EventCursor>),
    /// A value derived from records, sent whenever it changes.
    Value(Watched),
    /// The viewers of a record, by its id, sent whenever they change; and whether the subscriber is a viewer too.
    Presence(Watched, String, bool),
    /// Rows whose changes are in no event.
    Rows(Look),
}

/// Where a resolver puts its plan.
#[derive(Clone, Default)]
pub(crate) struct PlanSlot(Arc<Mutex<Option<WatchPlan>>>);

impl PlanSlot {
    pub(crate) fn take(&self) -> Option<WatchPlan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn put(&self, plan: WatchPlan) -> Result<()> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.replace(plan) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(
                "SUBSCRIPTION_FIELDS",
                "",
                "a subscription has one top-level field",
            )),
        }
    }
}

/// Watches the changes of the records of a kind that the actor sees and that meet the filter.
///
/// # Errors
/// `FORBIDDEN` without the right to read them, or with a filter on what is not shown; what the filter fails with.
pub fn changes<R: Entity, E: From<RecordEvent>>(
    ctx: &Context<'_>,
    filter: Option<impl Filter>,
    after: Option<EventCursor>,
) -> Result<ResolverStream<E>> {
    match ctx.data_unchecked::<ResolverMode>() {
        ResolverMode::Plan(slot) => {
            slot.put(WatchPlan::Changes(watch::<R>(ctx, filter)?, after))?;
            Ok(nothing())
        }
        ResolverMode::Notify(notification) => {
            Ok(one(E::from(RecordEvent::new(Arc::clone(notification)))))
        }
        ResolverMode::Value | ResolverMode::Look(_) => Ok(nothing()),
    }
}

/// Watches a value derived from the records of `watched`, computed by `compute`.
///
/// # Errors
/// What both fail with.
pub async fn value<T>(
    ctx: &Context<'_>,
    watched: impl FnOnce() -> Result<Watched>,
    compute: impl AsyncFnOnce() -> Result<T>,
) -> Result<ResolverStream<T>> {
    match ctx.data_unchecked::<ResolverMode>() {
        ResolverMode::Plan(slot) => {
            slot.put(WatchPlan::Value(watched()?))?;
            Ok(nothing())
        }
        ResolverMode::Value => Ok(one(compute().await?)),
        ResolverMode::Notify(_) | ResolverMode::Look(_) => Ok(nothing()),
    }
}

/// Watches the viewers of a record, computed by `compute`; with `announce` the subscriber is a viewer too.
///
/// # Errors
/// What `watched` and `compute` fail with.
pub async fn presence<T>(
    ctx: &Context<'_>,
    on: &ID,
    announce: bool,
    watched: impl FnOnce() -> Result<Watched>,
    compute: impl AsyncFnOnce() -> Result<T>,
) -> Result<ResolverStream<T>> {
    match ctx.data_unchecked::<ResolverMode>() {
        ResolverMode::Plan(slot) => {
            let watched = watched()?;
            compute().await?;
            slot.put(WatchPlan::Presence(watched, on.to_string(), announce))?;
            Ok(nothing())
        }
        ResolverMode::Value => Ok(one(compute().await?)),
        ResolverMode::Notify(_) | ResolverMode::Look(_) => Ok(nothing()),
    }
}

/// Watches the record of a kind with an id.
///
/// # Errors
/// `INVALID_ID` on `on`, `FORBIDDEN`.
pub fn watch_one<T: Typed, R: Entity>(ctx: &Context<'_>, id: &ID) -> Result<Watched> {
    let id = ids::parse::<T>(id)
        .map_err(|bad| Error::invalid("INVALID_ID", "on", bad.to_string()))?
        .uuid();
    let is_it = Predicate::Compare(R::ID_COLUMN.into(), Comparison::Eq, Value::Uuid(id));
    watched::<R>(ctx, is_it)
}

/// Watches the records of a kind that the actor sees and that meet the filter.
///
/// # Errors
/// `FORBIDDEN` without the right to read them, or with a filter on what is not shown; what the filter fails with.
pub fn watch<R: Entity>(ctx: &Context<'_>, filter: Option<impl Filter>) -> Result<Watched> {
    let filter = filter
        .map(Filter::predicate)
        .transpose()
        .map_err(|error| error.within("filter"))?
        .unwrap_or(Predicate::All(Vec::new()));
    watched::<R>(ctx, filter)
}

/// Watches the records of a kind that the actor sees and that meet a predicate.
///
/// # Errors
/// `FORBIDDEN` without the right to read them, or with a predicate on what is not shown.
pub fn watched<R: Entity>(ctx: &Context<'_>, filter: Predicate) -> Result<Watched> {
    let rights = &ctx.request().actor().rights;
    if rights.sees(R::ACCESS) == Scope::None {
        return Err(Error::Forbidden("watch records of this kind"));
    }
    refuse_hidden_filter(rights, R::SOURCE, &filter)?;
    Ok(Watched {
        entity: R::KIND,
        table: R::SOURCE,
        filter,
    })
}

pub(super) fn one<T>(item: T) -> ResolverStream<T> {
    stream::iter(Some(item))
}

pub(super) fn nothing<T>() -> ResolverStream<T> {
    stream::iter(None)
}
