//! How the audiences of a circle are told of what happens: together, each event worked out once for all of them from one
//! snapshot, but for those that the others would have to wait for. These go aside, each at its own pace and with a
//! connection of its own for a turn; whoever takes too long even so is ended.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    Failure, Live, Running,
    group::{Circle, PAUSE},
    operation::Unanswered,
    shared::Audience,
};
use crate::{
    access::Actor,
    base::ids::Typed as _,
    events::{FeedError, Logged},
};

/// How soon a pulse that could not be given is tried again.
const PULSE_PAUSE: Duration = Duration::from_secs(1);
/// Those who go together wait for each other at most one part in so many of the time that one event may take.
const SHARED_PART: u32 = 2;
/// Who went aside only because of a delay comes back once it has needed no more than one part in so many of that.
const QUICK_PART: u32 = 10;
/// So often one event may take too long before its audience is ended.
const TRIES: u32 = 3;

/// Kinds of records whose events may change somebody's rights.
const ACCESS: [&str; 5] = ["member", "role", "apiKey", "team", "tenant"];

/// Which audiences of a circle go along.
pub(super) enum Lane {
    /// All but those that are aside.
    Together,
    /// One by itself.
    Aside(Arc<Audience>),
}

/// Why events are not told yet.
enum Untold {
    /// The database does not answer.
    Later,
    /// It took too long.
    Slow,
}

impl Live {
    /// Has a lane told for as long as there is somebody in it.
    pub(super) fn follow(self: &Arc<Self>, circle: &Arc<Circle>, lane: Lane) {
        let (live, circle) = (Arc::clone(self), Arc::clone(circle));
        self.tasks
            .spawn(async move { circle.follow(&live, &lane).await });
    }
}

impl Lane {
    fn audiences(&self, circle: &Circle) -> Vec<Arc<Audience>> {
        match self {
            Self::Together => {
                let all = circle.all().into_iter();
                all.filter(|audience| !audience.is_aside()).collect()
            }
            Self::Aside(audience) => vec![Arc::clone(audience)],
        }
    }

    /// When there is nobody in it any more.
    async fn left(&self) {
        match self {
            Self::Together => std::future::pending().await,
            Self::Aside(audience) => audience.left.cancelled().await,
        }
    }

    /// When somebody has come, who may be behind.
    async fn joined(&self, circle: &Circle) {
        match self {
            Self::Together => circle.joined.notified().await,
            Self::Aside(_) => std::future::pending().await,
        }
    }
}

impl Circle {
    /// Tells of everything that happens, until nobody listens or there is no going on.
    async fn follow(self: Arc<Self>, live: &Arc<Live>, lane: &Lane) {
        let running = &live.running;
        let mut pulse = Instant::now() + running.pulse;
        // How many events are told in one go, and how often in a row one was too many.
        let (mut most, mut tries) = (usize::MAX, 0);
        loop {
            let audiences = lane.audiences(&self);
            let positions = audiences.iter().map(|audience| audience.position());
            let from = positions.min();
            tokio::select! {
                () = self.closed.cancelled() => return,
                () = lane.left() => return,
                () = lane.joined(&self) => continue,
                () = sleep_until(pulse) => {
                    let given = self.pulse(running, &audiences).await;
                    pulse = Instant::now() + if given { running.pulse } else { PULSE_PAUSE };
                    continue;
                }
                () = async {
                    match from {
                        Some(from) => self.feed.wait_past(from).await,
                        None => std::future::pending().await,
                    }
                } => {}
            }
            let Some(from) = from else { continue };
            let events = match self.feed.read(from).await {
                Ok(events) => events,
                Err(FeedError::Lost) => {
                    let cursor = self.feed.cursor(self.feed.position()).to_string();
                    let why = "what happened before this is not kept any more";
                    let failure = Failure::resync(why, Some(cursor));
                    return match lane {
                        Lane::Together => self.fail(&failure),
                        Lane::Aside(audience) => audience.end(&failure),
                    };
                }
                Err(FeedError::Failed(_)) => {
                    sleep(PAUSE).await;
                    continue;
                }
            };
            let events = &events[..events.len().min(most)];
            let told = match lane {
                Lane::Together => self.tell_all(live, &audiences, events).await,
                Lane::Aside(audience) => self.tell_one(live, audience, events).await,
            };
            match told {
                Ok(took) => {
                    (most, tries) = (most.saturating_mul(2), 0);
                    if let Lane::Aside(audience) = lane
                        && !audience.is_heavy
                        && took < running.limits.event_time / QUICK_PART
                    {
                        audience.set_aside(false);
                        self.joined.notify_one();
                        return;
                    }
                }
                Err(Untold::Later) => sleep(PAUSE).await,
                Err(Untold::Slow) if events.len() > 1 => most = events.len().div_ceil(2),
                Err(Untold::Slow) => {
                    tries += 1;
                    if let Lane::Aside(audience) = lane
                        && tries == TRIES
                    {
                        let cursor = self.feed.cursor(audience.position()).to_string();
                        audience.fail(&Failure::too_slow(cursor));
                        tries = 0;
                    }
                }
            }
        }
    }

