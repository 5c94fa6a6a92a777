//! A private Redis for development and tests: in memory only, and on a socket only.
//!
//! It holds hints and cached answers, so it keeps nothing between runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout};

use super::datadir::DataDir;
use super::error::DevError;
use super::log::Log;
use super::path::find_program;
use super::process::{Child, Farewell, Program};

/// There is nothing to save, so it need not take long.
pub(super) const FAREWELL: Farewell = &[
    (Signal::SIGTERM, Duration::from_secs(5)),
    (Signal::SIGKILL, Duration::from_secs(5)),
];
const START_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);
const SETTINGS: &[&str] = &[
    "--port",
    "0",
    "--unixsocketperm",
    "700",
    "--daemonize",
    "no",
    "--save",
    "",
    "--appendonly",
    "no",
    "--maxmemory",
    "256mb",
    "--maxmemory-policy",
    "allkeys-lru",
];

/// A running server. Dropping it asks it to stop, without waiting.
pub struct Redis {
    child: Child,
    socket: PathBuf,
}

impl Redis {
    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`DevError::Missing`] when neither Redis nor Valkey is on the search path; [`DevError::Died`] and
    /// [`DevError::NotReady`] quote the log; [`DevError::DiskFull`], [`DevError::File`],
    /// [`DevError::Spawn`].
    pub async fn start(
        data: &DataDir,
        on_progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, DevError> {
        let Some(server) = find_program(&["redis-server", "valkey-server"]) else {
            return Err(DevError::Missing {
                program: "Redis (`redis-server` or `valkey-server`)",
                remedy: "install it (Debian: `apt-get install redis-server`) or add its folder to PATH",
            });
        };
        on_progress("starting Redis");
        let socket = data.sockets().join("redis.sock");
        let mut command = Command::new(server);
        command.args(SETTINGS).arg("--unixsocket").arg(&socket);
        command.arg("--dir").arg(data.redis());
        let program = Program {
            name: "redis",
            command,
            folder: data.redis(),
            farewell: FAREWELL,
        };
        let log = Log::open(data.logs().join("redis.log"))?;
        let child = Child::spawn(program, data.account(), log, data.pid_file("redis")).await?;
        wait_ready(&child, &socket).await?;
        Ok(Self { child, socket })
    }

    /// Its address, as the redis crate reads it.
    #[must_use]
    pub fn url(&self) -> String {
        let file = url::Url::from_file_path(&self.socket).expect("the socket's path is absolute");
        file.as_str().replacen("file:", "redis+unix:", 1)
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

async fn wait_ready(child: &Child, socket: &Path) -> Result<(), DevError> {
    let deadline = Instant::now() + START_PATIENCE;
    while Instant::now() < deadline {
        tokio::select! {
            fault = child.died() => return Err(fault),
            () = sleep(POLL) => {}
        }
        if matches!(timeout(START_PATIENCE, ping(socket)).await, Ok(Ok(()))) {
            return Ok(());
        }
    }
    Err(child.not_ready(START_PATIENCE))
}

async fn ping(socket: &Path) -> std::io::Result<()> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).await?;
    if answer == *b"+PONG\r\n" {
        Ok(())
    } else {
        Err(std::io::Error::other("it answers, but not as Redis does"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::datadir::Contents;
    use super::*;

    #[tokio::test]
    async fn it_answers_on_its_socket_until_it_is_stopped() {
        let folder = std::env::temp_dir().join(format!("dealgraph-redis-{}", std::process::id()));
        let data = DataDir::open(&folder, Contents::Keep, &|_| {})
            .await
            .unwrap();
        let redis = Redis::start(&data, &|_| {}).await.unwrap();
        let socket = redis.socket.clone();
        assert!(redis.url().starts_with("redis+unix:///"), "{}", redis.url());
        ping(&socket).await.unwrap();

        redis.stop().await;

        ping(&socket).await.unwrap_err();
        std::fs::remove_dir_all(folder).unwrap();
    }
}
