//! Running statements inside a transaction, and the two kinds of transaction.

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::{
    Connection as _, Executor as _, FromRow, PgConnection, Postgres, Row as _, SqlStr,
    pool::PoolConnection,
    postgres::{PgRow, PgTransactionManager},
};
use sqlx_core::transaction::TransactionManager as _;

use super::{Running, Sql, constraint::translate, gate::Permit};
use crate::{
    audit::{self, Entry, Origin},
    auth::Actor,
    error::Result,
    events::{self, Event},
    ids::TenantId,
    telemetry::Statement,
};

/// How long a statement may go on that nobody waits for any more.
const GRACE: Duration = Duration::from_millis(100);

/// An open transaction that counts and shows its statements. Dropped without commit, it rolls back; dropped in the middle
/// of a statement, BEGIN among them, because nobody waits for its answer any more, it hangs up after a moment, and
/// Postgres stops (it looks every half second, see `policies/00_roles.sql`).
pub struct Statements {
    /// There until this is dropped.
    connection: Option<PoolConnection<Postgres>>,
    /// Whether it has begun.
    is_open: bool,
    /// Whether a statement is under way.
    is_busy: bool,
    count: u32,
    running: Running,
    /// Let go with the connection.
    permit: Option<Permit>,
}

impl Statements {
    /// Begins; `begin` are the statements that do. A permit is a place among the transactions of a tenant, kept to the
    /// end.
    pub(super) async fn begin(
        connection: PoolConnection<Postgres>,
        begin: SqlStr,
        (running, permit): (Running, Option<Permit>),
    ) -> sqlx::Result<Self> {
        let mut statements = Self {
            connection: Some(connection),
            is_open: false,
            is_busy: true,
            count: 0,
            running,
            permit,
        };
        PgTransactionManager::begin(statements.connection(), Some(begin)).await?;
        (statements.is_open, statements.is_busy) = (true, false);
        Ok(statements)
    }

    /// How many statements ran so far, BEGIN and COMMIT not counted.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Runs a query and decodes all rows.
    ///
    /// # Errors
    /// The database refused or does not answer; see [`crate::error::Error`].
    pub async fn all<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(
        &mut self,
        mut sql: Sql,
    ) -> Result<Vec<T>> {
        let statement = self.note(&sql);
        let query = sql
            .0
            .build_query_as::<T>()
            .persistent(self.running.prepared);
        let rows = statement.run(query.fetch_all(self.connection())).await;
        self.is_busy = false;
        let rows = rows.map_err(translate)?;
        statement.done(rows.len());
        Ok(rows)
    }

    /// Runs a query that yields a row or none.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub async fn optional<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(
        &mut self,
        mut sql: Sql,
    ) -> Result<Option<T>> {
        let statement = self.note(&sql);
        let query = sql
            .0
            .build_query_as::<T>()
            .persistent(self.running.prepared);
        let row = statement.run(query.fetch_optional(self.connection())).await;
        self.is_busy = false;
        let row = row.map_err(translate)?;
        statement.done(usize::from(row.is_some()));
        Ok(row)
    }

    /// Runs a query whose rows the caller decodes.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub async fn rows(&mut self, mut sql: Sql) -> Result<Vec<PgRow>> {
        let statement = self.note(&sql);
        let query = sql.0.build().persistent(self.running.prepared);
        let rows = statement.run(query.fetch_all(self.connection())).await;
        self.is_busy = false;
        let rows = rows.map_err(translate)?;
        statement.done(rows.len());
        Ok(rows)
    }

    /// Runs a query and decodes the first column of all rows.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub async fn column<T>(&mut self, sql: Sql) -> Result<Vec<T>>
    where
        T: for<'r> sqlx::Decode<'r, Postgres> + sqlx::Type<Postgres>,
    {
        let rows = self.rows(sql).await?;
        rows.iter()
            .map(|row| row.try_get(0).map_err(translate))
            .collect()
    }

    /// Runs a statement and tells how many rows it touched.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub async fn execute(&mut self, mut sql: Sql) -> Result<u64> {
        let statement = self.note(&sql);
        let query = sql.0.build().persistent(self.running.prepared);
        let done = statement.run(query.execute(self.connection())).await;
        self.is_busy = false;
        let done = done.map_err(translate)?;
        statement.done(done.rows_affected() as usize);
        Ok(done.rows_affected())
    }

    async fn commit(mut self) -> Result<()> {
        self.is_busy = true;
        let committed = PgTransactionManager::commit(self.connection()).await;
        self.is_busy = false;
        self.is_open = committed.is_err();
        committed.map_err(translate)
    }

    fn connection(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect("it is there until dropped")
    }

    /// Notes that a statement is under way from now on.
    fn note(&mut self, sql: &Sql) -> Statement {
        self.count += 1;
        self.is_busy = true;
        let text = sql.0.sql();
        if let Some(observer) = &self.running.observer {
            observer(text.as_str());
        }
        Statement::begin(text)
    }
}

