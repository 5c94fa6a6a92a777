//! StatementOptions statements inside a transaction.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, FromRow, PgConnection, Postgres, Row as _,
    SqlSafeStr as _, SqlStr,
    postgres::{PgRow, PgTransactionManager},
};
use sqlx_core::transaction::TransactionManager as _;

use super::{
    Beginning, Fallback, Sql, StatementOptions,
    admission::Permit,
    connections::PooledConnection,
    constraint::{is_unread, translate},
    replica,
};
use crate::{
    base::error::{Error, Result},
    platform::telemetry::Statement,
};

/// How long a statement may go on that nobody waits for any more.
const GRACE: Duration = Duration::from_millis(100);
/// A statement longer than this is not kept prepared: it is a large filter or many rows at once, will not come again
/// as it is, and its plan may be large. The program's own statements are not half as long.
const LONG: usize = 4 << 10;

/// Bytes of a plan that the log repeats.
const PLAN_BYTES: usize = 8 << 10;

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It reads one state of the world. Nobody waits for it to end.
    Snapshot,
    /// The same on a replica.
    Replica,
    /// It may write, and hold locks.
    Change,
}

impl Mode {
    /// The statement that begins it.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Snapshot | Self::Replica => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Change => "BEGIN",
        }
    }

    /// What comes after the settings, in the same message. A statement that Postgres refuses ends what came after this
    /// savepoint, which of a snapshot is nothing: it is the same one after a way back here, and everybody else reads on.
    fn settled(self) -> &'static str {
        match self {
            Self::Snapshot | Self::Replica => "; SAVEPOINT begun",
            Self::Change => "",
        }
    }

    /// Whether it only reads.
    fn is_snapshot(self) -> bool {
        self != Self::Change
    }
}

/// An open transaction that counts and shows its statements. Dropped without commit, it rolls back; dropped in the middle
/// of a statement, BEGIN among them, because nobody waits for its answer any more, it hangs up after a moment, and
/// Postgres stops (it looks every half second, see `policies/00_roles.sql`).
pub struct Statements {
    /// There until this is dropped.
    pooled: Option<PooledConnection>,
    mode: Mode,
    /// Whether a statement is under way.
    is_busy: bool,
    /// Whether Postgres has refused a statement, and takes no other before a rollback.
    is_refused: bool,
    /// Why it can't be read on, of a replica.
    interruption: Option<Fallback>,
    count: u32,
    /// When the statement under way began, and how long those before it took.
    began: Instant,
    took: Duration,
    /// Bytes of rows that may be read yet.
    room: usize,
    options: StatementOptions,
    /// Whether the statement under way stays prepared on the connection.
    is_kept: bool,
    /// Let go with the connection.
    permit: Option<Permit>,
}

impl Statements {
    /// Begins, with settings that hold to the end. A permit is a place among the transactions of a tenant, kept to the
    /// end, and given back when there is no transaction.
    pub(super) async fn begin(
        pooled: PooledConnection,
        beginning: &Beginning,
        options: StatementOptions,
        permit: Option<Permit>,
    ) -> Result<Self, (sqlx::Error, Option<Permit>)> {
        let mode = beginning.mode;
        let mut statements = Self {
            pooled: Some(pooled),
            mode,
            is_busy: true,
            is_refused: false,
            interruption: None,
            count: 0,
            began: Instant::now(),
            took: Duration::ZERO,
            room: usize::MAX,
            is_kept: options.prepared,
            options,
            permit,
        };
        let (begin, settled) = (mode.begin(), mode.settled());
        let Beginning {
            guard, settings, ..
        } = beginning;
        let begin = AssertSqlSafe(format!("{guard}{begin}; {settings}{settled}"));
        let begun = statements.pooled().begin(begin.into_sql_str()).await;
        if let Err(error) = begun {
            return Err((error, statements.permit.take()));
        }
        statements.is_busy = false;
        Ok(statements)
    }

    /// How many statements ran so far, BEGIN and COMMIT not counted.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether a replica is read.
    pub(super) fn is_on_replica(&self) -> bool {
        self.mode == Mode::Replica
    }

    /// Why the replica can't be read on, if it is one and fails.
    pub(super) fn interruption(&self) -> Option<Fallback> {
        self.interruption
    }

