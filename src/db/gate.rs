//! Who may use the database next: a tenant that asks for much waits behind itself, not in front of others.
//!
//! Alone, a tenant may have every connection. As soon as another one is at work too, or was a moment ago, each may have
//! no more than its share at a time, and free connections are handed out tenant by tenant. What a tenant has running
//! competes with the others' work for processors, so a share is small: enough to keep them busy, not to fill a queue.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, time::timeout};

use crate::{
    error::{Error, Result},
    ids::TenantId,
};

/// So long after its last transaction a tenant still counts as at work.
const MOMENT: Duration = Duration::from_secs(1);
/// Most transactions of a tenant that wait.
const MOST_WAITING: usize = 512;

/// The turnstile in front of the connections for people's requests.
#[derive(Clone)]
pub(super) struct Gate(Arc<Inner>);

struct Inner {
    connections: usize,
    share: usize,
    patience: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: usize,
    lines: HashMap<TenantId, Line>,
    /// The tenants of which somebody waits, in the order of their turns.
    turns: VecDeque<TenantId>,
    /// Who came last, and when; and when anybody else did before.
    last: Option<(TenantId, Instant)>,
    other_at: Option<Instant>,
}

/// What a tenant has running and waiting.
#[derive(Default)]
struct Line {
    running: usize,
    /// Whether it is among the turns.
    has_turn: bool,
    waiting: VecDeque<oneshot::Sender<Permit>>,
}

/// Held for as long as a transaction has a connection.
pub(super) struct Permit {
    gate: Gate,
    tenant: TenantId,
}

impl Gate {
    /// One in front of so many connections, of which a tenant has `share` at a time while others are at work.
    pub(super) fn new(connections: u32, share: u32, patience: Duration) -> Self {
        Self(Arc::new(Inner {
            connections: connections as usize,
            share: share.clamp(1, connections) as usize,
            patience,
            state: Mutex::default(),
        }))
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// `BUSY` when too many of the tenant wait, or this one has waited too long.
    pub(super) async fn enter(&self, tenant: TenantId) -> Result<Permit> {
        let turn = {
            let mut state = self.state();
            state.note(tenant);
            let line = state.lines.entry(tenant).or_default();
            if line.waiting.len() >= MOST_WAITING {
                line.waiting.retain(|waiting| !waiting.is_closed());
            }
            if line.waiting.len() >= MOST_WAITING {
                return Err(Error::Busy);
            }
            let (sender, turn) = oneshot::channel();
            line.waiting.push_back(sender);
            if !std::mem::replace(&mut line.has_turn, true) {
                state.turns.push_back(tenant);
            }
            self.admit(state);
            turn
        };
        match timeout(self.0.patience, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::Busy),
        }
    }

