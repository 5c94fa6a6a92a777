//! How fast and how cheap subscriptions are, beside a bare server that sends the same bytes to as many sockets.
//!
//! Everything runs on one machine: the real server, its database, two processes of ten thousand sockets each and the
//! bare server. What is measured alternately is disturbed by the same things. What each socket got is compared with the
//! event log itself.

pub(crate) mod attend;
pub(crate) mod bare;
mod commit;
mod counter;
mod crowd;
mod delivery;
mod fan_out;
mod happened;
mod helper;
mod idle;
pub(crate) mod limits;
mod listener;
mod outbox;
mod per_event;
mod sample;
mod socket;
mod statements;
mod table;
mod tenant;
mod times;
mod writes;

use std::time::Duration;

use sqlx::PgConnection;

use crate::{
    Options, Outcome,
    attack::Target as _,
    cluster::Cluster,
    cpu, data, say,
    server::{self, Server},
};
use crowd::Crowd;
use delivery::{Delivery, pair};
use statements::Counter;
use table::Table;
use tenant::Tenant;
use writes::{Pace, Write};

/// Files that a process with so many sockets needs beside them.
const OTHER_FILES: u64 = 200;

/// Moves before anything is measured: every connection to the database is used, and learns the statements of a move.
const WARMING: usize = 200;

/// What is measured on.
struct Stage<'c> {
    cluster: &'c Cluster,
    database: PgConnection,
    counter: Counter,
    server: Server,
    tenant: Tenant,
}

/// Measures, and prints the table.
///
/// # Errors
/// Also when any socket did not get every event once and in order.
pub(crate) async fn run(options: &Options, cluster: &Cluster, sockets: usize) -> Outcome<()> {
    let most = limits::raise_open_files()?;
    if most < sockets as u64 + OTHER_FILES {
        return Err(format!(
            "{sockets} sockets are too many where a process may have {most} files"
        )
        .into());
    }
    data::ensure(cluster, data::Set::Usual).await?;
    let mut database = cluster.superuser().await?;
    let tenant = Tenant::prepare(cluster, &mut database).await?;
    say("looking at the statements of a move");
    let executable = server::executable(options)?;
    let script = outbox::script(cluster, &executable, &mut database).await?;
    let users = options.users;
    let server = Server::start_with(cluster, &executable, users.into(), &room(sockets)).await?;
    let mut stage = Stage {
        cluster,
        database,
        counter: Counter::open(cluster).await?,
        server,
        tenant,
    };

    let (mut table, load) = (Table::default(), cpu::Others::now());
    let unit = Duration::from_secs(options.seconds());
    for _ in 0..WARMING {
        stage.move_one().await?;
    }
    say("with no subscriber, one and all of them, while nothing happens");
    let (crowd, clock) = idle::run(&mut stage, sockets, &mut table).await?;
    say("one event, and ten a second, alternating with the bare server");
    fan_out::run(&mut stage, crowd, unit / 8, &mut table).await?;
    say("200 writes a second");
    commit::run(&mut stage, unit / 8, &mut table).await?;
    say("statements per event");
    per_event::run(&mut stage, &clock, &mut table).await?;
    stage.counter.close().await?;
    stage.server.stop().await?;
    say("what appending events costs");
    outbox::run(cluster, &script, (users, unit / 40), &mut table).await?;
    say("what the counter of a tenant costs");
    counter::run(cluster, (users, unit / 20), &mut table).await?;

    print!("{}", table.render(options, cluster, load.share()));
    match table.faults() {
        [] => Ok(()),
        faults => Err(format!(
            "events were not delivered as they happened: {}",
            faults.join("; ")
        )
        .into()),
    }
}

/// Settings that let so many in from one address.
fn room(sockets: usize) -> Vec<(&'static str, String)> {
    let most = (sockets + 1_000).to_string();
    let names = [
        "DEALGRAPH_CONNECTIONS",
        "DEALGRAPH_CONNECTIONS_PER_ADDRESS",
        "DEALGRAPH_LIMIT_CONNECTIONS_PER_PERSON",
        "DEALGRAPH_LIMIT_CONNECTIONS_PER_TENANT",
    ];
    names.map(|name| (name, most.clone())).into()
}

impl Stage<'_> {
    /// That many sockets of people who see the same.
    async fn join(&self, sockets: usize) -> Outcome<Crowd> {
        Crowd::join(self.server.address(), &self.tenant.analysts, sockets).await
    }

    async fn move_one(&mut self) -> Outcome<Write> {
        let deal = self.tenant.deals.first_mut().ok_or("there are no deals")?;
        deal.go(&mut self.server.connect().await?).await
    }

    async fn write(&mut self, pace: Pace) -> Outcome<Vec<Write>> {
        writes::steadily(&self.server, &mut self.tenant.deals, pace).await
    }

    /// Moves one deal; answers how that came to a crowd.
    async fn one(&mut self, crowd: &mut Crowd) -> Outcome<Delivery> {
        let before = happened::last(&mut self.database, self.tenant.id).await?;
        let write = self.move_one().await?;
        self.judge(crowd, before, &[write]).await
    }

    /// The same at a pace; answers what was written as well.
    async fn steady(&mut self, crowd: &mut Crowd, pace: Pace) -> Outcome<(Vec<Write>, Delivery)> {
        let before = happened::last(&mut self.database, self.tenant.id).await?;
        let writes = self.write(pace).await?;
        let delivery = self.judge(crowd, before, &writes).await?;
        Ok((writes, delivery))
    }

    async fn judge(
        &mut self,
        crowd: &mut Crowd,
        before: i64,
        writes: &[Write],
    ) -> Outcome<Delivery> {
        let received = crowd.gather(writes.len()).await?;
        let happened = happened::since(&mut self.database, (self.tenant.id, before)).await?;
        Ok(Delivery::judge(&pair(&happened, writes)?, &received))
    }
}
