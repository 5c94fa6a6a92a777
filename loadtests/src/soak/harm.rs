//! The faults there are, and those of them that Postgres is to suffer.

use dealgraph::db::migrate::OWNER;
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

use super::{Plan, processes::Process, site::Site, wires::To};
use crate::{Outcome, cluster::DATABASE, say};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    KillServer,
    StopServer,
    KillRedis,
    FlushRedis,
    CutRedis,
    CutPostgres,
    CrashPostgres,
    KillSessions,
    /// It stands still, and its connections stay open.
    PauseServer,
    PausePostgres,
    PauseRedis,
    /// Of one server; the other one's is whole.
    Wire(To, Trouble),
    /// Nobody can read or write deals, so that all connections of the servers wait.
    LockTables,
    /// Postgres has no connection left for others.
    TakeConnections,
    FillDisk,
    /// The disk of the write-ahead log, without which Postgres does not go on.
    FillLogDisk,
    /// A server takes it for two minutes later, or earlier.
    SkewClock,
    /// The policies are made anew under load.
    Migrate,
}

/// What becomes of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    Cut,
    Delay,
    Slice,
    BlackHole,
}

/// Postgres comes back more slowly than the others, so it is ended more seldom.
const OF_SOAK: [Fault; 13] = [
    Fault::KillServer,
    Fault::KillServer,
    Fault::KillServer,
    Fault::StopServer,
    Fault::StopServer,
    Fault::KillRedis,
    Fault::KillRedis,
    Fault::FlushRedis,
    Fault::CutRedis,
    Fault::CutRedis,
    Fault::CutPostgres,
    Fault::CrashPostgres,
    Fault::KillSessions,
];
const OF_CHAOS: [Fault; 18] = [
    Fault::PauseServer,
    Fault::PausePostgres,
    Fault::PauseRedis,
    Fault::Wire(To::Postgres, Trouble::Cut),
    Fault::Wire(To::Postgres, Trouble::Delay),
    Fault::Wire(To::Postgres, Trouble::Slice),
    Fault::Wire(To::Postgres, Trouble::BlackHole),
    Fault::Wire(To::Redis, Trouble::Cut),
    Fault::Wire(To::Redis, Trouble::Delay),
    Fault::Wire(To::Redis, Trouble::Slice),
    Fault::Wire(To::Redis, Trouble::BlackHole),
    Fault::LockTables,
    Fault::TakeConnections,
    Fault::FillDisk,
    Fault::FillLogDisk,
    Fault::SkewClock,
    Fault::SkewClock,
    Fault::Migrate,
];
/// The log goes on to its next file, for which there is no room once those are used that were kept.
const NEXT_FILE: &str =
    "SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'chaos', 'the next file')";
/// More files than are kept for the log to write over.
const FILES: usize = 200;
/// Locks that wait longer give up: others wait behind them.
const LOCK: [&str; 3] = [
    "SET lock_timeout = '2s'",
    "BEGIN",
    "LOCK TABLE opportunities, events IN ACCESS EXCLUSIVE MODE",
];
/// More than Postgres takes.
const CONNECTIONS: usize = 200;

impl Plan {
    /// Its faults, the likelier ones several times.
    pub(crate) fn faults(self) -> Vec<Fault> {
        let mut faults = OF_SOAK.to_vec();
        if self == Self::Chaos {
            faults.extend(OF_CHAOS);
        }
        faults
    }
}

impl Site {
    /// Ends a third of the servers' sessions, whatever they are doing.
    pub(crate) async fn kill_sessions(&mut self) -> Outcome<bool> {
        self.paused.go_on(Process::Postgres);
        let mut database = self.cluster.superuser_of(DATABASE).await?;
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                   WHERE usename LIKE 'dealgraph%' AND random() < 0.33";
        sqlx::query(sql).execute(&mut database).await?;
        Ok(true)
    }

    /// Whether they are locked, until Postgres is mended.
    pub(crate) async fn lock_tables(&mut self) -> Outcome<bool> {
        self.paused.go_on(Process::Postgres);
        let mut database = self.cluster.superuser_of(DATABASE).await?;
        for sql in LOCK {
            if sqlx::query(sql).execute(&mut database).await.is_err() {
                return Ok(false);
            }
        }
        self.held.push(database);
        Ok(true)
    }

    /// Takes all connections that are left for a server's login, until Postgres is mended.
    pub(crate) async fn take_connections(&mut self) -> Outcome<bool> {
        self.kill_sessions().await?;
        let login = self.cluster.login("dealgraph_app", DATABASE);
        for _ in 0..CONNECTIONS {
            match PgConnection::connect_with(&login).await {
                Ok(connection) => self.held.push(connection),
                Err(_) => return Ok(true),
            }
        }
        Err("Postgres takes any number of connections".into())
    }

    /// Whether there is a disk that can be filled.
    pub(crate) fn fill_disk(&self) -> Outcome<bool> {
        match &self.disks {
            Some(disks) => disks.data.fill().map(|()| true),
            None => Ok(false),
        }
    }

    /// Fills the disk of the write-ahead log and writes on, until Postgres ends; whether there is one.
    pub(crate) async fn fill_log_disk(&mut self) -> Outcome<bool> {
        self.mend_postgres().await?;
        let Some(disks) = &self.disks else {
            return Ok(false);
        };
        let mut database = self.cluster.superuser_of(DATABASE).await?;
        disks.log.fill()?;
        for _ in 0..FILES {
            if sqlx::query(NEXT_FILE).execute(&mut database).await.is_err() {
                return Ok(true);
            }
        }
        Err("the log goes on although its disk is full".into())
    }

    /// Has all policies made anew, as a new version would; whether it got the locks for it.
    pub(crate) async fn migrate(&mut self) -> Outcome<bool> {
        self.mend_postgres().await?;
        let mut database = self.cluster.superuser_of(DATABASE).await?;
        let forget = sqlx::query("DELETE FROM app.applied_policies");
        forget.execute(&mut database).await?;
        let owner = self.cluster.direct_url(OWNER);
        let done = Command::new(self.executable())
            .arg("migrate")
            .env("DEALGRAPH_OWNER_DATABASE_URL", owner)
            .output();
        let done = done.await?;
        if done.status.success() {
            return Ok(true);
        }
        let why = String::from_utf8_lossy(&done.stderr);
        // It waits so long for a lock, or is taken by Postgres for the one in the way.
        let is_usual = ["lock timeout", "deadlock"];
        if is_usual.iter().any(|usual| why.contains(usual)) {
            say(&format!("a migration gave up: {}", why.trim()));
            return Ok(false);
        }
        Err(why.into())
    }
}
