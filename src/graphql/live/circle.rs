//! A visibility class of a tenant that watches: reads along, and has each event worked out once for all its audiences,
//! from one snapshot.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::future::join_all;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Failure, Running,
    audience::{Audience, Kind},
    operation::Unanswered,
    turn::Turn,
};
use crate::{
    auth::{Actor, Class},
    events::{Feed, FeedError, Logged},
    graphql::RequestContext,
    ids::Typed as _,
};

/// How long to wait for a database that does not answer.
const PAUSE: Duration = Duration::from_millis(250);
/// How soon a pulse that could not be given is tried again.
const PULSE_PAUSE: Duration = Duration::from_secs(1);
/// The least time between two values, however quickly things change.
const VALUE_PAUSE: Duration = Duration::from_millis(50);
/// Working out values takes one part in so many of the time at most.
const VALUE_SHARE: u32 = 4;

/// Kinds of records whose events may change somebody's rights.
const ACCESS: [&str; 5] = ["member", "role", "apiKey", "team", "tenant"];

/// Those who see the same.
pub(super) struct Circle {
    pub(super) class: Class,
    /// One of them, by whose settings is read.
    actor: Arc<Actor>,
    pub(super) feed: Arc<Feed>,
    audiences: Mutex<HashMap<[u8; 32], Arc<Audience>>>,
    joined: Notify,
    pub(super) closed: CancellationToken,
    /// Why there is no going on.
    ended: OnceLock<Failure>,
}

impl Circle {
    pub(super) fn new(class: Class, actor: Arc<Actor>, feed: Arc<Feed>) -> Self {
        Self {
            class,
            actor,
            feed,
            audiences: Mutex::default(),
            joined: Notify::new(),
            closed: CancellationToken::new(),
            ended: OnceLock::new(),
        }
    }

    pub(super) fn audience(&self, key: &[u8; 32]) -> Option<Arc<Audience>> {
        self.audiences().get(key).cloned()
    }

    pub(super) fn add(&self, audience: Arc<Audience>) {
        self.audiences()
            .insert(audience.operation.key, Arc::clone(&audience));
        self.joined.notify_one();
        // One that comes while all others are ended may have been overlooked.
        if let Some(failure) = self.ended.get() {
            audience.end(failure);
        }
    }

    /// Whether no audience is left after this one went, if it is empty.
    pub(super) fn remove_if_empty(&self, audience: &Arc<Audience>) -> bool {
        let mut audiences = self.audiences();
        let key = &audience.operation.key;
        let is_here = audiences
            .get(key)
            .is_some_and(|here| Arc::ptr_eq(here, audience));
        if is_here && audience.is_empty() {
            audiences.remove(key);
        }
        audiences.is_empty()
    }

    /// What one answer is worked out with.
    fn context(&self, running: &Running) -> Arc<RequestContext> {
        running.context(Arc::clone(&self.actor))
    }

    /// Tells of everything that happens, until nobody listens or there is no going on.
    pub(super) async fn run(&self, running: &Running) {
        let mut pulse = Instant::now() + running.pulse;
        loop {
            let Some(from) = self.lowest() else {
                tokio::select! {
                    () = self.closed.cancelled() => return,
                    () = self.joined.notified() => continue,
                }
            };
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = self.joined.notified() => continue,
                () = tokio::time::sleep_until(pulse) => {
                    let given = self.pulse(running).await;
                    pulse = Instant::now() + if given { running.pulse } else { PULSE_PAUSE };
                    continue;
                }
                () = self.feed.wait_past(from) => {}
            }
            let told = match self.feed.read(from).await {
                Ok(events) => self.tell(running, &events).await,
                Err(FeedError::Lost) => {
                    let cursor = self.feed.cursor(self.feed.position()).to_string();
                    let why = "what happened before this is not kept any more";
                    return self.fail(&Failure::resync(why, Some(cursor)));
                }
                Err(FeedError::Failed(_)) => Err(Unanswered::Later),
            };
            if told.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Tells all audiences, and stops at each event that may change rights to have those asked for anew.
    async fn tell(&self, running: &Running, events: &[Arc<Logged>]) -> Result<(), Unanswered> {
        let changes_rights = |event: &Arc<Logged>| ACCESS.contains(&event.entity.as_str());
        for part in events.split_inclusive(changes_rights) {
            let context = running.shared_context(Arc::clone(&self.actor));
            let audiences = self.all();
            let told = audiences
                .iter()
                .map(|audience| audience.tell(running, &self.feed, &context, part));
            for told in join_all(told).await {
                told?;
            }
            let Some(last) = part.last() else { continue };
            running
                .metrics
                .note_lag(context.db().clock().now() - last.occurred_at);
            if changes_rights(last) {
                // Those further on were interrupted when they were here, and those further behind are not here yet.
                let here = |audience: &&Arc<Audience>| audience.position() == last.seq;
                for audience in audiences.iter().filter(here) {
                    audience.recheck(last.seq, |actor| concerns(last, actor));
                }
            }
        }
        Ok(())
    }

    /// Tells all who are up to date that they are; whether that was all of them.
    async fn pulse(&self, running: &Running) -> bool {
        let context = running.shared_context(Arc::clone(&self.actor));
        let mut all = true;
        for audience in self.all() {
            let given = audience.pulse(running, &self.feed, &context).await;
            all &= given.unwrap_or(false);
        }
        all
    }

    /// Works a value out whenever it may be another one, until nobody listens.
    pub(super) async fn keep_value(&self, running: &Running, audience: &Audience) {
        let Kind::Value { outdated, .. } = &audience.kind else {
            return;
        };
        loop {
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = outdated.notified() => {}
            }
            if audience.is_empty() {
                return;
            }
            let began = Instant::now();
            let context = self.context(running);
            match audience.render(running, &context, Turn::Value).await {
                Ok(payload) => audience.send_value(running, &self.feed, payload),
                Err(Unanswered::Later) => {
                    tokio::time::sleep(PAUSE).await;
                    outdated.notify_one();
                }
                Err(Unanswered::Failed(failure)) => audience.fail(&failure),
            }
            drop(context);
            tokio::time::sleep(VALUE_PAUSE.max(began.elapsed() * VALUE_SHARE)).await;
        }
    }

    fn fail(&self, failure: &Failure) {
        _ = self.ended.set(failure.clone());
        self.closed.cancel();
        for audience in self.all() {
            audience.end(failure);
        }
    }

    /// The place of the audience that is least far.
    fn lowest(&self) -> Option<i64> {
        let audiences = self.audiences();
        audiences.values().map(|audience| audience.position()).min()
    }

    fn all(&self) -> Vec<Arc<Audience>> {
        self.audiences().values().cloned().collect()
    }

    fn audiences(&self) -> MutexGuard<'_, HashMap<[u8; 32], Arc<Audience>>> {
        self.audiences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an event may have changed somebody's rights.
fn concerns(event: &Logged, actor: &Actor) -> bool {
    match event.entity.as_str() {
        "member" | "apiKey" => actor.row_id() == event.id,
        "role" => actor
            .custom_role
            .is_some_and(|role| role.uuid() == event.id),
        _ => true,
    }
}
