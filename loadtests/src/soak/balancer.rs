//! `HAProxy` in front of the servers, as in docs/operators: it asks each five times a second whether it is ready.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{Outcome, server::free_address};

/// Where Debian puts it, which is not on everybody's path.
const INSTALLED: &str = "/usr/sbin/haproxy";
/// How long a server may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running one. Dropping it ends it.
pub(crate) struct Balancer {
    process: Child,
    pub(crate) address: SocketAddr,
    state: SocketAddr,
    servers: usize,
}

impl Balancer {
    /// Starts one for so many sockets.
    pub(crate) fn start(folder: &Path, servers: &[SocketAddr], sockets: usize) -> Outcome<Self> {
        let (address, state) = (free_address()?, free_address()?);
        let most = sockets * 2 + 1_000;
        let mut text = format!(
            "global\n  maxconn {most}\n\
             defaults\n  mode http\n  maxconn {most}\n  timeout connect 5s\n  timeout client 60s\n  \
             timeout server 60s\n  timeout tunnel 1h\n  timeout check 3s\n  retries 3\n  option redispatch\n  \
             option httpchk GET /health/ready\n\
             frontend clients\n  bind {address}\n  default_backend servers\n\
             frontend state\n  bind {state}\n  stats enable\n  stats uri /\n\
             backend servers\n  balance roundrobin\n  default-server check inter 200ms fall 2 rise 1\n"
        );
        for (number, server) in servers.iter().enumerate() {
            writeln!(text, "  server s{number} {server}")?;
        }
        let configuration = folder.join("haproxy.cfg");
        std::fs::write(&configuration, text)?;
        let program = match Path::new(INSTALLED).exists() {
            true => PathBuf::from(INSTALLED),
            false => PathBuf::from("haproxy"),
        };
        let log = std::fs::File::create(folder.join("haproxy.log"))?;
        let process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .arg("-db")
            .arg("-f")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self {
            process,
            address,
            state,
            servers: servers.len(),
        })
    }

    /// Waits until all servers get requests.
    pub(crate) async fn has_all(&self) -> Outcome<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Ok(state) = self.read_state().await {
                let is_up = |line: &&str| line.starts_with("servers,s") && line.contains(",UP,");
                if state.lines().filter(is_up).count() == self.servers {
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        Err("HAProxy does not see all servers".into())
    }

    async fn read_state(&self) -> Outcome<String> {
        let stream = TcpStream::connect(self.state).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get("/;csv").header("host", self.state.to_string());
        let response = sender
            .send_request(request.body(Empty::<Bytes>::new())?)
            .await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8(body.to_vec())?)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
