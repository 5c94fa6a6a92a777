use tokio::{
    sync::oneshot,
    task::{JoinHandle, yield_now},
};

use super::{state::MOST_WAITING, *};

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

fn two() -> (TenantId, TenantId) {
    (TenantId::new(), TenantId::new())
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
    let gate = gate(Duration::from_millis(20));
    let (a, b) = two();
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
    let gate = gate(Duration::from_secs(60));
    let (a, b) = two();
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
    let later = Instant::now() + Duration::from_secs(10);
    _ = gate.state().queue(b, later);
    let state = gate.state();
    assert!(state.lines.keys().eq([&b]), "who is gone is forgotten");
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

/// Tenants that keep asking: whoever is let in has something running for so many milliseconds, then the next one comes.
struct Play {
    state: State,
    now: Instant,
    waiting: Vec<oneshot::Receiver<Permit>>,
}

impl Play {
    const SHARES: Shares = Shares { all: 8, each: 2 };

    fn new() -> Self {
        Self {
            state: State::default(),
            now: Instant::now(),
            waiting: Vec::new(),
        }
    }

    /// So many more of a tenant wait.
    fn ask(&mut self, tenant: TenantId, times: usize) {
        for _ in 0..times {
            let turn = self.state.queue(tenant, self.now);
            self.waiting.push(turn.expect("there is room"));
        }
    }

    /// Who is let in now.
    fn let_in(&mut self) -> Vec<TenantId> {
        let let_in = self.state.let_in(&Self::SHARES, self.now);
        let_in.into_iter().map(|(tenant, _)| tenant).collect()
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn let_go(&mut self, tenants: &[TenantId]) {
        for tenant in tenants {
            self.state.let_go(*tenant, self.now);
        }
    }
}

#[test]
fn whoever_is_busy_all_the_time_is_left_with_half_a_share_and_whoever_is_not_has_all_of_it() {
    let (busy, calm) = two();
    let mut play = Play::new();
    play.ask(calm, 1);
    play.ask(busy, 400);
    let first = play.let_in();
    assert_eq!(first, [calm, busy, busy], "nothing is known of them yet");
    play.pass(5);
    play.let_go(&first);
    for _ in 0..100 {
        play.ask(calm, 2);
        let running = play.let_in();
        let of_calm = running.iter().filter(|tenant| **tenant == calm).count();
        assert_eq!(of_calm, 2, "it has its whole share at all times");
        play.pass(5);
        play.let_go(&running);
        let more = play.let_in();
        assert!(more.iter().all(|tenant| *tenant == busy), "calm has gone");
        play.pass(15);
        play.let_go(&more);
    }
    play.ask(calm, 2);
    let running = play.let_in();
    let of_busy = running.iter().filter(|tenant| **tenant == busy).count();
    assert_eq!(of_busy, 1);
}

#[test]
fn many_short_transactions_keep_a_tenant_as_busy_as_long_ones() {
    let (busy, calm) = two();
    let mut play = Play::new();
    for _ in 0..400 {
        play.ask(calm, 1);
        play.ask(busy, 1);
        let running = play.let_in();
        assert_eq!(running, [calm, busy]);
        play.let_go(&running[..1]);
        play.pass(5);
        play.let_go(&running[1..]);
    }
    play.ask(calm, 2);
    play.ask(busy, 2);
    assert_eq!(play.let_in(), [calm, busy, calm]);
}

#[test]
fn whoever_was_busy_has_its_share_again_when_it_has_paused() {
    let (busy, calm) = two();
    let mut play = Play::new();
    play.ask(busy, 8);
    let alone = play.let_in();
    assert_eq!(alone.len(), 8, "alone it has all");
    play.pass(2_000);
    play.let_go(&alone);
    play.ask(calm, 1);
    play.ask(busy, 3);
    let beside = play.let_in();
    assert_eq!(beside, [calm, busy], "half a share at once");
    play.let_go(&beside);
    let next = play.let_in();
    play.let_go(&next);
    play.pass(3_000);
    play.ask(calm, 1);
    play.ask(busy, 2);
    let again = play.let_in();
    let of_busy = again.iter().filter(|tenant| **tenant == busy).count();
    assert_eq!(of_busy, 2, "its whole share");
}