    /// Lets in who can be let in, tenant by tenant.
    fn admit(&self, mut state: MutexGuard<'_, State>) {
        let mut let_in = Vec::new();
        let mut left = state.turns.len();
        while state.running < self.0.connections && left > 0 {
            left -= 1;
            let Some(tenant) = state.turns.pop_front() else {
                break;
            };
            let limit = match state.is_alone(tenant) {
                true => self.0.connections,
                false => self.0.share,
            };
            let Some(line) = state.lines.get_mut(&tenant) else {
                continue;
            };
            let is_let_in = line.running < limit
                && line.next().is_some_and(|next| {
                    let_in.push((next, tenant));
                    true
                });
            line.running += usize::from(is_let_in);
            line.has_turn = !line.waiting.is_empty();
            if line.has_turn {
                state.turns.push_back(tenant);
            } else if line.running == 0 {
                state.lines.remove(&tenant);
            }
            if is_let_in {
                state.running += 1;
                left = state.turns.len();
            }
        }
        drop(state);
        for (next, tenant) in let_in {
            let gate = self.clone();
            // Whoever has stopped waiting drops the permit, which lets the next one in.
            _ = next.send(Permit { gate, tenant });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes that a tenant is at work.
    fn note(&mut self, tenant: TenantId) {
        let now = Instant::now();
        if let Some((last, at)) = self.last.replace((tenant, now))
            && last != tenant
        {
            self.other_at = Some(at);
        }
    }

    fn is_alone(&self, tenant: TenantId) -> bool {
        let own = self.lines.get(&tenant).map_or(0, |line| line.running);
        let others_at = match self.last {
            Some((last, at)) if last != tenant => Some(at),
            _ => self.other_at,
        };
        self.running == own && others_at.is_none_or(|at| at.elapsed() >= MOMENT)
    }
}

impl Line {
    /// The next one who still waits.
    fn next(&mut self) -> Option<oneshot::Sender<Permit>> {
        while let Some(next) = self.waiting.pop_front() {
            if !next.is_closed() {
                return Some(next);
            }
        }
        None
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let gate = self.gate.clone();
        let mut state = gate.state();
        state.running -= 1;
        if let Some(line) = state.lines.get_mut(&self.tenant) {
            line.running -= 1;
            if line.running == 0 && !line.has_turn {
                state.lines.remove(&self.tenant);
            }
        }
        gate.admit(state);
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    fn gate(patience: Duration) -> Gate {
        Gate::new(8, 2, patience)
    }

    async fn enter(gate: &Gate, tenant: TenantId, times: usize) -> Vec<Permit> {
        let mut permits = Vec::new();
        for _ in 0..times {
            permits.push(gate.enter(tenant).await.expect("there is room"));
        }
        permits
    }

    /// So many more who wait in line.
    async fn line(gate: &Gate, tenant: TenantId, times: usize) -> Vec<JoinHandle<Result<Permit>>> {
        let wait = |_| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.enter(tenant).await })
        };
        let waiting: Vec<_> = (0..times).map(wait).collect();
        while gate.state().lines[&tenant].waiting.len() < times {
            yield_now().await;
        }
        waiting
    }

    #[tokio::test]
    async fn alone_a_tenant_has_all_and_beside_another_its_share() {
        let (gate, a, b) = (
            gate(Duration::from_millis(20)),
            TenantId::new(),
            TenantId::new(),
        );
        let all = enter(&gate, a, 8).await;
        assert!(matches!(gate.enter(a).await, Err(Error::Busy)), "no more");
        drop(all);
        let of_b = enter(&gate, b, 1).await;
        let of_a = enter(&gate, a, 2).await;
        assert!(matches!(gate.enter(a).await, Err(Error::Busy)), "its share");
        drop((of_a, of_b));
        assert_eq!(gate.state().running, 0);
    }

    #[tokio::test]
    async fn whoever_comes_second_does_not_wait_for_all_of_the_first() {
        let (gate, a, b) = (
            gate(Duration::from_secs(60)),
            TenantId::new(),
            TenantId::new(),
        );
        let mut running = enter(&gate, a, 8).await;
        let line = line(&gate, a, 100).await;
        let second = gate.enter(b);
        let let_go = async { drop(running.pop()) };
        let (permit, ()) = tokio::join!(second, let_go);
        let permit = permit.expect("its turn came");
        let is_waiting = |waiting: &JoinHandle<_>| !waiting.is_finished();
        assert!(line.iter().all(is_waiting), "a has more than its share");
        drop((permit, running));
        for waiting in line {
            let let_in = waiting.await.expect("it did not panic");
            drop(let_in.expect("all come to their turn"));
        }
        assert_eq!(gate.state().running, 0);
        assert!(gate.state().lines.is_empty(), "who is gone is forgotten");
    }

    #[tokio::test]
    async fn a_line_has_an_end_and_who_leaves_it_takes_nobodys_turn() {
        let (gate, a) = (gate(Duration::from_secs(60)), TenantId::new());
        let mut running = enter(&gate, a, 8).await;
        let mut line = line(&gate, a, MOST_WAITING).await;
        assert!(matches!(gate.enter(a).await, Err(Error::Busy)));
        let last = line.pop().expect("there is a line");
        line.iter().for_each(JoinHandle::abort);
        running.pop();
        let let_in = last.await.expect("it did not panic");
        assert!(let_in.is_ok(), "its turn came");
    }
}
