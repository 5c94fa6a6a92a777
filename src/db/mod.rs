//! The one owner of connections, and the only way from an [`Actor`] to row-level security.
//!
//! - [`Db::write`]: one unit of work on behalf of an actor; its events are appended to the event log with it.
//! - [`ReadSession`]: one read-only snapshot on behalf of an actor, shared by all of a query; where its [`Freshness`]
//!   allows it, of a replica.
//! - [`Db::system`]: the other login, for the few things that happen before or beyond an actor; each use says why.
//!
//! Nothing outside this folder can reach a connection in any other way. `admission` decides which tenant gets the next
//! one, `connections` keeps them ready.

mod admission;
mod autocommit;
pub mod columns;
mod connections;
mod constraint;
mod contradiction;
mod forms;
pub mod journal;
mod judge;
pub mod list;
mod masked;
pub mod migrate;
mod options;
mod order;
mod predicate;
pub mod probe;
mod registered;
mod replica;
pub mod schema;
mod session;
mod sql;
mod startup;
mod statements;
mod tx;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions as _, SqlStr,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use admission::{Admission, Permit};
pub use autocommit::AutocommitReader;
pub use columns::{
    Columns, Part, Read, Writing, Written, all as all_columns, select_list, sensitivity, written,
};
use connections::Connections;
use constraint::is_lost;
pub use judge::Row as KnownRow;
pub(crate) use masked::refuse_hidden_filter;
pub use options::{Logins, PoolOptions, SystemReason};
pub use order::{Cursor, Direction, OrderField, OrderTerm, ValueKind};
pub use predicate::{Column, Comparison, Predicate, Quantifier, Value};
pub use registered::Registered;
pub(crate) use registered::register;
pub use replica::{Fallback, Freshness, Out, ReplicaPoint, ReplicaState};
pub use schema::{SchemaState, schema_state};
pub use session::ReadSession;
pub use sql::{Row, Sql, rows_per_statement};
pub use startup::{StartupError, check};
use statements::Mode;
pub use statements::Statements;
pub use tx::{ReadTx, SystemTx, Tx};

use crate::{
    access::{Actor, Oneself, Standing},
    base::{
        clock::Clock,
        error::{Error, Result},
    },
    db::journal::Origin,
    platform::telemetry::{
        Statement,
        metrics::{Metrics, Pool},
    },
};

type Observer = Arc<dyn Fn(&str) + Send + Sync>;

/// How statements are run.
#[derive(Clone, Default)]
struct StatementOptions {
    prepared: bool,
    observer: Option<Observer>,
    metrics: Arc<Metrics>,
    slow: Duration,
    explains_slow: bool,
}

impl StatementOptions {
    /// A statement that begins.
    fn statement(&self, text: SqlStr) -> Statement {
        Statement::begin(text, &self.metrics, self.slow)
    }
}

/// How a transaction begins.
struct Beginning {
    mode: Mode,
    /// What goes before it, in the same message. Empty or ends with `; `.
    guard: String,
    /// Its settings.
    settings: String,
}

/// The database: its pools, and nothing of them shown.
#[derive(Clone)]
pub struct Db {
    app: Connections,
    admission: Admission,
    system: Connections,
    replica: Option<replica::Replica>,
    /// Connections for requests, and a tenant's share of them.
    sizes: (u32, u32),
    clock: Clock,
    hints: journal::Hints,
    statement_options: StatementOptions,
}

impl Db {
    /// Opens both pools lazily; nothing is connected yet.
    #[must_use]
    pub fn open(
        Logins { app, system }: Logins,
        options: &PoolOptions,
        clock: Clock,
        hints: journal::Hints,
    ) -> Self {
        let metrics = Arc::<Metrics>::default();
        let patience = options.acquire_timeout;
        let app = connections(options.size, patience, app, "dealgraph");
        app.count_in(&metrics, Pool::App);
        let system = connections(options.system_size, patience, system, "dealgraph-system");
        system.count_in(&metrics, Pool::System);
        let admission = Admission::new(
            options.size,
            options.tenant_share,
            options.acquire_timeout,
            Arc::clone(&metrics),
        );
        Self {
            admission,
            app,
            system,
            replica: None,
            sizes: (options.size, options.tenant_share),
            clock,
            hints,
            statement_options: StatementOptions {
                prepared: options.prepared,
                observer: None,
                metrics,
                slow: options.slow,
                explains_slow: options.explains_slow,
            },
        }
    }

    /// The same database with every statement's text shown to `observer`; for tests that judge statements.
    #[must_use]
    pub fn observed(mut self, observer: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.statement_options.observer = Some(Arc::new(observer));
        self
    }

