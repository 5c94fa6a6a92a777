//! A kind of job that does what a test wants of it, and workers that do it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use dealgraph::{
    base::{error::Error, ids::ProductId},
    crm::products::{self, NewProduct, ProductFields},
    db::{
        Tx,
        journal::{Origin, Recorder},
    },
    jobs::{
        Done, Failure, Handler, Handlers, Job, Policy, Run, When, Worker, WorkerSettings, enqueue,
    },
    organization::{auth::Access, identities::Identities},
    platform::redis::{RedisAddress, Throttle},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::harness::{Side, Who, World, open};

/// How long a test waits for what should come.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a job is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Act {
    /// Creates a product of the name as its last act.
    Create(String),
    /// Fails so many times, and then succeeds.
    Fail(u32),
    /// Fails for good.
    Refuse,
    /// Panics.
    Panic,
    /// Goes on until somebody wants it to end.
    Wait,
    /// Says how far it is, then waits until the test lets it go on.
    Hold(String),
    /// Does nothing.
    Nothing(u32),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Probe {
    pub(super) act: Act,
    pub(super) key: Option<String>,
}

impl Job for Probe {
    const KIND: &'static str = "test.probe";
    const POLICY: Policy = Policy {
        attempts: 3,
        first_pause: Duration::from_millis(20),
        ..Policy::USUAL
    };

    fn unique_key(&self) -> Option<String> {
        self.key.clone()
    }
}

/// A kind of which one of a tenant runs at a time.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Single(pub(super) u32);

impl Job for Single {
    const KIND: &'static str = "test.single";
    const POLICY: Policy = Policy {
        per_tenant: Some(1),
        ..Policy::USUAL
    };
}

/// What a test sees of the jobs that were done.
#[derive(Default)]
pub(super) struct Seen {
    begun: Mutex<Vec<(String, u32)>>,
    /// Those of the kind [`Single`] that run, and the most that ever did.
    together: Mutex<(u32, u32)>,
    pub(super) go_on: Notify,
}

impl Seen {
    /// The attempts that were begun: in whose name, and which it was.
    pub(super) fn begun(&self) -> Vec<(String, u32)> {
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn most_together(&self) -> u32 {
        self.together
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1
    }

    fn note(&self, run: &Run) {
        let begun = (run.actor().author.to_string(), run.attempt());
        self.begun
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(begun);
    }
}

async fn create(tx: &mut Tx, name: String) -> Result<ProductId, Error> {
    let id = ProductId::new();
    let new = NewProduct {
        id,
        fields: ProductFields::new(name.clone(), name),
        created_at: None,
    };
    products::create(tx, new).await?;
    Ok(id)
}

struct Probing(Arc<Seen>);

impl Handler for Probing {
    type Job = Probe;

    async fn run(&self, job: Probe, run: &Run) -> Result<Done, Failure> {
        self.0.note(run);
        match job.act {
            Act::Create(name) => {
                run.finish(async |tx| Ok(json!({ "product": create(tx, name).await? })))
                    .await
            }
            Act::Fail(times) if run.attempt() <= times => {
                Err(Failure::passing("NOT_YET", "this is not the time"))
            }
            Act::Refuse => Err(Failure::lasting("NEVER", "this can't be done")),
            Act::Panic => panic!("a job that panics"),
            Act::Wait => {
                run.cancelled().cancelled().await;
                Ok(Done::With(json!("was asked to end")))
            }
            Act::Hold(name) => {
                run.progress(1, Some(2), "half of it").await?;
                self.0.go_on.notified().await;
                run.write(async |tx| create(tx, name).await).await?;
                Ok(Done::quietly())
            }
            Act::Fail(_) | Act::Nothing(_) => Ok(Done::quietly()),
        }
    }
}

struct OneByOne(Arc<Seen>);

impl Handler for OneByOne {
    type Job = Single;

    async fn run(&self, _: Single, _: &Run) -> Result<Done, Failure> {
        let together = || {
            self.0
                .together
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        {
            let mut together = together();
            together.0 += 1;
            together.1 = together.1.max(together.0);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        together().0 -= 1;
        Ok(Done::quietly())
    }
}

/// A worker of its own, beside the one of the world's server, which does not know these kinds.
pub(super) struct Working {
    pub(super) seen: Arc<Seen>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Working {
    pub(super) async fn begin(world: &World, settings: WorkerSettings) -> Self {
        // Not through the world's own access, where each statement is judged as one of a request.
        let db = open(&world.database, 4).await;
        let seen = Arc::<Seen>::default();
        let handlers = Handlers::default()
            .with(Probing(Arc::clone(&seen)))
            .with(OneByOne(Arc::clone(&seen)));
        let (recorder, _) = Recorder::start(db.clone());
        let authority = Access::new(
            db.clone(),
            recorder,
            Arc::clone(&world.tokens),
            Arc::new(Identities::none()),
            Throttle::new(&RedisAddress::none()),
        );
        let worker = Worker::new(db, handlers, Arc::new(authority), settings);
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::new(worker).run(stop.clone()));
        Self { seen, stop, task }
    }

    /// Ends as a server does that is to stop.
    pub(super) async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("a worker does not panic");
    }
}

/// Settings for tests, which do not wait for long.
pub(super) fn quick() -> WorkerSettings {
    WorkerSettings {
        slots: 8,
        poll: Duration::from_millis(50),
        ..WorkerSettings::default()
    }
}

/// Puts a job into the queue, as a person does.
pub(super) async fn put<J: Job>(world: &World, side: Side, who: Who, job: &J) {
    put_at(world, (side, who), job, When::Now).await;
}

pub(super) async fn put_at<J: Job>(world: &World, (side, who): (Side, Who), job: &J, when: When) {
    let (actor, origin) = (side.actor(who), Origin::process("test-of-jobs"));
    let enqueued = world
        .db
        .write(&actor, &origin, async |tx| enqueue(tx, job, when).await);
    enqueued.await.expect("a job can be put into the queue");
}

pub(super) fn probe(act: Act) -> Probe {
    Probe { act, key: None }
}

const JOBS: &str = "{ jobs(first: 100, filter: { kind: { startsWith: \"test.\" } }) { nodes { id kind status attempts result error { code message }
    progress { done total message } author { kind user { id } } cancelRequestedAt endedAt } } }";

/// The jobs that somebody sees, the oldest first.
pub(super) async fn jobs(world: &World, side: Side, who: Who) -> Vec<Value> {
    let answer = world.member(side, who).query(JOBS).await;
    let mut jobs = answer["jobs"]["nodes"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    jobs.reverse();
    jobs
}

/// Waits until all jobs that somebody sees have ended.
pub(super) async fn ended(world: &World, side: Side, who: Who) -> Vec<Value> {
    until(world, (side, who), |jobs| {
        !jobs.is_empty() && jobs.iter().all(|job| !job["endedAt"].is_null())
    })
    .await
}

/// Waits until the jobs that somebody sees are as they should be.
pub(super) async fn until(
    world: &World,
    (side, who): (Side, Who),
    fits: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let jobs = jobs(world, side, who).await;
        if fits(&jobs) {
            return jobs;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "it never came: {jobs:#?}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// How many jobs have each status.
pub(super) fn census(jobs: &[Value]) -> BTreeMap<String, usize> {
    let mut census = BTreeMap::new();
    for job in jobs {
        *census
            .entry(job["status"].as_str().unwrap_or_default().to_owned())
            .or_default() += 1;
    }
    census
}
