//! What a subscription's resolver is run for. It never holds a stream open: it is run once to say what it watches, and
//! then for each thing that it has to say, so that one run serves all who asked the same.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Context, ID};
use futures_util::stream::{self, Iter};

use super::told::{Happening, Told};
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

/// What a resolver of a subscription answers: one thing, or nothing while it is only asked what it watches.
pub type Turns<T> = Iter<std::option::IntoIter<T>>;

/// Why a resolver is run; in the data of its request.
#[derive(Clone)]
pub(crate) enum Turn {
    /// To say what is watched.
    Plan(Planned),
    /// To tell of this.
    Tell(Arc<Happening>),
    /// To work the value out anew.
    Value,
}

/// What a subscription watches.
#[derive(Debug)]
pub(crate) enum Plan {
    /// What happens to records, after a place in the log.
    Changes(Watched, Option<EventCursor>),
    /// A value that follows from records, sent whenever it is another one.
    Value(Watched),
    /// Who looks at a record, by its id, sent whenever somebody comes or goes; and whether the watcher looks too.
    Presence(Watched, String, bool),
}

/// Where a resolver leaves its plan.
#[derive(Clone, Default)]
pub(crate) struct Planned(Arc<Mutex<Option<Plan>>>);

impl Planned {
    pub(crate) fn take(&self) -> Option<Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, plan: Plan) -> Result<()> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match planned.replace(plan) {
            None => Ok(()),
            Some(_) => Err(Error::invalid(
                "SUBSCRIPTION_FIELDS",
                "",
                "a subscription has one top-level field",
            )),
        }
    }
}

/// What happens to the records of a kind that the actor sees and that meet the filter.
///
/// # Errors
/// `FORBIDDEN` without the right to read them, or with a filter on what is not shown; what the filter fails with.
pub fn changes<R: Entity, E: From<Told>>(
    ctx: &Context<'_>,
    filter: Option<impl Filter>,
    after: Option<EventCursor>,
) -> Result<Turns<E>> {
    match ctx.data_unchecked::<Turn>() {
        Turn::Plan(planned) => {
            planned.put(Plan::Changes(watch::<R>(ctx, filter)?, after))?;
            Ok(nothing())
        }
        Turn::Tell(happening) => Ok(one(E::from(Told::new(Arc::clone(happening))))),
        Turn::Value => Ok(nothing()),
    }
}

/// A value that follows from the records that `watched` says, worked out by `compute`.
///
/// # Errors
/// What both fail with.
pub async fn value<T>(
    ctx: &Context<'_>,
    watched: impl FnOnce() -> Result<Watched>,
    compute: impl AsyncFnOnce() -> Result<T>,
) -> Result<Turns<T>> {
    match ctx.data_unchecked::<Turn>() {
        Turn::Plan(planned) => {
            planned.put(Plan::Value(watched()?))?;
            Ok(nothing())
        }
        Turn::Value => Ok(one(compute().await?)),
        Turn::Tell(_) => Ok(nothing()),
    }
}

/// Who looks at a record, worked out by `compute`; with `announce` whoever watches looks too.
///
/// # Errors
/// What `watched` and `compute` fail with.
pub async fn presence<T>(
    ctx: &Context<'_>,
    (on, announce): (&ID, bool),
    watched: impl FnOnce() -> Result<Watched>,
    compute: impl AsyncFnOnce() -> Result<T>,
) -> Result<Turns<T>> {
    match ctx.data_unchecked::<Turn>() {
        Turn::Plan(planned) => {
            let watched = watched()?;
            compute().await?;
            planned.put(Plan::Presence(watched, on.to_string(), announce))?;
            Ok(nothing())
        }
        Turn::Value => Ok(one(compute().await?)),
        Turn::Tell(_) => Ok(nothing()),
    }
}

/// The record of a kind that has an id.
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

/// The records of a kind that the actor sees and that meet the filter.
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

/// The records of a kind that the actor sees and that a predicate is true of.
///
/// # Errors
/// `FORBIDDEN` without the right to read them, or with a predicate on what is not shown.
pub fn watched<R: Entity>(ctx: &Context<'_>, filter: Predicate) -> Result<Watched> {
    let rights = &ctx.request().actor().rights;
    if rights.sees(R::TABLE) == Scope::None {
        return Err(Error::Forbidden("watch records of this kind"));
    }
    refuse_hidden_filter(rights, R::SOURCE, &filter)?;
    Ok(Watched {
        entity: R::KIND,
        table: R::TABLE,
        id_column: R::ID_COLUMN,
        filter,
        is_shared: false,
    })
}

fn one<T>(item: T) -> Turns<T> {
    stream::iter(Some(item))
}

fn nothing<T>() -> Turns<T> {
    stream::iter(None)
}
