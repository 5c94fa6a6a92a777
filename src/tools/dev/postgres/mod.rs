//! A private Postgres for development and tests: the machine's own programs, a cluster in the data folder.
//!
//! It listens on a socket in a folder of mode 0700 and on no network, which is why everyone who gets
//! there is trusted. The bootstrap superuser is `postgres`.

mod cluster;
mod endpoint;
mod install;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use tokio::time::{Instant, sleep};

use super::datadir::DataDir;
use super::error::DevError;
use super::log::Log;
use super::process::{Child, Farewell, Program};
pub use endpoint::Endpoint;
use install::Install;

/// Fast shutdown (sessions are cut, all is written), then immediate, then none at all.
pub(super) const FAREWELL: Farewell = &[
    (Signal::SIGINT, Duration::from_secs(20)),
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
/// Long enough to recover from a crash in the middle of a large import.
const START_PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

/// How to run the cluster.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The folder of the programs, if not one of those that are looked through.
    pub bin_dir: Option<PathBuf>,
    /// Whether data outlives a crash of the machine. If not, nothing is synced and nothing is cleaned up in
    /// the background: fast, for tests.
    pub durable: bool,
    /// How many sessions there can be.
    pub max_connections: u32,
    /// Memory for pages, as Postgres writes it, such as `256MB`.
    pub shared_buffers: String,
}

impl Default for PostgresOptions {
    /// What `dealgraph dev` uses.
    fn default() -> Self {
        Self {
            bin_dir: None,
            durable: true,
            max_connections: 100,
            shared_buffers: "256MB".to_owned(),
        }
    }
}

/// A running server. Dropping it asks it to stop, without waiting.
pub struct Postgres {
    child: Child,
    endpoint: Endpoint,
    version: String,
}

impl Postgres {
    /// Makes the cluster if there is none, starts the server and waits until it takes connections.
    ///
    /// # Errors
    /// [`DevError::Missing`], [`DevError::TooOld`] and [`DevError::OtherMajor`] are about the programs;
    /// [`DevError::Died`] and [`DevError::NotReady`] quote the log; [`DevError::DiskFull`],
    /// [`DevError::File`], [`DevError::Spawn`].
    pub async fn start(
        data: &DataDir,
        options: &PostgresOptions,
        on_progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, DevError> {
        let cluster = data.cluster();
        let install = Install::find(options.bin_dir.as_deref(), &cluster)?;
        if !cluster.join("PG_VERSION").exists() {
            on_progress(&format!(
                "creating a PostgreSQL {} cluster",
                install.version()
            ));
            cluster::create(data, &install, options).await?;
        }
        cluster::forget_reused_id(&cluster)?;

        on_progress(&format!("starting PostgreSQL {}", install.version()));
        let log = Log::open(data.logs().join("postgres.log"))?;
        let program = Program {
            name: "postgres",
            command: command(data, &install, options),
            folder: cluster.clone(),
            farewell: FAREWELL,
        };
        let child = Child::spawn(program, data.account(), log, data.pid_file("postgres")).await?;
        wait_ready(&child, &cluster).await?;
        Ok(Self {
            child,
            endpoint: Endpoint::new(data.sockets()),
            version: install.version().to_owned(),
        })
    }

    /// Options to connect as `user` to `database`.
    #[must_use]
    pub fn connect_options(&self, user: &str, database: &str) -> PgConnectOptions {
        self.endpoint.connect_options(user, database)
    }

    /// The same as a URL, for `psql` and `pgbench`.
    #[must_use]
    pub fn url(&self, user: &str, database: &str) -> String {
        self.endpoint.url(user, database)
    }

    /// The version of the server, such as `15.18`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The process id of the server.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Waits until the server ends by itself, which it should not, and returns why.
    pub async fn wait_died(&self) -> DevError {
        self.child.died().await
    }

    /// Stops the server and returns when it is gone.
    pub async fn stop(self) {
        self.child.stop().await;
    }
}

fn command(data: &DataDir, install: &Install, options: &PostgresOptions) -> Command {
    let mut command = Command::new(install.program("postgres"));
    command.arg("-D").arg(data.cluster());
    command.env("LC_ALL", "C");
    // What a person exports for `psql` is not meant for this server.
    for name in [
        "PGDATA",
        "PGPORT",
        "PGTZ",
        "PGDATESTYLE",
        "PGCLIENTENCODING",
    ] {
        command.env_remove(name);
    }
    let sockets = data.sockets().to_string_lossy().into_owned();
    let mut set = |name: &str, value: &str| {
        command.arg("-c").arg(format!("{name}={value}"));
    };
    set("listen_addresses", "");
    set("port", &endpoint::PORT.to_string());
    set("unix_socket_directories", &quoted(&sockets));
    set("max_connections", &options.max_connections.to_string());
    set("shared_buffers", &options.shared_buffers);
    set("jit", "off");
    set("timezone", "UTC");
    set("log_timezone", "UTC");
    set("logging_collector", "off");
    set("log_destination", "stderr");
    set("log_line_prefix", "%m [%p] %q%u@%d ");
    set("log_checkpoints", "off");
    if install.has_library("pg_stat_statements") {
        set("shared_preload_libraries", "pg_stat_statements");
    }
    if !options.durable {
        for name in [
            "fsync",
            "synchronous_commit",
            "full_page_writes",
            "autovacuum",
        ] {
            set(name, "off");
        }
        set("wal_level", "minimal");
        set("max_wal_senders", "0");
        set("checkpoint_timeout", "1h");
    }
    command
}

/// A path in a setting that takes a comma-separated list.
fn quoted(path: &str) -> String {
    format!("\"{}\"", path.replace('"', "\"\""))
}

/// Waits until the server itself notes in its lock file that it is ready, as `pg_ctl` does: so no
/// connection attempts end up in the log.
async fn wait_ready(child: &Child, cluster: &Path) -> Result<(), DevError> {
    let deadline = Instant::now() + START_PATIENCE;
    while Instant::now() < deadline {
        tokio::select! {
            fault = child.died() => return Err(fault),
            () = sleep(POLL) => {}
        }
        if is_ready(child.pid(), cluster) {
            return Ok(());
        }
    }
    Err(child.not_ready(START_PATIENCE))
}

/// Reads the lock file: the process id is its first line, the state its eighth.
fn is_ready(pid: u32, cluster: &Path) -> bool {
    let text = fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}
