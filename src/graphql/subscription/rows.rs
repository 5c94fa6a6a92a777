//! Subscriptions to rows whose changes are in no event, such as jobs and what is sent to webhook endpoints. Such rows are
//! looked at again and again, in the subscriber's name, while somebody listens.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_graphql::Context;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use uuid::Uuid;

use super::mode::{PlanSlot, ResolverMode, ResolverStream, WatchPlan, nothing, one};
use crate::{
    access::Scope,
    base::error::{Error, Result},
    db::{
        Predicate,
        list::{self, MAX_PAGE, Record, RowChange},
        refuse_hidden_filter,
    },
    events::Watched,
    graphql::{ContextExt as _, Filter},
};

/// A transaction may take so long between its begin, which is when its rows say that they changed, and its commit.
const LOOKED_BACK: TimeDelta = TimeDelta::seconds(10);
/// How far back an interrupted subscriber is told anew. Its rights are known within a minute, or it ends.
const TOLD_ANEW: TimeDelta = TimeDelta::seconds(90);
/// What changed longer ago than this and was not told yet will never be: more changes than is told.
const LATEST: TimeDelta = TimeDelta::seconds(150);
/// Changes that one look reads, at most.
const MOST_CHANGES: i64 = 10_000;
/// Changes that one look holds against the filter, at most.
const MOST_JUDGED: usize = 500;

/// What is watched, and what of it was told; shared by all subscribers of an operation.
#[derive(Debug, Clone)]
pub(crate) struct Look(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    watched: Watched,
    /// Nothing where one row is watched.
    changes: Option<Changes>,
    /// Whether the row has ended.
    is_over: AtomicBool,
}

#[derive(Debug)]
struct Changes {
    /// Rows that are told at once, at most.
    most: usize,
    /// The same while they are large.
    at_once: AtomicUsize,
    told: Mutex<Told>,
    /// What the last look has found: what is told once it is sent, and whether that says anything.
    seen: Mutex<Option<(Told, bool)>>,
}

/// Which changes were told.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    /// All that happened before was told.
    since: DateTime<Utc>,
    /// And of what happened later, these.
    rows: HashMap<Uuid, DateTime<Utc>>,
    /// How often it was begun anew.
    round: u32,
}

impl Told {
    /// All that is there counts as told.
    fn all(there: &[RowChange], now: DateTime<Utc>) -> Self {
        Self {
            since: now - LOOKED_BACK,
            rows: there.iter().copied().collect(),
            round: 0,
        }
    }

    /// The changes that were not told yet. Of two transactions the one that began first may be the last to commit, so any
    /// other time is another change.
    fn due(&self, found: &[RowChange]) -> Vec<RowChange> {
        let is_told = |(id, at): &RowChange| self.rows.get(id) == Some(at);
        let due = found.iter().filter(|change| !is_told(change));
        due.copied().collect()
    }

    /// The same after some changes were told, and the first of the others are to be.
    fn after(&self, told: &[RowChange], next: Option<RowChange>, now: DateTime<Utc>) -> Self {
        let settled = now - LOOKED_BACK;
        let since = next.map_or(settled, |(_, at)| at.min(settled));
        let mut rows = self.rows.clone();
        rows.extend(told.iter().copied());
        rows.retain(|_, at| *at >= since);
        Self {
            since,
            rows,
            round: self.round,
        }
    }
}

impl Look {
    fn new(watched: Watched, changes: Option<Changes>) -> Self {
        Self(Arc::new(Inner {
            watched,
            changes,
            is_over: AtomicBool::new(false),
        }))
    }

    pub(crate) fn watched(&self) -> &Watched {
        &self.0.watched
    }

    /// Whether changes of many rows are watched, rather than how one stands.
    pub(crate) fn is_of_changes(&self) -> bool {
        self.0.changes.is_some()
    }

    /// Whether nothing will change any more.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    /// Whether the last look has found anything to tell.
    pub(crate) fn has_news(&self) -> bool {
        let changes = self.0.changes.as_ref();
        changes.is_some_and(|changes| lock(&changes.seen).as_ref().is_some_and(|(_, news)| *news))
    }

