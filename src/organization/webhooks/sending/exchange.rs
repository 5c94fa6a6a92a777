//! Sending what is due: those of different records beside each other, those of one record one after the other.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use url::Url;
use uuid::Uuid;

use super::{
    Sent, Webhooks,
    ledger::{self, Due, Ended, Health, Outcome},
    schedule,
};
use crate::{
    base::clock::Clock,
    jobs::{Failure, Run},
    organization::webhooks::{DisabledReason, WebhookEndpoint, deliveries::message_id, signing},
    platform::{
        outbound::{HeaderName, HeaderValue, Method, Outbound, OutboundRequest, header},
        standard_webhooks::{SigningKey, sign},
    },
};

/// Deliveries that are taken at once.
const TAKEN: i64 = 40;
/// Requests to an endpoint at a time.
const AT_ONCE: usize = 10;
/// How long a receiver has.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one round of requests may go on: of a record's deliveries those are left that would begin later.
const ROUND: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 1_024;
/// How long an endpoint may fail before it is given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5 * 24 * 3_600);

impl Webhooks {
    /// Sends some of what is due to an endpoint.
    pub(super) async fn send_due(
        &self,
        run: &Run,
        endpoint: &WebhookEndpoint,
        health: Health,
    ) -> Result<Sent, Failure> {
        // One that could not be reached is asked with one first.
        let most = match health.failures {
            0 => TAKEN,
            _ => 1,
        };
        let begun = run.write(async |tx| {
            let due = ledger::begin(tx, endpoint.id, most).await?;
            let next = match due.is_empty() {
                true => ledger::next_due(tx, endpoint.id).await?,
                false => None,
            };
            let keys = signing::keys(tx, &self.vault, endpoint.id).await?;
            Ok((due, next, keys))
        });
        let (due, next, keys) = begun.await?;
        if due.is_empty() {
            return Ok(next.map_or(Sent::Nothing, Sent::Waits));
        }
        let metrics = &run.db().metrics().webhooks;
        for one in &due {
            metrics.note_delay(Duration::from_secs_f64(one.waited_s.max(0.0)));
        }
        let clock = run.db().clock();
        let sending = Sending {
            outbound: &self.outbound,
            endpoint,
            keys: &keys,
            clock,
        };
        let ended = run.outside(sending.all(due)).await;
        for one in &ended {
            if let Some(outcome) = one.outcome.metric() {
                metrics.note_request(outcome, one.took);
            }
        }
        let is_gone = |one: &Ended| matches!(one.outcome, Outcome::Refused(410, ..));
        let is_gone = ended.iter().any(is_gone);
        let has_taken = |one: &Ended| matches!(one.outcome, Outcome::Delivered(..));
        let has_taken = ended.iter().any(has_taken);
        let away = ended.iter().filter(|one| one.outcome.is_endpoints());
        let away: Vec<_> = away.map(|one| one.outcome.asked_pause()).collect();
        let rest = (!away.is_empty()).then(|| {
            let rest = schedule::rest(health.failures + 1, fastrand::f64());
            let asked = away.iter().flatten().max();
            asked.map_or(rest, |asked| rest.max(*asked))
        });
        let error = ended.iter().rev().find_map(|one| one.outcome.error());
        let noted = run.write(async |tx| {
            ledger::end(tx, ended).await?;
            ledger::note_health(tx, endpoint.id, has_taken, error, rest).await
        });
        noted.await?;
        if rest.is_some() {
            metrics.note_rest();
        }
        if is_gone {
            self.give_up(run, endpoint, DisabledReason::Gone).await?;
            return Ok(Sent::Disabled);
        }
        if !has_taken && health.failing_for >= Some(GIVEN_UP_AFTER) {
            self.give_up(run, endpoint, DisabledReason::Failing).await?;
            return Ok(Sent::Disabled);
        }
        Ok(rest.map_or(Sent::Some, Sent::Waits))
    }
}

/// What deliveries are sent with.
struct Sending<'a> {
    outbound: &'a Outbound,
    endpoint: &'a WebhookEndpoint,
    keys: &'a [SigningKey],
    clock: &'a Clock,
}

impl Sending<'_> {
    async fn all(&self, due: Vec<Due>) -> Vec<Ended> {
        let began = Instant::now();
        let chains = chains(due)
            .into_iter()
            .map(|chain| self.chain(chain, began));
        let ended = stream::iter(chains).buffer_unordered(AT_ONCE);
        ended.collect::<Vec<_>>().await.concat()
    }

    /// Sends those of a record one after the other, until one does not arrive.
    async fn chain(&self, chain: Vec<Due>, began: Instant) -> Vec<Ended> {
        let mut ended: Vec<Ended> = Vec::with_capacity(chain.len());
        for due in &chain {
            let goes_on = ended
                .last()
                .is_none_or(|last| matches!(last.outcome, Outcome::Delivered(..)));
            ended.push(match goes_on && began.elapsed() < ROUND {
                true => self.one(due).await,
                false => Ended::left(due),
            });
        }
        ended
    }

    async fn one(&self, due: &Due) -> Ended {
        let began = Instant::now();
        let outcome = self.exchange(due).await;
        Ended {
            delivery: due.webhook_delivery_id,
            attempt: due.attempts,
            tries: due.tries,
            outcome,
            took: began.elapsed(),
        }
    }

    async fn exchange(&self, due: &Due) -> Outcome {
        let Ok(address) = Url::parse(&self.endpoint.fields.url) else {
            return Outcome::Unreached("INVALID_URL");
        };
        let id = message_id(due.webhook_delivery_id);
        let timestamp = self.clock.now().timestamp();
        let signature = sign(self.keys, &id, timestamp, due.body.as_bytes());
        let text = |value: String| HeaderValue::from_str(&value).ok();
        let json = HeaderValue::from_static("application/json");
        let headers = [
            (header::CONTENT_TYPE, Some(json)),
            (HeaderName::from_static("webhook-id"), text(id)),
            (
                HeaderName::from_static("webhook-timestamp"),
                text(timestamp.to_string()),
            ),
            (
                HeaderName::from_static("webhook-signature"),
                text(signature),
            ),
        ];
        let headers = headers
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let request = OutboundRequest {
            method: Method::POST,
            address,
            headers: headers.collect(),
            body: due.body.clone().into(),
            deadline: PATIENCE,
            most_bytes: MOST_BYTES,
        };
        match self.outbound.send(request).await {
            Ok(answer) => {
                // Postgres keeps no NUL in texts.
                let text = String::from_utf8_lossy(&answer.body).replace('\0', "\u{fffd}");
                match answer.status {
                    200..=299 => Outcome::Delivered(answer.status, text),
                    status => Outcome::Refused(status, answer.retry_after, text),
                }
            }
            Err(error) => Outcome::Unreached(error.code()),
        }
    }
}

/// Those of one record after each other, in their order; pings by themselves.
fn chains(due: Vec<Due>) -> Vec<Vec<Due>> {
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let mut chains: Vec<Vec<Due>> = Vec::new();
    for due in due {
        let place = match due.entity_id {
            Some(record) => *places.entry(record).or_insert(chains.len()),
            None => chains.len(),
        };
        match chains.get_mut(place) {
            Some(chain) => chain.push(due),
            None => chains.push(vec![due]),
        }
    }
    chains
}
