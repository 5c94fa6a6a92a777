//! `PostGraphile` as a process: `loadtests/peers/postgraphile`, installed from npm at the first use.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    Outcome,
    attack::Target,
    cluster::{Cluster, DATABASE},
    say,
    server::free_address,
};

/// How long it may take to read the catalogue and to make its schema.
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A running `PostGraphile`.
pub(crate) struct PostGraphile {
    child: Child,
    address: SocketAddr,
    pids: Vec<u32>,
}

impl PostGraphile {
    pub(super) async fn start(cluster: &Cluster) -> Outcome<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/postgraphile");
        install(&folder).await?;
        let address = free_address()?;
        let (directory, port) = cluster.socket()?;
        // It dies with us, also when we are killed.
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(folder.join("node_modules/.bin/node"))
            .arg("server.mjs")
            .current_dir(&folder)
            .env("NODE_ENV", "production")
            .env("PORT", address.port().to_string())
            .env("PGHOST", directory)
            .env("PGPORT", port.to_string())
            .env("PGUSER", "dealgraph_app")
            .env("PGDATABASE", DATABASE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let said = child.stdout.take().ok_or("PostGraphile has no output")?;
        let mut lines = BufReader::new(said).lines();
        let ready = timeout(START_PATIENCE, async {
            while let Some(line) = lines.next_line().await? {
                if let Some(ready) = line.strip_prefix("ready ") {
                    return Outcome::Ok(ready.to_owned());
                }
            }
            Err("PostGraphile ended at once".into())
        });
        let ready = ready.await.map_err(|_| "PostGraphile does not start")??;
        let pids = ready
            .split(' ')
            .skip(1)
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(Self {
            child,
            address,
            pids,
        })
    }

    /// Its processes.
    pub(super) fn pids(&self) -> &[u32] {
        &self.pids
    }

    pub(super) async fn stop(mut self) -> Outcome<()> {
        let id = self.child.id().ok_or("PostGraphile has ended")?;
        kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM)?;
        timeout(STOP_PATIENCE, self.child.wait())
            .await
            .map_err(|_| "PostGraphile does not stop")??;
        Ok(())
    }
}

impl Target for PostGraphile {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn install(folder: &Path) -> Outcome<()> {
    let installed: PathBuf = folder.join("node_modules/.bin/node");
    if installed.exists() {
        return Ok(());
    }
    say("installing PostGraphile and its Node from npm");
    let done = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .await
        .map_err(|error| format!("npm: {error}; install Node to compare with PostGraphile"))?;
    match done.success() {
        true => Ok(()),
        false => Err(format!("npm ci ended with {done}").into()),
    }
}