    /// How long they took.
    pub(super) fn took(&self) -> Duration {
        self.took
    }

    /// Bytes of rows that may be read yet.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// Has no more than so many bytes of rows read from here on: what is beyond is not taken into memory.
    pub(super) fn set_room(&mut self, bytes: usize) {
        self.room = bytes;
    }

    /// Runs a query and decodes all rows.
    ///
    /// # Errors
    /// The database refused or does not answer, or the rows take more memory than there is for them; see
    /// [`crate::base::error::Error`].
    pub async fn all<T: for<'r> FromRow<'r, PgRow>>(&mut self, sql: Sql) -> Result<Vec<T>> {
        self.gather(sql, |row| T::from_row(&row)).await
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
        let query = sql.0.build_query_as::<T>().persistent(self.is_kept);
        let row = statement.run(query.fetch_optional(self.connection())).await;
        let row = self.settled(row)?;
        statement.done(usize::from(row.is_some()));
        Ok(row)
    }

    /// Runs a query whose rows the caller decodes.
    ///
    /// # Errors
    /// As [`Self::all`].
    pub async fn rows(&mut self, sql: Sql) -> Result<Vec<PgRow>> {
        self.gather(sql, Ok).await
    }

    /// Reads rows one by one, for as long as there is room for them.
    async fn gather<T>(
        &mut self,
        mut sql: Sql,
        read: impl Fn(PgRow) -> sqlx::Result<T>,
    ) -> Result<Vec<T>> {
        let text = sql.0.sql();
        let statement = self.note(&sql);
        let query = sql.0.build().persistent(self.is_kept);
        let is_bounded = self.room < usize::MAX;
        let mut left = Some(self.room);
        let mut found = Vec::new();
        let reading = async {
            let mut rows = query.fetch(self.connection());
            while let Some(row) = rows.try_next().await? {
                if is_bounded {
                    left = left.and_then(|left| left.checked_sub(size(&row)));
                    if left.is_none() {
                        return Ok(());
                    }
                }
                found.push(read(row)?);
            }
            Ok(())
        };
        let done = statement.run(reading).await;
        let took = self.began.elapsed();
        self.room = left.unwrap_or(0);
        if left.is_none() {
            // The rest of the answer is unread, so nothing else can be asked here.
            return Err(Error::TooLarge);
        }
        self.settled(done)?;
        statement.done(found.len());
        if took >= self.options.slow && self.options.explains_slow {
            self.explain(text).await?;
        }
        Ok(found)
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
        let query = sql.0.build().persistent(self.is_kept);
        let done = statement.run(query.execute(self.connection())).await;
        let done = self.settled(done)?;
        statement.done(done.rows_affected() as usize);
        Ok(done.rows_affected())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.began = Instant::now();
        self.is_busy = true;
        let committed = PgTransactionManager::commit(self.connection()).await;
        self.settled(committed)
    }

    /// Lets a snapshot be read on after a statement that Postgres refused. Costs a trip then, and nothing otherwise.
    ///
    /// # Errors
    /// The database does not answer.
    pub(super) async fn recover(&mut self) -> Result<()> {
        if !self.mode.is_snapshot() || !self.is_refused {
            return Ok(());
        }
        self.is_busy = true;
        let back = self.connection().execute("ROLLBACK TO SAVEPOINT begun");
        let back = back.await.map(drop);
        self.is_refused = back.is_err();
        self.settled(back)
    }

