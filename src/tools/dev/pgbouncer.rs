//! A private `PgBouncer` in front of a private Postgres, in transaction mode: for tests, which hold the product to it.
//!
//! It listens on a socket beside the one of Postgres, and passes the logins of servers on to it without a password.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::datadir::DataDir;
use super::error::DevError;
use super::log::Log;
use super::process::{Child, Farewell, Program};

/// At once: its clients are ours.
const FAREWELL: Farewell = &[
    (Signal::SIGQUIT, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const START_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
/// The logins that it passes on.
const LOGINS: &str = "\"dealgraph_app\" \"\"\n\"dealgraph_system\" \"\"\n";

/// How to run it.
#[derive(Debug, Clone)]
pub struct PgBouncerOptions {
    /// The executable, 1.21 or newer.
    pub program: PathBuf,
    /// Connections to Postgres for each login at each database.
    pub servers: u32,
    /// Tells its socket from those of others in the folder, as a port does; Postgres has 5432.
    pub port: u16,
}

/// A running one. Dropping it asks it to stop, without waiting.
pub struct PgBouncer {
    child: Child,
    port: u16,
}

impl PgBouncer {
    /// Starts it over the Postgres of the same data folder and waits until it takes connections.
    ///
    /// # Errors
    /// [`DevError::Died`] and [`DevError::NotReady`] quote the log; [`DevError::DiskFull`], [`DevError::File`],
    /// [`DevError::Spawn`].
    pub async fn start(data: &DataDir, options: &PgBouncerOptions) -> Result<Self, DevError> {
        let sockets = data.sockets();
        let name = format!("pgbouncer-{}", options.port);
        let mut command = Command::new(&options.program);
        command.arg(configure(&sockets, &name, options)?);
        let program = Program {
            name: "pgbouncer",
            command,
            folder: sockets.clone(),
            farewell: FAREWELL,
        };
        let log = Log::open(data.logs().join(&name).with_extension("log"))?;
        let child = Child::spawn(program, data.account(), log, data.pid_file(&name)).await?;
        let socket = sockets.join(format!(".s.PGSQL.{}", options.port));
        let deadline = Instant::now() + START_PATIENCE;
        while UnixStream::connect(&socket).await.is_err() {
            if Instant::now() > deadline {
                return Err(child.not_ready(START_PATIENCE));
            }
            tokio::select! {
                fault = child.died() => return Err(fault),
                () = sleep(POLL) => {}
            }
        }
        Ok(Self {
            child,
            port: options.port,
        })
    }

    /// A login at Postgres, through this one.
    #[must_use]
    pub fn in_front_of(&self, direct: PgConnectOptions) -> PgConnectOptions {
        // What sqlx asks for at first is nothing that PgBouncer could keep apart for each client.
        direct.port(self.port).extra_float_digits(None)
    }

    /// Names its socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it and returns when it is gone.
    pub async fn stop(self) {
        self.child.stop().await;
    }
}

/// Writes its settings: those of `docs/operators/pgbouncer.md`, but for places and passwords.
fn configure(folder: &Path, name: &str, options: &PgBouncerOptions) -> Result<PathBuf, DevError> {
    let users = folder.join(name).with_extension("users");
    fs::write(&users, LOGINS).map_err(DevError::file("write", &users))?;
    let settings = folder.join(name).with_extension("ini");
    let text = format!(
        "[databases]\n* = host={folder} port=5432\n\
         [pgbouncer]\nunix_socket_dir = {folder}\nlisten_port = {port}\n\
         auth_type = trust\nauth_file = {users}\n\
         pool_mode = transaction\nmax_prepared_statements = 200\n\
         default_pool_size = {servers}\nmax_client_conn = 1000\nserver_idle_timeout = 5\nserver_login_retry = 1\n\
         log_connections = 0\nlog_disconnections = 0\n",
        folder = folder.display(),
        users = users.display(),
        port = options.port,
        servers = options.servers,
    );
    fs::write(&settings, text).map_err(DevError::file("write", &settings))?;
    Ok(settings)
}
