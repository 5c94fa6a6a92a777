//! The state of admission: per tenant a queue of waiters, what is running, and the recent load.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Permit;
use crate::base::ids::TenantId;

/// The longest queue of a tenant.
pub(super) const MOST_WAITING: usize = 512;
/// A tenant counts as active for this long after its last transaction. In its load, what was running this long ago
/// weighs a third of what is running now.
const MOMENT: Duration = Duration::from_secs(1);
/// A tenant that keeps this part of half a share busy, on average, is greedy.
const GREEDY: f64 = 0.75;
/// A load below this counts as none.
const SLIGHT: f64 = 0.01;

/// How many connections there are, for all and for each.
pub(super) struct Shares {
    /// For all, and for a tenant that is alone.
    pub(super) all: usize,
    /// For each tenant while several are active.
    pub(super) each: usize,
}

impl Shares {
    /// For each greedy tenant while others are active: half a share, but one at least.
    fn greedy(&self) -> usize {
        self.each.div_ceil(2)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) running: usize,
    pub(super) queues: HashMap<TenantId, TenantQueue>,
    /// The tenants that have waiters, in round-robin order.
    round: VecDeque<TenantId>,
    /// The tenant that came last, and when; and when another one did before.
    last: Option<(TenantId, Instant)>,
    other_at: Option<Instant>,
    /// When the queues of inactive tenants were last removed.
    swept_at: Option<Instant>,
}

/// What a tenant has running and waiting.
pub(super) struct TenantQueue {
    running: usize,
    /// Whether it is in the round.
    is_in_round: bool,
    pub(super) waiting: VecDeque<oneshot::Sender<Permit>>,
    load: Load,
}

/// How many connections a tenant had on average: an exponentially weighted mean.
struct Load {
    mean: f64,
    at: Instant,
}

impl State {
    /// Adds a waiter to a tenant's queue; answers where its permit will arrive, or `None` when the queue is full.
    pub(super) fn enqueue(
        &mut self,
        tenant: TenantId,
        now: Instant,
    ) -> Option<oneshot::Receiver<Permit>> {
        let queue = self.queue(tenant, now);
        if queue.waiting.len() >= MOST_WAITING {
            queue.waiting.retain(|waiting| !waiting.is_closed());
        }
        if queue.waiting.len() >= MOST_WAITING {
            return None;
        }
        let (sender, permit) = oneshot::channel();
        queue.waiting.push_back(sender);
        if !std::mem::replace(&mut queue.is_in_round, true) {
            self.round.push_back(tenant);
        }
        Some(permit)
    }

    /// The queue of a tenant, which is active now.
    fn queue(&mut self, tenant: TenantId, now: Instant) -> &mut TenantQueue {
        if let Some((last, at)) = self.last.replace((tenant, now))
            && last != tenant
        {
            self.other_at = Some(at);
        }
        let swept_at = *self.swept_at.get_or_insert(now);
        if now.duration_since(swept_at) >= MOMENT {
            self.queues.retain(|_, queue| !queue.is_inactive(now));
            self.swept_at = Some(now);
        }
        self.queues
            .entry(tenant)
            .or_insert_with(|| TenantQueue::new(now))
    }

    /// Takes the waiters that can be admitted, round by round of the tenants.
    pub(super) fn admit(
        &mut self,
        shares: &Shares,
        now: Instant,
    ) -> Vec<(TenantId, oneshot::Sender<Permit>)> {
        let mut admitted = Vec::new();
        let mut left = self.round.len();
        while self.running < shares.all && left > 0 {
            left -= 1;
            let Some(tenant) = self.round.pop_front() else {
                break;
            };
            let is_alone = self.is_alone(tenant, now);
            let Some(queue) = self.queues.get_mut(&tenant) else {
                continue;
            };
            let waiter = (queue.running < queue.limit(shares, is_alone, now))
                .then(|| queue.next())
                .flatten();
            queue.is_in_round = !queue.waiting.is_empty();
            if queue.is_in_round {
                self.round.push_back(tenant);
            }
            if let Some(waiter) = waiter {
                queue.run(1, now);
                self.running += 1;
                admitted.push((tenant, waiter));
                left = self.round.len();
            }
        }
        admitted
    }

    /// Notes that a transaction of a tenant has ended.
    pub(super) fn release(&mut self, tenant: TenantId, now: Instant) {
        self.running -= 1;
        if let Some(queue) = self.queues.get_mut(&tenant) {
            queue.run(-1, now);
        }
    }

    fn is_alone(&self, tenant: TenantId, now: Instant) -> bool {
        let own = self.queues.get(&tenant).map_or(0, |queue| queue.running);
        let others_at = match self.last {
            Some((last, at)) if last != tenant => Some(at),
            _ => self.other_at,
        };
        self.running == own && others_at.is_none_or(|at| now.duration_since(at) >= MOMENT)
    }
}

impl TenantQueue {
    fn new(now: Instant) -> Self {
        Self {
            running: 0,
            is_in_round: false,
            waiting: VecDeque::new(),
            load: Load { mean: 0.0, at: now },
        }
    }

    /// How many it may have running.
    fn limit(&mut self, shares: &Shares, is_alone: bool, now: Instant) -> usize {
        if is_alone {
            return shares.all;
        }
        let greedy = shares.greedy();
        match self.load.update(self.running, now) > GREEDY * greedy as f64 {
            true => greedy,
            false => shares.each,
        }
    }

    /// The next waiter that has not given up.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        while let Some(next) = self.waiting.pop_front() {
            if !next.is_closed() {
                return Some(next);
            }
        }
        None
    }

    /// Changes how many are running from now on.
    fn run(&mut self, more: isize, now: Instant) {
        self.load.update(self.running, now);
        self.running = self.running.saturating_add_signed(more);
    }

    /// Whether nothing has to be remembered of it.
    fn is_inactive(&mut self, now: Instant) -> bool {
        self.running == 0 && !self.is_in_round && self.load.update(0, now) < SLIGHT
    }
}

impl Load {
    /// Updates it, for so many that were running since the last update.
    fn update(&mut self, running: usize, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        let decay = (-passed.div_duration_f64(MOMENT)).exp();
        self.mean = self.mean * decay + running as f64 * (1.0 - decay);
        self.at = now;
        self.mean
    }
}