impl Drop for Statements {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.is_busy {
            if self.is_open {
                PgTransactionManager::start_rollback(&mut connection);
            }
            return;
        }
        let (permit, is_open) = (self.permit.take(), self.is_open);
        tokio::spawn(async move {
            let cleaning = async {
                connection.ping().await?;
                if is_open {
                    PgTransactionManager::start_rollback(&mut connection);
                } else {
                    // sqlx knows nothing of a transaction whose BEGIN nobody waited for (0.9.0), and leaves it open.
                    (&mut *connection).execute("ROLLBACK").await?;
                }
                Ok::<_, sqlx::Error>(())
            };
            if !matches!(tokio::time::timeout(GRACE, cleaning).await, Ok(Ok(()))) {
                connection.close_on_drop();
            }
            drop(connection);
            drop(permit);
        });
    }
}

/// A transaction on behalf of an actor. What a verb emits is appended to the event log when it commits.
pub struct Tx {
    statements: Statements,
    actor: Arc<Actor>,
    now: DateTime<Utc>,
    events: Vec<Event>,
    entries: Vec<Entry>,
}

impl Tx {
    pub(super) fn new(statements: Statements, actor: Arc<Actor>, now: DateTime<Utc>) -> Self {
        Self {
            statements,
            actor,
            now,
            events: Vec::new(),
            entries: Vec::new(),
        }
    }

    /// On whose behalf.
    #[must_use]
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// The tenant; every statement binds it too, so that the planner sees it.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.actor.tenant
    }

    /// The one instant of this transaction.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// In whose name changes are recorded.
    #[must_use]
    pub fn author(&self) -> String {
        self.actor.author.to_string()
    }

    /// Notes that something happened; it is told, and stands in the audit log, when and if this transaction commits.
    ///
    /// What only followed for the same record before is a part of it.
    pub fn emit(&mut self, event: Event) {
        self.events
            .retain(|earlier| !(earlier.only_follows() && earlier.is_about_the_same(&event)));
        self.entries.push(Entry::of(&event, &self.author()));
        self.events.push(event);
    }

    /// Notes what follows from something that is emitted too, and is no act of its own: those who watch are told, and
    /// the audit log says nothing of it.
    pub fn follow_up(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Notes something for the audit log that is no event.
    pub fn note(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    pub(crate) fn take_story(&mut self) -> (Vec<Event>, Vec<Entry>) {
        (
            std::mem::take(&mut self.events),
            std::mem::take(&mut self.entries),
        )
    }

    pub(super) async fn commit(self) -> Result<()> {
        self.statements.commit().await
    }
}

/// A transaction as the system login.
pub struct SystemTx {
    statements: Statements,
    now: DateTime<Utc>,
}

impl SystemTx {
    pub(super) fn new(statements: Statements, now: DateTime<Utc>) -> Self {
        Self { statements, now }
    }

    /// The one instant of this transaction.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Appends to a tenant's audit log what happens before or beyond an actor. Nothing of the tenant's may be
    /// written by this transaction afterwards, since the tenant's counter is locked from here on.
    ///
    /// # Errors
    /// The database.
    pub async fn audit(
        &mut self,
        tenant: TenantId,
        entries: Vec<Entry>,
        origin: &Origin,
    ) -> Result<()> {
        let place = (tenant, self.now);
        audit::append(self, place, &[], (entries, origin)).await?;
        Ok(())
    }

    /// Appends to a tenant's event log and audit log what happens before somebody is an actor, such as becoming a
    /// member; every event has an entry by itself. Like [`Self::audit`] it comes last.
    ///
    /// # Errors
    /// The database.
    pub async fn tell(
        &mut self,
        tenant: TenantId,
        author: &str,
        (events, mut entries): (Vec<Event>, Vec<Entry>),
        origin: &Origin,
    ) -> Result<()> {
        entries.extend(events.iter().map(|event| Entry::of(event, author)));
        let place = (tenant, self.now);
        events::append_story(self, place, author, (events, entries), origin).await?;
        Ok(())
    }

    /// Makes what was done last.
    ///
    /// # Errors
    /// The database refused or does not answer.
    pub async fn commit(self) -> Result<()> {
        self.statements.commit().await
    }
}

macro_rules! runs_statements {
    ($($kind:ty),*) => {$(
        impl Deref for $kind {
            type Target = Statements;
            fn deref(&self) -> &Statements {
                &self.statements
            }
        }
        impl DerefMut for $kind {
            fn deref_mut(&mut self) -> &mut Statements {
                &mut self.statements
            }
        }
    )*};
}
runs_statements!(Tx, SystemTx);