    /// The clock that dates what is written.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The metrics of the server that it is the database of.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.statement_options.metrics
    }

    /// Where it publishes that a tenant's event log has grown.
    #[must_use]
    pub fn hints(&self) -> &journal::Hints {
        &self.hints
    }

    /// Opens a read-only snapshot for an actor, at its first use.
    #[must_use]
    pub fn read_session(&self, actor: Arc<Actor>) -> ReadSession {
        self.read_session_with(actor, Freshness::Current)
    }

    /// Runs one unit of work for an actor: all of it or nothing, the events with it.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn write<T>(
        &self,
        actor: &Arc<Actor>,
        origin: &Origin,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        match actor.standing {
            Standing::Active => {}
            Standing::Suspended => return Err(Error::TenantSuspended),
            Standing::Deleting => return Err(Error::TenantDeleting),
        }
        if let Some(request) = origin
            .work
            .as_ref()
            .filter(|work| work.to_rebuild().is_some())
        {
            return Err(request.note_lost(journal::idempotency::READ));
        }
        let settings = format!("{}{}", actor.settings(), actor.writing());
        let statements = self.begin_for(actor, Mode::Change, settings).await?;
        let reads = ReadTx::new(statements, Arc::clone(actor), self.clock.now());
        let mut tx = Tx::new(reads, origin);
        let done = work(&mut tx).await?;
        let request = origin.work.as_ref().filter(|_| tx.has_pending());
        if let Some(request) = request {
            // A worker that goes on in the actor's name has no part in the request's key.
            if let Some(claim) = request.claim.as_ref().filter(|claim| claim.is_of(&tx)) {
                journal::idempotency::note_written(&mut tx, claim).await?;
            }
        }
        let seq = journal::append(&mut tx, origin).await?;
        let has_enqueued = tx.first_due().is_some();
        if let Some(request) = request {
            request.note_committing();
        }
        tx.commit().await?;
        if let Some(request) = request {
            request.note_committed(seq);
        }
        if has_enqueued {
            self.hints.wake_workers();
        }
        if let Some(seq) = seq {
            self.hints.publish(actor.tenant, seq);
        }
        Ok(done)
    }

    /// Begins a transaction as the system login; rolled back unless committed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn system(&self, reason: SystemReason) -> Result<SystemTx> {
        self.begin_system(reason, String::new()).await
    }

    /// Begins a transaction of a person on their own account, which the policies hold it to; rolled back unless
    /// committed.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn account(&self, oneself: &Oneself) -> Result<SystemTx> {
        self.begin_system(SystemReason::Account, oneself.settings())
            .await
    }

    async fn begin_system(&self, reason: SystemReason, settings: String) -> Result<SystemTx> {
        tracing::debug!(?reason, "system transaction");
        let begun = self.begin(&self.system, Mode::Change, settings, None);
        let statements = begun.await?;
        Ok(SystemTx::new(statements, self.clock.now()))
    }

    /// Whether the database answers.
    pub async fn answers(&self) -> bool {
        let Ok(mut tx) = self.system(SystemReason::Health).await else {
            return false;
        };
        tx.column::<i32>(Sql::new("SELECT 1")).await.is_ok()
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.app.close().await;
        self.system.close().await;
        if let Some(replica) = &self.replica {
            replica.close().await;
        }
    }

    async fn begin_read(&self, actor: &Actor) -> Result<Statements> {
        self.begin_for(actor, Mode::Snapshot, reading_settings(actor))
            .await
    }

    /// Begins once the actor's tenant is admitted.
    async fn begin_for(&self, actor: &Actor, mode: Mode, settings: String) -> Result<Statements> {
        let permit = self.admission.acquire(actor.tenant).await?;
        self.begin(&self.app, mode, settings, Some(permit)).await
    }

    async fn begin(
        &self,
        connections: &Connections,
        mode: Mode,
        settings: String,
        permit: Option<Permit>,
    ) -> Result<Statements> {
        let beginning = Beginning {
            mode,
            guard: String::new(),
            settings,
        };
        let options = self.statement_options.clone();
        let begun = begin_on(connections, &beginning, options, permit).await;
        if let Err(error) = &begun {
            let code = error.as_database_error().and_then(|error| error.code());
            self.metrics().database.note_error(code.as_deref());
        }
        begun.map_err(constraint::translate)
    }
}

/// The settings of an actor's read-only transaction.
fn reading_settings(actor: &Actor) -> String {
    format!("{}{}", actor.settings(), actor.masks())
}

/// A pool that is opened lazily.
fn connections(size: u32, patience: Duration, login: PgConnectOptions, name: &str) -> Connections {
    let pool = PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(patience)
        // sqlx pings what comes back to it; a second ping at the start would cost a trip.
        .test_before_acquire(false);
    // Since Postgres 12 floats are told exactly as they are; a PgBouncer refuses logins that ask for it.
    let login = login.extra_float_digits(None);
    // `telemetry` logs slow statements; what an actor may do, which BEGIN carries, belongs in no log.
    let login = login.application_name(name).disable_statement_logging();
    Connections::new(pool.connect_lazy_with(login))
}

/// Begins on a connection of a pool, on another one where it was cut off.
async fn begin_on(
    connections: &Connections,
    beginning: &Beginning,
    options: StatementOptions,
    mut permit: Option<Permit>,
) -> sqlx::Result<Statements> {
    // Boxed: every future that may begin a transaction, each socket's among them, would reserve room for this
    // otherwise.
    let begun = Box::pin(async move {
        // All idle connections may have been cut off, as by a restart of Postgres.
        let (mut attempts, began) = (connections.size(), Instant::now());
        loop {
            let connection = connections.acquire().await?;
            let begun = Statements::begin(connection, beginning, options.clone(), permit).await;
            match begun {
                Ok(begun) => return Ok(begun),
                // Nothing was done on it.
                Err((error, returned))
                    if is_lost(&error)
                        && attempts > 0
                        && began.elapsed() < connections.patience() =>
                {
                    (permit, attempts) = (returned, attempts - 1);
                }
                Err((error, _)) => return Err(error),
            }
        }
    });
    begun.await
}
