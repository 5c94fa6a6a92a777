//! What the gate knows: who waits, who has what running, and how much that was of late.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::Permit;
use crate::base::ids::TenantId;

/// Most transactions of a tenant that wait.
pub(super) const MOST_WAITING: usize = 512;
/// So long after its last transaction a tenant still counts as at work. In its load, what was running a moment ago counts
/// a third of what is running now.
const MOMENT: Duration = Duration::from_secs(1);
/// Whoever keeps this part of half a share busy, on average, is greedy.
const GREEDY: f64 = 0.75;
/// A load below this is none.
const SLIGHT: f64 = 0.01;

/// How many connections there are, for all and for each.
pub(super) struct Shares {
    /// For all, and for one that is alone.
    pub(super) all: usize,
    /// For each while several are at work.
    pub(super) each: usize,
}

impl Shares {
    /// For each that is greedy while others are at work: half a share, but one at least.
    fn greedy(&self) -> usize {
        self.each.div_ceil(2)
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) running: usize,
    pub(super) lines: HashMap<TenantId, Line>,
    /// The tenants of which somebody waits, in the order of their turns.
    turns: VecDeque<TenantId>,
    /// Who came last, and when; and when anybody else did before.
    last: Option<(TenantId, Instant)>,
    other_at: Option<Instant>,
    /// When those who are gone were forgotten last.
    swept_at: Option<Instant>,
}

/// What a tenant has running and waiting.
pub(super) struct Line {
    running: usize,
    /// Whether it is among the turns.
    has_turn: bool,
    pub(super) waiting: VecDeque<oneshot::Sender<Permit>>,
    load: Load,
}

/// How many connections a tenant had on average, the last moment counting most: a mean that forgets exponentially.
struct Load {
    mean: f64,
    at: Instant,
}

impl State {
    /// Puts one more at the end of a tenant's line, and tells where its permit will come; `None` when the line is too long.
    pub(super) fn queue(
        &mut self,
        tenant: TenantId,
        now: Instant,
    ) -> Option<oneshot::Receiver<Permit>> {
        let line = self.line(tenant, now);
        if line.waiting.len() >= MOST_WAITING {
            line.waiting.retain(|waiting| !waiting.is_closed());
        }
        if line.waiting.len() >= MOST_WAITING {
            return None;
        }
        let (sender, turn) = oneshot::channel();
        line.waiting.push_back(sender);
        if !std::mem::replace(&mut line.has_turn, true) {
            self.turns.push_back(tenant);
        }
        Some(turn)
    }

    /// The line of a tenant that is at work now.
    fn line(&mut self, tenant: TenantId, now: Instant) -> &mut Line {
        if let Some((last, at)) = self.last.replace((tenant, now))
            && last != tenant
        {
            self.other_at = Some(at);
        }
        let swept_at = *self.swept_at.get_or_insert(now);
        if now.duration_since(swept_at) >= MOMENT {
            self.lines.retain(|_, line| !line.is_gone(now));
            self.swept_at = Some(now);
        }
        self.lines.entry(tenant).or_insert_with(|| Line::new(now))
    }

    /// Takes those from the lines who can be let in, tenant by tenant.
    pub(super) fn let_in(
        &mut self,
        shares: &Shares,
        now: Instant,
    ) -> Vec<(TenantId, oneshot::Sender<Permit>)> {
        let mut let_in = Vec::new();
        let mut left = self.turns.len();
        while self.running < shares.all && left > 0 {
            left -= 1;
            let Some(tenant) = self.turns.pop_front() else {
                break;
            };
            let is_alone = self.is_alone(tenant, now);
            let Some(line) = self.lines.get_mut(&tenant) else {
                continue;
            };
            let next = (line.running < line.limit(shares, is_alone, now))
                .then(|| line.next())
                .flatten();
            line.has_turn = !line.waiting.is_empty();
            if line.has_turn {
                self.turns.push_back(tenant);
            }
            if let Some(next) = next {
                line.run(1, now);
                self.running += 1;
                let_in.push((tenant, next));
                left = self.turns.len();
            }
        }
        let_in
    }

    /// Notes that a transaction of a tenant has ended.
    pub(super) fn let_go(&mut self, tenant: TenantId, now: Instant) {
        self.running -= 1;
        if let Some(line) = self.lines.get_mut(&tenant) {
            line.run(-1, now);
        }
    }

    fn is_alone(&self, tenant: TenantId, now: Instant) -> bool {
        let own = self.lines.get(&tenant).map_or(0, |line| line.running);
        let others_at = match self.last {
            Some((last, at)) if last != tenant => Some(at),
            _ => self.other_at,
        };
        self.running == own && others_at.is_none_or(|at| now.duration_since(at) >= MOMENT)
    }
}

impl Line {
    fn new(now: Instant) -> Self {
        Self {
            running: 0,
            has_turn: false,
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
        match self.load.by(self.running, now) > GREEDY * greedy as f64 {
            true => greedy,
            false => shares.each,
        }
    }

    /// The next one who still waits.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        while let Some(next) = self.waiting.pop_front() {
            if !next.is_closed() {
                return Some(next);
            }
        }
        None
    }

    /// So many more are running from now on.
    fn run(&mut self, more: isize, now: Instant) {
        self.load.by(self.running, now);
        self.running = self.running.saturating_add_signed(more);
    }

    /// Whether nothing has to be remembered of it.
    fn is_gone(&mut self, now: Instant) -> bool {
        self.running == 0 && !self.has_turn && self.load.by(0, now) < SLIGHT
    }
}

impl Load {
    /// What it comes to by now, when so many were running since it was asked last.
    fn by(&mut self, running: usize, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at);
        let kept = (-passed.div_duration_f64(MOMENT)).exp();
        self.mean = self.mean * kept + running as f64 * (1.0 - kept);
        self.at = now;
        self.mean
    }
}