    /// Logs the plan of a slow statement of a snapshot; of a transaction that writes nothing is asked twice. The plan is the
    /// generic one, which shows parameters by their numbers: a plan for values would show the values.
    async fn explain(&mut self, text: SqlStr) -> Result<()> {
        if !self.mode.is_snapshot() {
            return Ok(());
        }
        let text = text.as_str();
        let values = vec!["NULL"; parameters(text)].join(", ");
        let arguments = match values.as_str() {
            "" => String::new(),
            values => format!("({values})"),
        };
        let prepare = format!(
            "SET LOCAL plan_cache_mode = force_generic_plan; PREPARE dealgraph_slow AS {text}"
        );
        let explain = format!("EXPLAIN EXECUTE dealgraph_slow{arguments}");
        self.is_busy = true;
        let explained = async {
            let connection = self.connection();
            connection.execute(AssertSqlSafe(prepare)).await?;
            let plan = connection.fetch_all(AssertSqlSafe(explain)).await?;
            connection.execute("DEALLOCATE dealgraph_slow").await?;
            plan.iter()
                .map(|row| row.try_get::<String, _>(0))
                .collect::<sqlx::Result<Vec<_>>>()
        };
        match explained.await {
            Ok(plan) => {
                self.is_busy = false;
                let plan = plan.join("\n");
                let plan = &plan[..plan.floor_char_boundary(PLAN_BYTES)];
                tracing::warn!(plan, "plan of a slow statement");
                Ok(())
            }
            // The snapshot goes on; a connection that is lost is found out by the next statement.
            Err(error) => {
                tracing::debug!(%error, "the plan of a slow statement could not be read");
                let _: Result<()> = self.settled(Err(error));
                self.recover().await
            }
        }
    }

    /// Notes that a statement is under way no more, if the answer has been read to its end.
    fn settled<T>(&mut self, answer: sqlx::Result<T>) -> Result<T> {
        self.took += self.began.elapsed();
        self.is_busy = answer.as_ref().is_err_and(is_unread);
        self.is_refused |= matches!(answer, Err(sqlx::Error::Database(_)));
        match &answer {
            Ok(_) => {}
            // The primary is asked instead, whatever it is: also what is no fault of the replica comes from there.
            Err(error) if self.is_on_replica() => {
                tracing::debug!(%error, "a replica can't be read on");
                self.interruption = Some(replica::why(error));
                return Err(Error::Unavailable("the replica"));
            }
            Err(sqlx::Error::Database(error)) => {
                let code = error.code();
                self.options
                    .metrics
                    .database
                    .note_error(code.as_deref().or(Some("??")));
            }
            Err(_) => self.options.metrics.database.note_error(None),
        }
        answer.map_err(translate)
    }

    fn connection(&mut self) -> &mut PgConnection {
        &mut self.pooled().connection
    }

    fn pooled(&mut self) -> &mut PooledConnection {
        self.pooled.as_mut().expect("it is there until dropped")
    }

    /// Notes that a statement is under way from now on.
    fn note(&mut self, sql: &Sql) -> Statement {
        self.count += 1;
        self.began = Instant::now();
        self.is_busy = true;
        let text = sql.0.sql();
        let bytes = text.as_str().len();
        self.is_kept = self.options.prepared && bytes <= LONG;
        // Rows that are written are parsed; only what is read has much to plan.
        if bytes > LONG && text.as_str().starts_with("SELECT") {
            self.pooled().note_planned(bytes);
        }
        if let Some(observer) = &self.options.observer {
            observer(text.as_str());
        }
        self.options.statement(text)
    }
}

/// How many parameters a statement has: the highest number after a `$`.
fn parameters(text: &str) -> usize {
    let numbers = text.split('$').skip(1).filter_map(|rest| {
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..end].parse().ok()
    });
    numbers.max().unwrap_or(0)
}

/// Bytes of a row's values.
fn size(row: &PgRow) -> usize {
    let value = |at| row.try_get_raw(at).ok()?.as_bytes().ok().map(<[u8]>::len);
    (0..row.len()).filter_map(value).sum()
}

impl Drop for Statements {
    fn drop(&mut self) {
        let Some(mut pooled) = self.pooled.take() else {
            return;
        };
        if !self.is_busy {
            match self.mode {
                Mode::Snapshot | Mode::Replica => pooled.release_open(),
                Mode::Change => pooled.release(),
            }
            return;
        }
        let permit = self.permit.take();
        tokio::spawn(async move {
            let cleaning = async {
                pooled.connection.ping().await?;
                if !pooled.is_open() {
                    // Of a transaction whose BEGIN nobody waited for sqlx (0.9.0) knows nothing, and leaves it open.
                    (&mut *pooled.connection).execute("ROLLBACK").await?;
                }
                Ok::<_, sqlx::Error>(())
            };
            if matches!(tokio::time::timeout(GRACE, cleaning).await, Ok(Ok(()))) {
                pooled.release();
            } else {
                pooled.connection.close_on_drop();
                drop(pooled);
            }
            drop(permit);
        });
    }
}
