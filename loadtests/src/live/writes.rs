//! Deals that move to and fro, and when each move was asked for.

use std::time::Duration;

use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};
use uuid::Uuid;

use super::sample::now;
use crate::{
    Outcome,
    client::{Connection, Question},
    server::Server,
};

const MOVE: &str = "mutation Move($input: OpportunityMoveStageInput!) { opportunityMoveStage(input: $input) { \
        opportunity { id version stage { id name } } userErrors { code message field } \
    } }";

/// A deal, with the two moves that it alternates between.
pub(super) struct Deal {
    id: Uuid,
    moves: [Question; 2],
    moved: usize,
}

/// A move that was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Write {
    pub(super) deal: Uuid,
    /// When it was asked for, in microseconds.
    pub(super) asked: i64,
    /// When the answer was there.
    pub(super) answered: i64,
}

impl Deal {
    pub(super) fn new(token: &str, id: Uuid, stages: [Uuid; 2]) -> Outcome<Self> {
        let question = |stage: Uuid| {
            let input =
                json!({ "id": format!("opportunity:{id}"), "stageId": format!("stage:{stage}") });
            Question::new(token, MOVE, &json!({ "input": input }))
        };
        let [there, back] = stages;
        Ok(Self {
            id,
            moves: [question(there)?, question(back)?],
            moved: 0,
        })
    }

    pub(super) async fn go(&mut self, connection: &mut Connection) -> Outcome<Write> {
        let question = &self.moves[self.moved % 2];
        self.moved += 1;
        let asked = now();
        connection.ask(question).await?;
        Ok(Write {
            deal: self.id,
            asked,
            answered: now(),
        })
    }
}

/// How writes come: so many writers with a connection each, together so many a second.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) writers: usize,
    pub(super) per_second: u32,
    pub(super) length: Duration,
}

impl Pace {
    pub(super) fn count(self) -> usize {
        (self.length.as_secs_f64() * f64::from(self.per_second)).round() as usize
    }
}

/// Moves deals at a steady rate that does not wait for anybody; one that is late goes at once.
pub(super) async fn steadily(
    server: &Server,
    deals: &mut Vec<Deal>,
    pace: Pace,
) -> Outcome<Vec<Write>> {
    let (mut writers, share) = (JoinSet::new(), deals.len().div_ceil(pace.writers));
    let mut connections = Vec::new();
    for _ in 0..pace.writers {
        connections.push(server.connect().await?);
    }
    let (began, gap) = (Instant::now(), Duration::from_secs(1) / pace.per_second);
    for (number, mut connection) in connections.into_iter().enumerate() {
        // A deal has one writer, so that its moves come in an order that is known.
        let mut own: Vec<Deal> = deals.drain(..share.min(deals.len())).collect();
        writers.spawn(async move {
            let mut writes = Vec::new();
            let places = (number..pace.count()).step_by(pace.writers);
            for (nth, place) in places.enumerate() {
                sleep_until(began + gap * u32::try_from(place)?).await;
                let deal = nth % own.len();
                writes.push(own[deal].go(&mut connection).await?);
            }
            Outcome::Ok((own, writes))
        });
    }
    let mut all = Vec::new();
    while let Some(written) = writers.join_next().await {
        let (own, writes) = written??;
        deals.extend(own);
        all.extend(writes);
    }
    all.sort_by_key(|write| write.asked);
    Ok(all)
}
