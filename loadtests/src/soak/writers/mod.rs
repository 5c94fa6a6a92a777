//! Writers: at random, all there is to do with records, over both servers, as several people at once. Each keeps what it
//! asked for and what came of it.

pub(crate) mod acts;
mod book;
mod ground;
mod invent;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    ask::{Addresses, Answer, Asker},
    history::{Ending, Write},
    kind::uuid_of,
    stats::Stats,
    world::{ADMIN, MANAGER, NORTHERNER, SOUTHERNER, Tenant},
};
use crate::Outcome;
use acts::Act;
use book::Book;

/// Who writes: most is done by who may do everything.
const AUTHORS: [usize; 8] = [
    ADMIN, MANAGER, ADMIN, NORTHERNER, ADMIN, SOUTHERNER, ADMIN, ADMIN,
];
/// How often a creation whose answer was lost is asked for again.
const RETRIES: usize = 3;

/// What the writers of a tenant have in common.
pub(crate) struct Desk {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) addresses: Addresses,
    pub(crate) stats: Arc<Stats>,
    book: Mutex<Book>,
    began: Instant,
}

impl Desk {
    pub(crate) fn new(tenant: Arc<Tenant>, addresses: Addresses, stats: Arc<Stats>) -> Arc<Self> {
        Arc::new(Self {
            tenant,
            addresses,
            stats,
            book: Mutex::default(),
            began: Instant::now(),
        })
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A member who writes.
pub(crate) struct Writer {
    desk: Arc<Desk>,
    asker: Asker,
    author: usize,
    dice: fastrand::Rng,
    /// Begins the names of its requests.
    name: String,
    count: u32,
    writes: Vec<Write>,
}

impl Writer {
    pub(crate) fn new(desk: &Arc<Desk>, number: usize, mut dice: fastrand::Rng) -> Self {
        let author = AUTHORS[number % AUTHORS.len()];
        Self {
            asker: desk.tenant.asker(author, &desk.addresses, dice.fork()),
            desk: Arc::clone(desk),
            author,
            dice,
            name: format!("w{number}"),
            count: 0,
            writes: Vec::new(),
        }
    }

    /// Writes until it is to stop; returns all it did.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Outcome<Vec<Write>> {
        while !stop.is_cancelled() {
            let invented = {
                let mut book = self.desk.book();
                invent::invent(&mut self.dice, &self.desk.tenant, &mut book, self.author)
            };
            self.carry_out(invented).await?;
        }
        Ok(self.writes)
    }

    pub(crate) fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Asks for something, and again for a creation whose answer was lost, which must not make two.
    pub(crate) async fn carry_out(&mut self, act: Act) -> Outcome<Ending> {
        let attempts = if act.is_creation() { RETRIES } else { 1 };
        for attempt in 1.. {
            let ending = self.attempt(&act).await?;
            if !matches!(ending, Ending::Unknown(_)) {
                return Ok(ending);
            }
            tokio::time::sleep(Duration::from_millis(self.dice.u64(20..200))).await;
            if attempt == attempts {
                return Ok(ending);
            }
        }
        Ok(Ending::Unknown("never asked".to_owned()))
    }

    async fn attempt(&mut self, act: &Act) -> Outcome<Ending> {
        self.count += 1;
        let request = format!("{}-{}", self.name, self.count);
        let sent = self.desk.began.elapsed();
        let answer = self
            .asker
            .mutate(&request, (act.mutation, act.shown()), &act.input)
            .await?;
        let answered = self.desk.began.elapsed();
        let ending = self.settle(act, answer);
        self.note(act, &ending);
        self.writes.push(Write {
            request,
            act: act.mutation,
            of: act.of,
            expected: act.expected,
            mark: act.mark.clone(),
            ending: ending.clone(),
            at: (sent, answered),
        });
        Ok(ending)
    }

    fn note(&self, act: &Act, ending: &Ending) {
        let stats = &self.desk.stats;
        match ending {
            Ending::Done(_) => stats.count("writes acknowledged"),
            Ending::Refused(code) => {
                stats.count("writes refused");
                stats.count(&format!("refused with {code}: {}", act.mutation));
            }
            Ending::Unknown(why) => {
                stats.count("writes unknown");
                let what = why.split(':').next().unwrap_or_default();
                stats.count(&format!("unknown: {what}"));
            }
        }
    }

    /// Brings the book up to what an answer says.
    fn settle(&self, act: &Act, answer: Answer) -> Ending {
        let Some((kind, id)) = act.of else {
            return answer.ending;
        };
        let mut book = self.desk.book();
        let record = &answer.payload[kind.word()];
        let version = record["version"]
            .as_i64()
            .and_then(|version| i32::try_from(version).ok());
        if let Some(activity) = uuid_of(&answer.payload["activity"]["id"])
            && activity != id
        {
            book.learn(super::kind::Kind::Activity, activity, Some(1), false);
        }
        match &answer.ending {
            Ending::Done(_) if act.mutation.ends_with("Delete") => book.forget(kind, id),
            Ending::Done(_) => {
                book.learn(kind, id, version, !record["archivedAt"].is_null());
                return Ending::Done(version);
            }
            // Conflicts say what the record is at now.
            Ending::Refused(code) if code == "CONFLICT" && version.is_some() => {
                book.learn(kind, id, version, !record["archivedAt"].is_null());
            }
            Ending::Refused(code) if code == "NOT_FOUND" && self.author == ADMIN => {
                book.forget(kind, id);
            }
            Ending::Refused(_) => {}
            Ending::Unknown(_) => book.doubt(kind, id),
        }
        answer.ending
    }
}
