//! The processes of the soak: Postgres, Redis and two servers, each of which can be ended and brought back.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use nix::sys::signal::Signal;
use sqlx::PgConnection;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::timeout,
};

use super::{
    Plan,
    ask::Addresses,
    balancer::Balancer,
    clocks::FalseClock,
    disk::Disks,
    processes::{self, Paused, Process},
    wires::Wires,
};
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
    /// Each server's own, where they can be spoilt.
    pub(crate) wires: Vec<Wires>,
    /// Each server's own, where they can go wrong.
    pub(crate) clocks: Vec<FalseClock>,
    pub(crate) disks: Option<Disks>,
    pub(crate) paused: Paused,
    /// In front of the servers, where they are replaced in turns.
    balancer: Option<Balancer>,
    /// Connections that hold locks, or keep others out.
    pub(crate) held: Vec<PgConnection>,
}

impl Site {
    pub(crate) async fn open(
        mut cluster: Cluster,
        executable: PathBuf,
        plan: Plan,
        dice: &mut fastrand::Rng,
    ) -> Outcome<Self> {
        let (mut launches, mut wires, mut clocks) = (Vec::new(), Vec::new(), Vec::new());
        for (server, log) in LOGS.into_iter().enumerate() {
            let (mut settings, mut starter) = (settings(), Vec::new());
            if plan.crowd() > 0 {
                // Longer than the balancer takes to see that a server ends.
                settings.push(("DEALGRAPH_DRAIN_WAIT_S", "2".to_owned()));
            }
            if plan == Plan::Chaos {
                let own = Wires::lay(&cluster).await?;
                settings.extend(own.settings());
                wires.push(own);
                if let Some(clock) = FalseClock::new(&cluster.logs(), server)? {
                    settings.extend(clock.settings());
                    starter = clock.starter();
                    clocks.push(clock);
                }
            }
            launches.push(Launch {
                starter,
                executable: executable.clone(),
                address: address(dice)?,
                log,
                settings,
            });
        }
        let disks = match plan {
            Plan::Soak | Plan::Rolling(_) => None,
            Plan::Chaos => Disks::under(&mut cluster).await?,
        };
        let mut site = Self {
            wires,
            clocks,
            disks,
            paused: Paused::default(),
            balancer: None,
            held: Vec::new(),
            cluster,
            launches,
            servers: (0..SERVERS).map(|_| None).collect(),
            has_redis: true,
        };
        site.heal().await?;
        if let Plan::Rolling(sockets) = plan {
            let servers: Vec<_> = site.servers_addresses().collect();
            let balancer = Balancer::start(&site.cluster.logs(), &servers, sockets)?;
            balancer.has_all().await?;
            site.balancer = Some(balancer);
        }
        Ok(site)
    }

    fn servers_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.launches.iter().map(|launch| launch.address)
    }

    /// Where clients go.
    pub(crate) fn addresses(&self) -> Addresses {
        match &self.balancer {
            Some(balancer) => Arc::from([balancer.address]),
            None => Arc::from_iter(self.servers_addresses()),
        }
    }

    /// Waits until the balancer sees all servers.
    pub(crate) async fn is_balanced(&self) -> Outcome<()> {
        match &self.balancer {
            Some(balancer) => balancer.has_all().await,
            None => Ok(()),
        }
    }

    /// Makes all whole that was spoilt, and starts all that was ended.
    pub(crate) async fn heal(&mut self) -> Outcome<()> {
        self.paused.all_go_on();
        self.wires.iter().for_each(Wires::mend);
        for clock in &self.clocks {
            clock.set_right()?;
        }
        self.mend_postgres().await?;
        if !self.has_redis {
            self.start_redis().await?;
        }
        for server in 0..SERVERS {
            self.start_server(server).await?;
        }
        Ok(())
    }

    /// Makes Postgres whole as far as it can be while it runs, and starts it if it has ended by itself.
    pub(crate) async fn mend_postgres(&mut self) -> Outcome<()> {
        self.paused.go_on(Process::Postgres);
        self.held.clear();
        if let Some(disks) = &self.disks {
            disks.clear()?;
        }
        self.cluster.revive_postgres().await
    }

    /// What servers are started from.
    pub(crate) fn executable(&self) -> &Path {
        &self.launches[0].executable
    }

    /// The id of a process, if it runs.
    pub(crate) fn pid(&self, what: Process) -> Option<u32> {
        match what {
            Process::Server(server) => self.servers[server].as_ref().map(Server::pid),
            Process::Postgres => Some(self.cluster.postgres_pid()),
            Process::Redis => self.has_redis.then(|| self.cluster.redis_pid()),
        }
    }

    /// Bytes of memory that the largest server has now.
    pub(crate) fn memory(&self) -> u64 {
        let servers = self.servers.iter().flatten();
        let sizes = servers.filter_map(|server| processes::memory(server.pid()));
        sizes.max().unwrap_or(0)
    }

    /// Starts one that does not run. It does not start without its database, so that is made whole.
    pub(crate) async fn start_server(&mut self, server: usize) -> Outcome<()> {
        if self.servers[server].is_none() {
            self.mend_postgres().await?;
            if let Some(wires) = self.wires.get(server) {
                wires.mend();
            }
            self.cluster.takes_servers().await?;
            let started = Server::launch(&self.cluster, &self.launches[server]).await?;
            self.servers[server] = Some(started);
        }
        Ok(())
    }

    /// Whether it ran.
    pub(crate) async fn kill_server(&mut self, server: usize) -> Outcome<bool> {
        self.paused.go_on(Process::Server(server));
        match self.servers[server].take() {
            Some(running) => running.kill().await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Takes one that runs, to end it.
    pub(crate) fn take_server(&mut self, server: usize) -> Option<Server> {
        self.paused.go_on(Process::Server(server));
        self.servers[server].take()
    }

    /// Has one end by itself, and well, if it runs.
    pub(crate) async fn stop_server(&mut self, server: usize) -> Outcome<()> {
        match self.take_server(server) {
            Some(running) => running.stop().await,
            None => Ok(()),
        }
    }

    /// Ends Postgres by a signal and starts it again.
    pub(crate) async fn restart_postgres(&mut self, signal: Signal) -> Outcome<bool> {
        self.mend_postgres().await?;
        self.cluster.restart_postgres(signal).await.map(|()| true)
    }

    pub(crate) async fn kill_redis(&mut self) -> Outcome<bool> {
        self.paused.go_on(Process::Redis);
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
    pub(crate) async fn tell_redis(&mut self, command: &str) -> Outcome<bool> {
        if !self.has_redis {
            return Ok(false);
        }
        self.paused.go_on(Process::Redis);
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
    .into_iter()
    // The receivers of webhooks are in this process.
    .chain([("DEALGRAPH_OUTBOUND_ALLOW_LOOPBACK", "on".to_owned())])
    .collect()
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