    /// Notes that what the last look saw was sent.
    pub(crate) fn accept(&self) {
        if let Some(changes) = &self.0.changes
            && let Some((seen, _)) = lock(&changes.seen).take()
        {
            let at_once = changes.at_once.load(Ordering::Relaxed);
            let at_once = at_once.saturating_mul(2).min(changes.most);
            changes.at_once.store(at_once, Ordering::Relaxed);
            let mut told = lock(&changes.told);
            if told.round == seen.round {
                *told = seen;
            }
        }
    }

    /// Has fewer rows be told at once, since these were too large together; whether there can be fewer.
    pub(crate) fn take_fewer(&self) -> bool {
        let Some(changes) = &self.0.changes else {
            return false;
        };
        let at_once = changes.at_once.load(Ordering::Relaxed);
        changes
            .at_once
            .store(at_once.div_ceil(2), Ordering::Relaxed);
        at_once > 1
    }

    /// Has what changed lately be told anew, since somebody was not told of it.
    pub(crate) fn tell_anew(&self) {
        if let Some(changes) = &self.0.changes {
            let mut told = lock(&changes.told);
            told.since -= TOLD_ANEW;
            told.rows.clear();
            // What a look that is under way comes to counts for nothing.
            told.round += 1;
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a resolver looks for.
#[derive(Debug, Clone)]
pub(crate) enum Looking {
    /// Nothing: a subscriber is told that it is live.
    Opened,
    /// What is there now.
    At(Look),
}

/// Watches one row, found by `find`, until it has ended.
///
/// # Errors
/// What `find` fails with, such as `NOT_FOUND`.
pub async fn row<R: Record>(
    ctx: &Context<'_>,
    find: impl AsyncFnOnce() -> Result<Arc<R>>,
    has_ended: impl FnOnce(&R) -> bool,
) -> Result<ResolverStream<Arc<R>>> {
    match ctx.data_unchecked::<ResolverMode>() {
        ResolverMode::Plan(slot) => {
            find().await?;
            put::<R>(slot, Predicate::All(Vec::new()), None)?;
            Ok(nothing())
        }
        ResolverMode::Look(Looking::At(look)) => {
            let row = find().await?;
            if has_ended(&row) {
                look.0.is_over.store(true, Ordering::Release);
            }
            Ok(one(row))
        }
        ResolverMode::Look(Looking::Opened) | ResolverMode::Notify(_) | ResolverMode::Value => {
            Ok(nothing())
        }
    }
}

/// Watches the rows of a kind that the actor sees and that meet the filter: each, as it is then, after it has changed, up
/// to `most` at once.
///
/// # Errors
/// `FORBIDDEN` without the right to read them; `INVALID_PAGE`; what the filter fails with; `RESYNC` when more changes than
/// is told.
pub async fn row_changes<R: Record>(
    ctx: &Context<'_>,
    filter: Option<impl Filter>,
    most: i32,
) -> Result<ResolverStream<Vec<Arc<R>>>> {
    match ctx.data_unchecked::<ResolverMode>() {
        ResolverMode::Plan(slot) => {
            let rights = &ctx.request().actor().rights;
            if rights.sees(R::ACCESS) == Scope::None {
                return Err(Error::Forbidden("watch records of this kind"));
            }
            let predicate = filter
                .map(Filter::predicate)
                .transpose()
                .map_err(|error| error.within("filter"))?
                .unwrap_or(Predicate::All(Vec::new()));
            refuse_hidden_filter(rights, R::SOURCE, &predicate)?;
            if !(1..=MAX_PAGE).contains(&i64::from(most)) {
                let message = format!("expected 1 to {MAX_PAGE} rows");
                return Err(Error::invalid("INVALID_PAGE", "first", message));
            }
            let there = ctx.request().read(async |tx| {
                let now = list::now(tx).await?;
                let (_, there) =
                    list::changed(tx, R::SOURCE, now - LOOKED_BACK, MOST_CHANGES).await?;
                Ok(Told::all(&there, now))
            });
            let changes = Changes {
                most: most.unsigned_abs() as usize,
                at_once: AtomicUsize::new(most.unsigned_abs() as usize),
                told: Mutex::new(there.await?),
                seen: Mutex::default(),
            };
            put::<R>(slot, predicate, Some(changes))?;
            Ok(nothing())
        }
        ResolverMode::Look(Looking::Opened) => Ok(one(Vec::new())),
        ResolverMode::Look(Looking::At(look)) => Ok(one(changed_rows(ctx, look).await?)),
        ResolverMode::Notify(_) | ResolverMode::Value => Ok(nothing()),
    }
}

fn put<R: Record>(slot: &PlanSlot, filter: Predicate, changes: Option<Changes>) -> Result<()> {
    let watched = Watched {
        entity: R::KIND,
        table: R::SOURCE,
        filter,
    };
    slot.put(WatchPlan::Rows(Look::new(watched, changes)))
}

/// The next rows that have changed.
async fn changed_rows<R: Record>(ctx: &Context<'_>, look: &Look) -> Result<Vec<Arc<R>>> {
    let Some(changes) = &look.0.changes else {
        return Ok(Vec::new());
    };
    let Watched { table, filter, .. } = look.watched();
    let told = lock(&changes.told).clone();
    let most = changes.at_once.load(Ordering::Relaxed);
    let looked = ctx.request().read(async |tx| {
        let (now, found) = list::changed(tx, *table, told.since, MOST_CHANGES).await?;
        let mut due = told.due(&found);
        let is_late = due.first().is_some_and(|(_, at)| now - *at > LATEST);
        if is_late || found.len() as i64 == MOST_CHANGES {
            let message = "more changes than can be told: read what you show anew, and subscribe again by a narrower filter";
            return Err(Error::invalid("RESYNC", "", message));
        }
        let left = due.split_off(due.len().min(MOST_JUDGED));
        let ids: Vec<Uuid> = due.iter().map(|(id, _)| *id).collect();
        let met = match filter {
            Predicate::All(all) if all.is_empty() => ids,
            _ if ids.is_empty() => ids,
            filter => list::matching(tx, *table, ids, filter).await?,
        };
        let rows: Vec<Uuid> = due.iter().map(|(id, _)| *id).filter(|id| met.contains(id)).take(most).collect();
        // Up to the last row that is told, or all when there is room for more.
        let upto = match rows.last() {
            Some(last) if rows.len() == most => due.iter().position(|(id, _)| id == last).map_or(due.len(), |at| at + 1),
            _ => due.len(),
        };
        let next = due.get(upto).or(left.first()).copied();
        Ok((rows, told.after(&due[..upto], next, now)))
    });
    let (rows, seen) = looked.await?;
    *lock(&changes.seen) = Some((seen, !rows.is_empty()));
    let loads = rows.into_iter().map(|id| ctx.request().load::<R>(Some(id)));
    let rows = try_join_all(loads).await?;
    Ok(rows.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).expect("an instant")
    }

    #[test]
    fn a_change_is_told_once_and_a_later_one_of_the_same_row_again() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut told = Told::all(&[], at(0));
        let found = [(a, at(1)), (b, at(2))];
        assert_eq!(told.due(&found), found);
        told = told.after(&found[..1], Some(found[1]), at(3));
        assert_eq!(told.due(&found), found[1..], "what there was no room for");
        told = told.after(&found[1..], None, at(3));
        assert_eq!(told.due(&found), []);
        let again = [(b, at(2)), (a, at(4))];
        assert_eq!(told.due(&again), [(a, at(4))]);
        let overtaken = [(a, at(0))];
        assert_eq!(
            told.due(&overtaken),
            overtaken,
            "it began first and ended last"
        );
    }

    #[test]
    fn what_is_committed_late_is_found_and_what_was_told_is_forgotten_in_time() {
        let (a, late) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let told = Told::all(&[], at(0)).after(&[(a, at(5))], None, at(6));
        assert!(told.since < at(0), "a transaction may have begun before");
        assert_eq!(told.due(&[(late, at(-3)), (a, at(5))]), [(late, at(-3))]);
        let later = told.after(&[], None, at(60));
        assert_eq!((later.since, later.rows.len()), (at(50), 0));
        // Nothing is passed over while it waits to be told.
        let waiting = told.after(&[], Some((late, at(7))), at(60));
        assert_eq!(waiting.since, at(7));
    }
}
