//! The life of a subscriber.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::Value as Json;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Track,
    line::{Frame, Line, Transport},
};
use crate::{
    Outcome,
    soak::{
        ask::{Addresses, Asker},
        board::Board,
        readers::EARLY,
        stats::Stats,
        world::Person,
    },
};

/// A server gives a sign of life more often than this.
const SILENCE: Duration = Duration::from_secs(50);
/// How a connection may end while servers and databases are stopped and started.
const USUAL_ENDS: [&str; 6] = [
    EARLY,
    "cut",
    "closed",
    "closed with 1012",
    "closed with 1013",
    "completed",
];
/// How an operation may.
const USUAL_FAILURES: [&str; 2] = ["UNAVAILABLE", "TIMEOUT"];

/// What all subscribers have in common.
pub(crate) struct SharedState {
    pub(crate) addresses: Addresses,
    pub(crate) stats: Arc<Stats>,
    /// Whether all have stopped cutting their own connections and dawdling.
    pub(crate) is_calm: AtomicBool,
    pub(crate) delivered: AtomicU64,
    pub(crate) stop: CancellationToken,
}

pub(crate) struct Client {
    pub(super) shared: Arc<SharedState>,
    pub(super) person: Arc<Person>,
    pub(super) asker: Asker,
    pub(super) transport: Transport,
    pub(super) dice: fastrand::Rng,
    pub(super) tracks: Vec<Track>,
    /// Counts operations, so that none is taken for an earlier one.
    pub(super) round: u64,
}

/// So many operations a client can have.
const MOST: u64 = 64;

/// Whether a server refuses a token because its clock is behind.
fn is_early(error: &Json) -> bool {
    let message = error["message"].as_str().unwrap_or_default();
    error["extensions"]["code"] == "UNAUTHENTICATED" && message.starts_with(EARLY)
}

impl Client {
    /// Subscribes until it is to stop; returns what it received.
    pub(crate) async fn run(mut self) -> Vec<Track> {
        let stop = self.shared.stop.clone();
        stop.run_until_cancelled(self.live()).await;
        self.tracks
    }

    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    async fn live(&mut self) {
        loop {
            match self.open().await {
                Ok(line) => {
                    let end = self.listen(line).await;
                    self.shared.stats.count(&format!("connections {end}"));
                    if !USUAL_ENDS.contains(&end.as_str()) && end != "dropped" {
                        let name = self.person.name;
                        let why = format!("the connection of {name} was {end}");
                        self.shared.stats.complain(why);
                    }
                }
                Err(_) => self.shared.stats.count("attempts to connect"),
            }
            self.shared.stats.count("reconnects");
            sleep(Duration::from_millis(self.dice.u64(5..400))).await;
        }
    }

    async fn open(&mut self) -> Outcome<Line> {
        let Self {
            tracks,
            asker,
            round,
            ..
        } = self;
        for track in tracks.iter_mut().filter(|track| track.cursor.is_none()) {
            if let Some(board) = &mut track.board {
                let (read, cursor) = Board::read(board.pipeline, asker).await?;
                *board = read;
                track.begin_at(&cursor)?;
            }
        }
        *round += 1;
        let wanted = tracks.iter().zip(*round * MOST..);
        let wanted: Vec<_> = wanted.map(|(track, id)| track.wanted(id)).collect();
        let server = self.dice.usize(..self.shared.addresses.len());
        let to = (self.shared.addresses[server], self.person.token.as_str());
        Line::open(self.transport, to, &wanted).await
    }

    /// Listens until the connection ends; answers how.
    async fn listen(&mut self, mut line: Line) -> String {
        let until = Instant::now() + Duration::from_millis(self.dice.u64(1_000..25_000));
        let mut dawdles_at = Instant::now() + self.wakefulness();
        loop {
            let is_calm = self.shared.is_calm.load(Ordering::Relaxed);
            let heard = tokio::select! {
                heard = timeout(SILENCE, line.hear()) => heard,
                // As a client whose network is gone.
                () = sleep_until(until), if !is_calm => return "dropped".to_owned(),
            };
            let heard = heard.unwrap_or_else(|_| Frame::Closed("silent".to_owned()));
            let taken = match heard {
                Frame::Closed(why) => return why,
                Frame::Other => Ok(()),
                Frame::Next(operation, payload) => {
                    self.take(operation, &payload);
                    Ok(())
                }
                Frame::Failed(operation, error) => self.fail(&mut line, operation, &error).await,
            };
            if taken.is_err() {
                return "cut".to_owned();
            }
            let dawdles = self.transport == Transport::SlowSocket && Instant::now() >= dawdles_at;
            if dawdles && !is_calm {
                sleep(Duration::from_millis(self.dice.u64(1_000..9_000))).await;
                dawdles_at = Instant::now() + self.wakefulness();
            }
        }
    }

    /// How long a slow client reads all that comes before it stops for a while. By the clock and not by what it reads: the
    /// more there is to read, the less it would, and never catch up.
    fn wakefulness(&mut self) -> Duration {
        Duration::from_millis(self.dice.u64(500..15_000))
    }

    /// The place of an operation's track, unless it is one of an earlier round.
    fn place(&self, operation: u64) -> Option<usize> {
        let place = usize::try_from(operation % MOST).ok()?;
        (place < self.tracks.len()).then_some(place)
    }

    fn take(&mut self, operation: u64, payload: &Json) {
        let Some(place) = self.place(operation) else {
            return self
                .shared
                .stats
                .complain(format!("nobody asked for {payload}"));
        };
        self.shared.delivered.fetch_add(1, Ordering::Relaxed);
        if let Err(violation) = self.tracks[place].take(payload) {
            self.shared.stats.complain(violation);
        }
    }

    /// An operation ended and its connection did not: it is resumed where the server says.
    async fn fail(&mut self, line: &mut Line, operation: u64, error: &Json) -> Outcome<()> {
        let place = self.place(operation).ok_or("nobody asked for it")?;
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        self.shared
            .stats
            .count(&format!("subscriptions ended with {code}"));
        let track = &mut self.tracks[place];
        match code {
            "LAGGED" => {
                let cursor = error["extensions"]["cursor"].as_str();
                track.cursor = Some(cursor.ok_or("there is no cursor")?.to_owned());
            }
            "RESYNC" => {
                let name = &track.watch.name;
                eprintln!(
                    "· {name} begins anew after {:?}: {}",
                    track.cursor, error["message"]
                );
                track.forget();
            }
            _ if USUAL_FAILURES.contains(&code) || is_early(error) => {
                sleep(Duration::from_millis(200)).await;
            }
            _ => {
                let name = &track.watch.name;
                self.shared
                    .stats
                    .complain(format!("{name} ended with {error}"));
            }
        }
        if track.cursor.is_none() && track.board.is_some() {
            return Err("a board is read anew".into());
        }
        self.round += 1;
        let operation = self.round * MOST + place as u64;
        let wanted = self.tracks[place].wanted(operation);
        line.subscribe(&wanted).await
    }
}
