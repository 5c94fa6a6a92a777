//! The processes of the soak: Postgres, Redis and two servers, each of which can be ended and brought back.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use super::ask::Addresses;
use crate::{
    Outcome,
    cluster::Cluster,
    server::{Launch, Server},
};

/// Below those that connections are made from: nobody else gets the port of a server while it is away.
const PORTS: std::ops::Range<u16> = 21_000..29_000;
const LOGS: [&str; 2] = ["serve-0.log", "serve-1.log"];
pub(crate) const SERVERS: usize = LOGS.len();

pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    launches: Vec<Launch>,
    servers: Vec<Option<Server>>,
    has_redis: bool,
}

impl Site {
    pub(crate) async fn open(
        cluster: Cluster,
        executable: PathBuf,
        dice: &mut fastrand::Rng,
    ) -> Outcome<Self> {
        let mut launches = Vec::new();
        for log in LOGS {
            launches.push(Launch {
                executable: executable.clone(),
                address: address(dice)?,
                log,
                settings: settings(),
            });
        }
        let mut site = Self {
            cluster,
            launches,
            servers: (0..SERVERS).map(|_| None).collect(),
            has_redis: true,
        };
        site.heal().await?;
        Ok(site)
    }

    pub(crate) fn addresses(&self) -> Addresses {
        let addresses = self.launches.iter().map(|launch| launch.address);
        Arc::from_iter(addresses)
    }

    /// Starts all that was ended.
    pub(crate) async fn heal(&mut self) -> Outcome<()> {
        if !self.has_redis {
            self.start_redis().await?;
        }
        for server in 0..SERVERS {
            self.start_server(server).await?;
        }
        Ok(())
    }

    pub(crate) async fn start_server(&mut self, server: usize) -> Outcome<()> {
        if self.servers[server].is_none() {
            let started = Server::launch(&self.cluster, &self.launches[server]).await?;
            self.servers[server] = Some(started);
        }
        Ok(())
    }

    /// Whether it ran.
    pub(crate) async fn kill_server(&mut self, server: usize) -> Outcome<bool> {
        match self.servers[server].take() {
            Some(running) => running.kill().await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Whether it ran. It has to end by itself, and well.
    pub(crate) async fn stop_server(&mut self, server: usize) -> Outcome<bool> {
        match self.servers[server].take() {
            Some(running) => running.stop().await.map(|()| true),
            None => Ok(false),
        }
    }

    pub(crate) async fn restart_postgres(&mut self, signal: Signal) -> Outcome<()> {
        self.cluster.restart_postgres(signal).await
    }

    pub(crate) async fn kill_redis(&mut self) -> Outcome<bool> {
        if std::mem::take(&mut self.has_redis) {
            self.cluster.kill_redis().await?;
            return Ok(true);
        }
        Ok(false)
    }

    pub(crate) async fn start_redis(&mut self) -> Outcome<()> {
        self.cluster.start_redis().await?;
        self.has_redis = true;
        Ok(())
    }

    /// Gives Redis a command; whether it was there to take it.
    pub(crate) async fn tell_redis(&self, command: &str) -> Outcome<bool> {
        if !self.has_redis {
            return Ok(false);
        }
        let url = self.cluster.redis_url();
        let path = url.strip_prefix("redis+unix://").unwrap_or(&url);
        let version = async {
            let mut stream = UnixStream::connect(path).await?;
            stream
                .write_all(format!("{command}\r\n").as_bytes())
                .await?;
            let mut answer = [0; 1];
            stream.read_exact(&mut answer).await?;
            std::io::Result::Ok(answer[0])
        };
        match timeout(Duration::from_secs(5), version).await?? {
            b'-' => Err(format!("Redis does not know {command}").into()),
            _ => Ok(true),
        }
    }

    pub(crate) async fn close(mut self) -> Outcome<()> {
        for server in 0..SERVERS {
            self.stop_server(server).await?;
        }
        self.cluster.stop().await;
        Ok(())
    }
}

/// All callers come from one address and there are few people, so the limits of a tenant in real life are in the way.
fn settings() -> Vec<(&'static str, String)> {
    [
        ("DEALGRAPH_CONNECTIONS_PER_ADDRESS", 10_000),
        ("DEALGRAPH_LIMIT_CONNECTIONS_PER_PERSON", 1_000),
        ("DEALGRAPH_LIMIT_CONNECTIONS_PER_TENANT", 10_000),
        ("DEALGRAPH_POOL_SIZE", 12),
    ]
    .map(|(name, value)| (name, value.to_string()))
    .into()
}

fn address(dice: &mut fastrand::Rng) -> Outcome<SocketAddr> {
    for _ in 0..100 {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, dice.u16(PORTS)));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err("there is no free port".into())
}
