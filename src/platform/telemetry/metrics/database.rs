//! Postgres: what waits for a connection, who has one, and how statements end.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

/// The SQLSTATEs that are told whole: serialization failure, deadlock, disk full, too many connections, lock timeout,
/// statement timeout, shutdown, crash.
const TOLD: [&str; 8] = [
    "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "57P02",
];

/// Whose connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pool {
    /// The login of actors' requests.
    App,
    /// The login of the server's own work.
    System,
    /// The login of actors' requests at the replica.
    Replica,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Activity {
    /// A transaction has it.
    Used,
    /// It waits for one.
    Idle,
}

label_values! {
    Pool { App = "app", System = "system", Replica = "replica" }
    Activity { Used = "used", Idle = "idle" }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PoolLabels {
    pool: Pool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    pool: Pool,
    state: Activity,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerbLabels {
    verb: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    sqlstate: String,
}

/// How a pool's connections are used at a moment.
#[derive(Debug, Clone, Copy)]
pub struct PoolUse {
    /// Connections that there may be.
    pub most: u32,
    /// Connections that are open.
    pub open: u32,
    /// Connections that transactions have.
    pub used: u32,
}

/// The metrics of Postgres.
#[derive(Debug, Clone)]
pub struct DatabaseMetrics {
    statements: Family<VerbLabels, Histogram, fn() -> Histogram>,
    errors: Family<ErrorLabels, Counter>,
    waits: Histogram,
    connections: Family<ConnectionLabels, Gauge>,
    most: Family<PoolLabels, Gauge>,
    /// Requests that wait to be admitted to a connection.
    pub waiting: Gauge,
    /// Transactions that admission control has let through and that have not ended.
    pub admitted: Gauge,
    /// Requests that were not admitted in time, or found their tenant's queue full.
    pub refused: Counter,
    /// Units of work that were run again because Postgres could not fit them between others.
    pub retried: Counter,
}

impl DatabaseMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        // From a tenth of a millisecond to thirteen seconds.
        let new: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0001, 2.0, 18));
        let metrics = Self {
            statements: Family::new_with_constructor(new),
            errors: Family::default(),
            waits: new(),
            connections: Family::default(),
            most: Family::default(),
            waiting: Gauge::default(),
            admitted: Gauge::default(),
            refused: Counter::default(),
            retried: Counter::default(),
        };
        registry.register_with_unit(
            "db_client_operation_duration",
            "How long statements took, with the rows they read",
            Unit::Seconds,
            metrics.statements.clone(),
        );
        registry.register(
            "db_statement_errors",
            "Statements and connections that failed, also those tried again, by the SQLSTATE or its class; LOST without an answer",
            metrics.errors.clone(),
        );
        registry.register_with_unit(
            "db_admission_wait",
            "How long requests waited to be admitted to a connection",
            Unit::Seconds,
            metrics.waits.clone(),
        );
        registry.register(
            "db_admission_waiting",
            "Requests that wait to be admitted to a connection",
            metrics.waiting.clone(),
        );
        registry.register(
            "db_admission_admitted",
            "Transactions that were admitted and have not ended",
            metrics.admitted.clone(),
        );
        registry.register(
            "db_admission_refused",
            "Requests answered TENANT_BUSY: not admitted in time, or the tenant's queue was full",
            metrics.refused.clone(),
        );
        registry.register(
            "db_client_connections",
            "Open connections",
            metrics.connections.clone(),
        );
        registry.register(
            "db_client_connections_max",
            "Connections that there may be",
            metrics.most.clone(),
        );
        registry.register(
            "db_transactions_retried",
            "Units of work run again after a deadlock or a serialization failure",
            metrics.retried.clone(),
        );
        metrics
    }

    /// Notes how long a statement took. The verb is of a closed set.
    pub fn note_statement(&self, verb: &'static str, took: Duration) {
        let duration = self.statements.get_or_create(&VerbLabels { verb });
        duration.observe(took.as_secs_f64());
    }

    /// Notes a statement that failed, or a connection that could not be had: by the SQLSTATE, or because no answer came.
    pub fn note_error(&self, sqlstate: Option<&str>) {
        // Of what operators look for the whole code is told, and of the others the first two of its five characters,
        // which are the class, of which there are some forty.
        let told = match sqlstate {
            None => "LOST",
            Some(state) if TOLD.contains(&state) => state,
            Some(state) => state.get(..2).unwrap_or("??"),
        };
        let labels = ErrorLabels {
            sqlstate: told.to_owned(),
        };
        self.errors.get_or_create(&labels).inc();
    }

    /// Notes how long a request has waited to be admitted.
    pub fn note_wait(&self, waited: Duration) {
        self.waits.observe(waited.as_secs_f64());
    }

    /// Notes how a pool is used now.
    pub fn note_pool(&self, pool: Pool, now: PoolUse) {
        let set = |state, count: u32| {
            let labels = ConnectionLabels { pool, state };
            self.connections.get_or_create(&labels).set(count.into());
        };
        set(Activity::Used, now.used);
        set(Activity::Idle, now.open.saturating_sub(now.used));
        self.most
            .get_or_create(&PoolLabels { pool })
            .set(now.most.into());
    }
}