    /// Tells those who go together. Whoever is not told in time goes aside, so that the others wait no longer.
    async fn tell_all(
        self: &Arc<Self>,
        live: &Arc<Live>,
        audiences: &[Arc<Audience>],
        events: &[Arc<Logged>],
    ) -> Result<Duration, Untold> {
        let began = Instant::now();
        let patience = live.running.limits.event_time / SHARED_PART;
        for part in events.split_inclusive(changes_rights) {
            let Some(last) = part.last() else { continue };
            let told = timeout(patience, self.tell(&live.running, audiences, part)).await;
            match told {
                Ok(told) => told.map_err(|_| Untold::Later)?,
                Err(_) => {
                    let untold = audiences
                        .iter()
                        .filter(|audience| audience.position() < last.seq);
                    for audience in untold.filter(|audience| audience.set_aside(true)) {
                        live.follow(self, Lane::Aside(Arc::clone(audience)));
                    }
                    recheck(audiences, last);
                    // Who is here still is another matter from now on.
                    return Ok(began.elapsed());
                }
            }
            recheck(audiences, last);
        }
        Ok(began.elapsed())
    }

    /// Tells one that is aside, when it is its turn.
    async fn tell_one(
        &self,
        live: &Arc<Live>,
        audience: &Arc<Audience>,
        events: &[Arc<Logged>],
    ) -> Result<Duration, Untold> {
        let _turn = self.heavy.acquire().await;
        let began = Instant::now();
        let one = std::slice::from_ref(audience);
        for part in events.split_inclusive(changes_rights) {
            let Some(last) = part.last() else { continue };
            let told = self.tell(&live.running, one, part);
            let told = timeout(live.running.limits.event_time, told).await;
            told.map_err(|_| Untold::Slow)?.map_err(|_| Untold::Later)?;
            recheck(one, last);
        }
        Ok(began.elapsed())
    }

    /// Tells audiences of events from one snapshot.
    async fn tell(
        &self,
        running: &Running,
        audiences: &[Arc<Audience>],
        events: &[Arc<Logged>],
    ) -> Result<(), Unanswered> {
        let context = self.shared_context(running);
        let told = audiences
            .iter()
            .map(|audience| audience.tell(running, &self.feed, &context, events));
        for told in join_all(told).await {
            told?;
        }
        if let Some(last) = events.last() {
            running
                .metrics
                .note_lag(context.db().clock().now() - last.occurred_at);
        }
        Ok(())
    }

    /// Tells all who are up to date that they are; whether that was all of them.
    async fn pulse(&self, running: &Running, audiences: &[Arc<Audience>]) -> bool {
        let context = self.shared_context(running);
        let mut all = true;
        for audience in audiences {
            let given = audience.pulse(running, &self.feed, &context).await;
            all &= given.unwrap_or(false);
        }
        all
    }
}

/// Whether an event may change rights: nothing after it is told before those whom it concerns are asked for anew.
fn changes_rights(event: &Arc<Logged>) -> bool {
    ACCESS.contains(&event.entity.as_str())
}

/// Interrupts those whose rights an event may have changed. Those further on were interrupted when they were here, and
/// those further behind are not here yet.
fn recheck(audiences: &[Arc<Audience>], event: &Arc<Logged>) {
    if changes_rights(event) {
        let here = audiences
            .iter()
            .filter(|audience| audience.position() == event.seq);
        for audience in here {
            audience.recheck(event.seq, |actor| concerns(event, actor));
        }
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
