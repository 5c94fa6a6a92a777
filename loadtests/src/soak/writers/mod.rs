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

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{
    Plan,
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
/// How long one asks under a key: longer than a key is kept from others whose server died.
const INSISTENCE: Duration = Duration::from_secs(60);

/// What the writers of a tenant have in common.
pub(crate) struct Desk {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) addresses: Addresses,
    pub(crate) stats: Arc<Stats>,
    plan: Plan,
    book: Mutex<Book>,
    began: Instant,
}

impl Desk {
    pub(crate) fn new(
        tenant: Arc<Tenant>,
        addresses: Addresses,
        stats: Arc<Stats>,
        plan: Plan,
    ) -> Arc<Self> {
        Arc::new(Self {
            tenant,
            addresses,
            stats,
            plan,
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
    /// Whether it asks under idempotency keys until it is answered.
    is_keyed: bool,
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
            is_keyed: desk.plan == Plan::Chaos && number % 2 == 1,
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
            let ending = self.carry_out(invented).await?;
            if let Ending::Unknown(why) = &ending
                && self.desk.plan.crowd() > 0
            {
                let what = format!("a request failed while servers were replaced: {why}");
                self.desk.stats.complain(what);
            }
            sleep(self.desk.plan.rest()).await;
        }
        Ok(self.writes)
    }

    pub(crate) fn into_writes(self) -> Vec<Write> {
        self.writes
    }

    /// Asks for something, and again for a creation whose answer was lost, which must not make two.
    pub(crate) async fn carry_out(&mut self, act: Act) -> Outcome<Ending> {
        if self.is_keyed {
            return self.insist(&act).await;
        }
        let attempts = if act.is_creation() { RETRIES } else { 1 };
        for attempt in 1.. {
            let (request, sent) = self.next_request();
            let answer = self.ask(&request, &act).await?;
            let ending = self.conclude(&act, request, sent, answer);
            if !matches!(ending, Ending::Unknown(_)) {
                return Ok(ending);
            }
            self.pause().await;
            if attempt == attempts {
                return Ok(ending);
            }
        }
        Ok(Ending::Unknown("never asked".to_owned()))
    }

    /// Asks under one key until it is answered. To the log it is one request, which must be there once.
    async fn insist(&mut self, act: &Act) -> Outcome<Ending> {
        let (request, sent) = self.next_request();
        loop {
            let answer = self.ask(&request, act).await?;
            let is_open = match &answer.ending {
                Ending::Done(_) | Ending::Rebuilt(_) | Ending::Lost => false,
                Ending::Refused(code) => code == "TENANT_BUSY",
                Ending::Unknown(_) => true,
            };
            if !is_open || self.desk.began.elapsed() > sent + INSISTENCE {
                self.desk.stats.count("writes under a key");
                return Ok(self.conclude(act, request, sent, answer));
            }
            self.desk.stats.count("writes asked again under their key");
            self.note_fault(act, &answer.ending);
            self.pause().await;
        }
    }

    async fn pause(&mut self) {
        sleep(Duration::from_millis(self.dice.u64(20..200))).await;
    }

    fn next_request(&mut self) -> (String, Duration) {
        self.count += 1;
        let request = format!("{}-{}", self.name, self.count);
        (request, self.desk.began.elapsed())
    }

    async fn ask(&mut self, request: &str, act: &Act) -> Outcome<Answer> {
        let wanted = (act.mutation, act.shown());
        let asked = self
            .asker
            .mutate(request, self.is_keyed, wanted, &act.input);
        asked.await
    }

    /// Keeps what was asked for and what came of it.
    fn conclude(&mut self, act: &Act, request: String, sent: Duration, answer: Answer) -> Ending {
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
        ending
    }

    /// Whatever fails, the server knows what it is.
    fn note_fault(&self, act: &Act, ending: &Ending) {
        if let Ending::Unknown(why) = ending
            && self.desk.plan == Plan::Chaos
            && why.contains("INTERNAL")
        {
            let what = format!("{} was answered {why}", act.mutation);
            self.desk.stats.complain(what);
        }
    }

    fn note(&self, act: &Act, ending: &Ending) {
        let stats = &self.desk.stats;
        match ending {
            Ending::Done(_) => stats.count("writes acknowledged"),
            Ending::Rebuilt(_) => stats.count("writes acknowledged by a rebuilt answer"),
            Ending::Lost => stats.count("writes acknowledged without an answer"),
            Ending::Refused(code) => {
                stats.count("writes refused");
                stats.count(&format!("refused with {code}: {}", act.mutation));
            }
            Ending::Unknown(why) => {
                stats.count("writes unknown");
                let what = why.split(':').next().unwrap_or_default();
                stats.count(&format!("unknown: {what}"));
                self.note_fault(act, ending);
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
            Ending::Done(_) if answer.payload.is_null() => book.doubt(kind, id),
            Ending::Done(_) if act.mutation.ends_with("Delete") => book.forget(kind, id),
            Ending::Done(_) => {
                book.learn(kind, id, version, !record["archivedAt"].is_null());
                return match answer.is_rebuilt {
                    true => Ending::Rebuilt(version),
                    false => Ending::Done(version),
                };
            }
            // A record that others took away from this author, or an activity that was.
            Ending::Lost if self.author != ADMIN || act.mutation == acts::COMPLETE => {
                book.doubt(kind, id);
                return Ending::Done(None);
            }
            Ending::Rebuilt(_) | Ending::Lost => book.doubt(kind, id),
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
