//! Work that outlives a request: jobs, and schedules that have them done again and again.
//!
//! # What holds
//! - A job is put into the queue by the transaction that causes it ([`enqueue`]): it is there if and only if that commits.
//! - It runs inside the tenant, under row-level security: in the name of the person or program that caused it, with the
//!   rights that they have when it runs, or in the server's own name.
//! - It runs at least once, and what it writes in Postgres is written once: [`Run::finish`] commits the last unit of work
//!   and the end of the job together, and [`Run::write`] only writes while the job is still this worker's. What it does to
//!   the outside world can happen twice when a worker dies in between; it has [`Run::id`] to tell others by.
//! - A job is a worker's for the time of a lease, which the worker prolongs. Leases are of the database's clock, and each
//!   claim has a number (the fence) that whoever completes the job repeats: a worker that was thought dead and comes back
//!   completes nothing.
//! - No tenant waits for another: workers go round the tenants that have something to do, and take a few jobs of each.
//! - Nothing holds a session or a lock across tenants, so that it works through a pooler and with the tables of tenants on
//!   different machines.
//!
//! # How a job comes to run
//! 1. The row goes into `jobs`; the last statement before COMMIT moves `job_queues.due_at` of the tenant.
//! 2. A hint wakes the workers of this server after the commit; those of others ask every second which tenants have
//!    something to do, in one statement.
//! 3. [`worker`] takes jobs of a tenant in one transaction of the tenant ([`claim`]), tries each in a task of its own
//!    ([`attempt`]), and notes how each ended ([`ending`]).
//!
//! A kind of job is a [`Job`] (what is known of it) and a [`Handler`] (how it is done). To add one, implement both and
//! register the handler where the server is put together.

mod attempt;
mod claim;
pub mod consumers;
mod ending;
pub mod forgetting;
mod handler;
mod job;
mod keep;
mod notes;
mod queue;
mod run;
pub mod schedules;
mod seat;
mod timetable;
mod worker;

pub use claim::Claim;
pub use handler::{Done, Failure, Handler, Handlers};
pub use job::{Job, Policy};
pub use keep::{FORGOTTEN_AT_ONCE, forget, run as keep};
pub use queue::{Enqueued, When, cancel, enqueue, enqueue_as_system, retry};
pub use run::Run;
pub use worker::{Authority, Worker, WorkerSettings};
