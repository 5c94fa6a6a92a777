use tokio::{
    sync::oneshot,
    task::{JoinHandle, yield_now},
};

use super::{state::MOST_WAITING, *};

fn admission(patience: Duration) -> Admission {
    Admission::new(8, 2, patience, Default::default())
}

async fn acquire(admission: &Admission, tenant: TenantId, times: usize) -> Vec<Permit> {
    let mut permits = Vec::new();
    for _ in 0..times {
        permits.push(admission.acquire(tenant).await.expect("there is room"));
    }
    permits
}

fn two() -> (TenantId, TenantId) {
    (TenantId::new(), TenantId::new())
}

/// So many more waiters.
async fn waiters(
    admission: &Admission,
    tenant: TenantId,
    times: usize,
) -> Vec<JoinHandle<Result<Permit>>> {
    let wait = |_| {
        let admission = admission.clone();
        tokio::spawn(async move { admission.acquire(tenant).await })
    };
    let waiting: Vec<_> = (0..times).map(wait).collect();
    while admission.state().queues[&tenant].waiting.len() < times {
        yield_now().await;
    }
    waiting
}

#[tokio::test]
async fn alone_a_tenant_has_all_and_beside_another_its_share() {
    let admission = admission(Duration::from_millis(20));
    let (a, b) = two();
    let all = acquire(&admission, a, 8).await;
    assert!(
        matches!(admission.acquire(a).await, Err(Error::Busy)),
        "no more"
    );
    drop(all);
    let of_b = acquire(&admission, b, 1).await;
    let of_a = acquire(&admission, a, 2).await;
    assert!(
        matches!(admission.acquire(a).await, Err(Error::Busy)),
        "its share"
    );
    drop((of_a, of_b));
    assert_eq!(admission.state().running, 0);
}

#[tokio::test]
async fn a_second_tenant_does_not_wait_for_all_of_the_first() {
    let admission = admission(Duration::from_secs(60));
    let (a, b) = two();
    let mut running = acquire(&admission, a, 8).await;
    let waiting = waiters(&admission, a, 100).await;
    let second = admission.acquire(b);
    let release = async { drop(running.pop()) };
    let (permit, ()) = tokio::join!(second, release);
    let permit = permit.expect("its turn came");
    let is_waiting = |waiting: &JoinHandle<_>| !waiting.is_finished();
    assert!(waiting.iter().all(is_waiting), "a has more than its share");
    drop((permit, running));
    for waiter in waiting {
        let admitted = waiter.await.expect("it did not panic");
        drop(admitted.expect("all come to their turn"));
    }
    assert_eq!(admission.state().running, 0);
    let later = Instant::now() + Duration::from_secs(10);
    _ = admission.state().enqueue(b, later);
    let state = admission.state();
    assert!(
        state.queues.keys().eq([&b]),
        "an inactive tenant is forgotten"
    );
}

#[tokio::test]
async fn a_queue_is_bounded_and_a_waiter_that_gives_up_takes_no_permit() {
    let (admission, a) = (admission(Duration::from_secs(60)), TenantId::new());
    let mut running = acquire(&admission, a, 8).await;
    let mut waiting = waiters(&admission, a, MOST_WAITING).await;
    assert!(matches!(admission.acquire(a).await, Err(Error::Busy)));
    let last = waiting.pop().expect("there is a line");
    waiting.iter().for_each(JoinHandle::abort);
    running.pop();
    let admitted = last.await.expect("it did not panic");
    assert!(admitted.is_ok(), "its turn came");
}

/// A simulation of tenants that keep asking, with a clock of its own.
struct Simulation {
    state: State,
    now: Instant,
    waiting: Vec<oneshot::Receiver<Permit>>,
}

impl Simulation {
    const SHARES: Shares = Shares { all: 8, each: 2 };

    fn new() -> Self {
        Self {
            state: State::default(),
            now: Instant::now(),
            waiting: Vec::new(),
        }
    }

    /// Adds so many waiters of a tenant.
    fn ask(&mut self, tenant: TenantId, times: usize) {
        for _ in 0..times {
            let permit = self.state.enqueue(tenant, self.now);
            self.waiting.push(permit.expect("there is room"));
        }
    }

    /// The tenants that are admitted now.
    fn admit(&mut self) -> Vec<TenantId> {
        let admitted = self.state.admit(&Self::SHARES, self.now);
        admitted.into_iter().map(|(tenant, _)| tenant).collect()
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
    }

    fn release(&mut self, tenants: &[TenantId]) {
        for tenant in tenants {
            self.state.release(*tenant, self.now);
        }
    }
}

#[test]
fn a_tenant_that_is_busy_all_the_time_has_half_a_share_and_another_all_of_it() {
    let (busy, calm) = two();
    let mut simulation = Simulation::new();
    simulation.ask(calm, 1);
    simulation.ask(busy, 400);
    let first = simulation.admit();
    assert_eq!(first, [calm, busy, busy], "nothing is known of them yet");
    simulation.pass(5);
    simulation.release(&first);
    for _ in 0..100 {
        simulation.ask(calm, 2);
        let running = simulation.admit();
        let of_calm = running.iter().filter(|tenant| **tenant == calm).count();
        assert_eq!(of_calm, 2, "it has its whole share at all times");
        simulation.pass(5);
        simulation.release(&running);
        let more = simulation.admit();
        assert!(more.iter().all(|tenant| *tenant == busy), "calm has gone");
        simulation.pass(15);
        simulation.release(&more);
    }
    simulation.ask(calm, 2);
    let running = simulation.admit();
    let of_busy = running.iter().filter(|tenant| **tenant == busy).count();
    assert_eq!(of_busy, 1);
}

#[test]
fn many_short_transactions_keep_a_tenant_as_busy_as_long_ones() {
    let (busy, calm) = two();
    let mut simulation = Simulation::new();
    for _ in 0..400 {
        simulation.ask(calm, 1);
        simulation.ask(busy, 1);
        let running = simulation.admit();
        assert_eq!(running, [calm, busy]);
        simulation.release(&running[..1]);
        simulation.pass(5);
        simulation.release(&running[1..]);
    }
    simulation.ask(calm, 2);
    simulation.ask(busy, 2);
    assert_eq!(simulation.admit(), [calm, busy, calm]);
}

#[test]
fn a_tenant_that_was_busy_has_its_share_again_after_a_pause() {
    let (busy, calm) = two();
    let mut simulation = Simulation::new();
    simulation.ask(busy, 8);
    let alone = simulation.admit();
    assert_eq!(alone.len(), 8, "alone it has all");
    simulation.pass(2_000);
    simulation.release(&alone);
    simulation.ask(calm, 1);
    simulation.ask(busy, 3);
    let beside = simulation.admit();
    assert_eq!(beside, [calm, busy], "half a share at once");
    simulation.release(&beside);
    let next = simulation.admit();
    simulation.release(&next);
    simulation.pass(3_000);
    simulation.ask(calm, 1);
    simulation.ask(busy, 2);
    let again = simulation.admit();
    let of_busy = again.iter().filter(|tenant| **tenant == busy).count();
    assert_eq!(of_busy, 2, "its whole share");
}
