//! A second connection that sees whom a run waits for: the one that waits can't ask.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{task::JoinHandle, time::sleep};

/// How often it looks.
const EVERY: Duration = Duration::from_millis(150);
/// How often a wait that goes on is told in the log.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Whom a process waits for, and on which table. Postgres shows a login little of other logins' sessions beyond their names.
const HOLDERS: &str = "SELECT h.pid, s.usename::text, s.application_name, s.state, \
        extract(epoch FROM clock_timestamp() - s.xact_start)::float8, \
        (SELECT l.relation::regclass::text FROM pg_locks l WHERE l.pid = w.pid AND NOT l.granted AND l.relation IS NOT NULL LIMIT 1) \
     FROM pg_stat_activity w, LATERAL unnest(pg_blocking_pids(w.pid)) h(pid) LEFT JOIN pg_stat_activity s ON s.pid = h.pid \
     WHERE w.pid = $1 AND w.wait_event_type = 'Lock' LIMIT 5";

type Holder = (
    i32,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<f64>,
    Option<String>,
);

/// Watches one connection for as long as it exists.
pub(super) struct Watch {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

/// What is going on.
#[derive(Default)]
struct Seen {
    step: String,
    /// The lock that is waited for, or was last in this step, and who holds it.
    lock: Option<String>,
    /// Since when, while it is waited for.
    since: Option<Instant>,
    told: Option<Instant>,
    /// After how long a wait is ended from here.
    end_after: Option<Duration>,
    ended: bool,
}

impl Watch {
    /// Begins to watch the process `pid` of Postgres.
    pub(super) fn start(owner: PgConnectOptions, pid: i32) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let task = tokio::spawn(watch(owner, pid, Arc::clone(&seen)));
        Self { seen, task }
    }

    /// A step begins; what it waits for longer than `end_after` at a time is ended.
    pub(super) fn begin(&self, step: &str, end_after: Option<Duration>) {
        *lock(&self.seen) = Seen {
            step: step.to_owned(),
            end_after,
            ..Seen::default()
        };
    }

    /// The step is over: the lock that it waited for last, and whether its wait was ended from here.
    pub(super) fn end(&self) -> (String, bool) {
        let seen = std::mem::take(&mut *lock(&self.seen));
        let lock = seen.lock;
        let lock = lock.unwrap_or_else(|| "a lock that somebody holds".to_owned());
        (lock, seen.ended)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn watch(owner: PgConnectOptions, pid: i32, seen: Arc<Mutex<Seen>>) {
    let mut connection = match PgConnection::connect_with(&owner).await {
        Ok(connection) => connection,
        Err(error) => {
            tracing::warn!(%error, "who holds locks can't be told");
            return;
        }
    };
    loop {
        sleep(EVERY).await;
        let holders = sqlx::query_as(HOLDERS).bind(pid);
        let holders: Vec<Holder> = match holders.fetch_all(&mut connection).await {
            Ok(holders) => holders,
            Err(error) => {
                tracing::warn!(%error, "who holds locks can't be told any more");
                return;
            }
        };
        if note(&mut lock(&seen), &holders) {
            let end = sqlx::query("SELECT pg_cancel_backend($1)").bind(pid);
            if let Err(error) = end.execute(&mut connection).await {
                tracing::warn!(%error, "a wait for a lock could not be ended");
            }
        }
    }
}

/// Notes who is waited for; whether the wait is to be ended.
fn note(seen: &mut Seen, holders: &[Holder]) -> bool {
    if holders.is_empty() || seen.step.is_empty() {
        seen.since = None;
        return false;
    }
    let lock = described(holders);
    let since = *seen.since.get_or_insert_with(Instant::now);
    if seen.told.unwrap_or(since).elapsed() >= TELL_EVERY {
        seen.told = Some(Instant::now());
        tracing::info!(step = seen.step, "waiting for {lock}");
    }
    seen.lock = Some(lock);
    let is_over = seen.end_after.is_some_and(|end| since.elapsed() >= end);
    let ends = is_over && !seen.ended;
    seen.ended |= is_over;
    ends
}

fn described(holders: &[Holder]) -> String {
    let mut all = Vec::new();
    for (pid, login, application, state, seconds, _) in holders {
        let mut about: Vec<String> = [login, application, state]
            .into_iter()
            .flatten()
            .filter(|word| !word.is_empty())
            .cloned()
            .collect();
        about.extend(seconds.map(|seconds| format!("in its transaction for {seconds:.0} s")));
        all.push(match (pid, about.is_empty()) {
            // What is prepared to be committed belongs to no process.
            (0, _) => "a prepared transaction holds".to_owned(),
            (pid, true) => format!("pid {pid} holds"),
            (pid, false) => format!("pid {pid} holds ({})", about.join(", ")),
        });
    }
    let table = holders.iter().find_map(|holder| holder.5.as_deref());
    let on = table.map_or_else(String::new, |table| format!(" on {table}"));
    format!("a lock{on} that {}", all.join(" and "))
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_are_told_by_what_is_known_of_them() {
        let known = (
            7,
            Some("dealgraph_app".to_owned()),
            Some(String::new()),
            None,
            Some(41.7),
            Some("companies".to_owned()),
        );
        let unknown = (8, None, None, None, None, None);
        let prepared = (0, None, None, None, None, None);
        assert_eq!(
            described(&[known, unknown]),
            "a lock on companies that pid 7 holds (dealgraph_app, in its transaction for 42 s) and pid 8 holds"
        );
        assert_eq!(
            described(&[prepared]),
            "a lock that a prepared transaction holds"
        );
    }
}
