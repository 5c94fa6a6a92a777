//! The server under test: the real executable as a process of its own, configured as in production.

use std::{
    ffi::OsString,
    fs::OpenOptions,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{Options, Outcome, attack::Target, client::Connection, cluster::Cluster};

const START_PATIENCE: Duration = Duration::from_secs(20);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// The executable to measure.
pub(crate) fn executable(options: &Options) -> Outcome<PathBuf> {
    let executable = match &options.server {
        Some(server) => server.clone(),
        None => std::env::current_exe()?.with_file_name("dealgraph"),
    };
    if executable.exists() {
        return Ok(executable);
    }
    Err(format!(
        "{} is missing: `make bench` builds it",
        executable.display()
    )
    .into())
}

/// How a server is started.
pub(crate) struct Launch {
    /// A program that it is started by, with arguments; nothing for none.
    pub(crate) starter: Vec<OsString>,
    pub(crate) executable: PathBuf,
    pub(crate) address: SocketAddr,
    /// The name of its log.
    pub(crate) log: &'static str,
    /// Its settings beside where its database is.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// A running `dealgraph serve`. Dropping it kills it.
pub(crate) struct Server {
    child: Child,
    pid: u32,
    address: SocketAddr,
    log: PathBuf,
}

impl Server {
    /// Starts it with that many database connections, and waits until it answers.
    pub(crate) async fn start(
        cluster: &Cluster,
        executable: &Path,
        connections: u32,
    ) -> Outcome<Self> {
        Self::start_with(cluster, executable, connections, &[]).await
    }

    /// The same with further settings.
    pub(crate) async fn start_with(
        cluster: &Cluster,
        executable: &Path,
        connections: u32,
        settings: &[(&'static str, String)],
    ) -> Outcome<Self> {
        // Answers are worked out each time, unless it is the cache that is measured.
        let usual = [
            ("DEALGRAPH_POOL_SIZE", connections.to_string()),
            ("DEALGRAPH_CACHE_BYTES", "0".to_owned()),
        ];
        let launch = Launch {
            starter: Vec::new(),
            executable: executable.to_owned(),
            address: free_address()?,
            log: "serve.log",
            settings: usual.into_iter().chain(settings.iter().cloned()).collect(),
        };
        let server = Self::launch(cluster, &launch).await?;
        server.clear_log()?;
        Ok(server)
    }

    /// Starts it at an address, and waits until it answers. Its log goes on where it was.
    pub(crate) async fn launch(cluster: &Cluster, launch: &Launch) -> Outcome<Self> {
        let log = cluster.logs().join(launch.log);
        // Appended to, so that it can be emptied while the server writes to it.
        let lines = OpenOptions::new().create(true).append(true).open(&log)?;
        // It dies with us, also when we are killed: a leftover would keep its database connections.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "--"])
            .args(&launch.starter)
            .arg(&launch.executable)
            .arg("serve");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("DEALGRAPH_") {
                command.env_remove(name);
            }
        }
        command
            .env("DEALGRAPH_LISTEN", launch.address.to_string())
            .env(
                "DEALGRAPH_DATABASE_URL",
                cluster.server_url("dealgraph_app")?,
            )
            .env(
                "DEALGRAPH_SYSTEM_DATABASE_URL",
                cluster.server_url("dealgraph_system")?,
            )
            .env("DEALGRAPH_REDIS_URL", cluster.redis_url())
            .env("DEALGRAPH_ENCRYPTION_KEYS", cluster.encryption_keys()?)
            .env("DEALGRAPH_TRUST_FORWARDED_FOR", "1")
            // A few people ask as fast as they are answered: counted, and never refused.
            .env("DEALGRAPH_LIMIT_POINTS", "measure")
            .envs(launch.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(lines.try_clone()?)
            .stderr(lines)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        let pid = child.id().ok_or("the server ended at once")?;
        let mut server = Self {
            child,
            pid,
            address: launch.address,
            log,
        };
        server.wait_ready().await?;
        Ok(server)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// A new connection to it.
    pub(crate) async fn connect(&self) -> Outcome<Connection> {
        Connection::open(self.address).await
    }

    /// Lets it drain and end.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGTERM)?;
        let status = timeout(STOP_PATIENCE, self.child.wait())
            .await
            .map_err(|_| "the server does not stop")??;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}").into())
        }
    }

    /// Kills it, as a crash would end it.
    pub(crate) async fn kill(mut self) -> Outcome<()> {
        Ok(self.child.kill().await?)
    }

    async fn wait_ready(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + START_PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Err(
                    format!("the server ended with {status}: {}", self.last_words()).into(),
                );
            }
            if self.connect().await.is_ok() {
                return Ok(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(format!("the server does not answer: {}", self.last_words()).into())
    }

    fn last_words(&self) -> String {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        said.trim()
            .lines()
            .last()
            .unwrap_or("it said nothing")
            .to_owned()
    }
}

impl Target for Server {
    fn address(&self) -> SocketAddr {
        self.address
    }

    /// Empties its log, which grows by a line per request.
    fn clear_log(&self) -> Outcome<()> {
        Ok(OpenOptions::new().write(true).open(&self.log)?.set_len(0)?)
    }
}

pub(crate) fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
