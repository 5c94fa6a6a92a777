//! Readers: each asks again and again, and is answered right, or that it is to ask again.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::{
    ask::{Addresses, Asker},
    stats::Stats,
    world::{ADMIN, NORTHERNER, Tenant},
};

const QUERY: &str = "{ tenant { slug } opportunities(first: 20) { nodes { id name owner { name } stage { id } } } }";
/// Begins what a server says whose clock is behind that of the one that made a token.
pub(crate) const EARLY: &str = "the token is not valid yet";
/// What may be answered instead.
const RETRYABLE: [&str; 3] = ["UNAVAILABLE", "TIMEOUT", "TENANT_BUSY"];
/// Who reads in each tenant.
const READERS: [usize; 2] = [ADMIN, NORTHERNER];

/// Those of a tenant.
pub(crate) fn of(
    tenant: &Arc<Tenant>,
    addresses: &Addresses,
    stats: &Arc<Stats>,
    dice: &mut fastrand::Rng,
) -> Vec<Reader> {
    let reader = |person| Reader {
        asker: tenant.asker(person, addresses, dice.fork()),
        tenant: json!(tenant.slug),
        stats: Arc::clone(stats),
    };
    READERS.map(reader).into()
}

pub(crate) struct Reader {
    asker: Asker,
    tenant: Json,
    stats: Arc<Stats>,
}

impl Reader {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.asker.ask(QUERY, &Json::Null).await {
                Ok((status, answer)) => self.judge(status, &answer),
                Err(_) => {
                    self.stats.count("reads cut off");
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                }
            }
        }
    }

    fn judge(&self, status: StatusCode, answer: &Json) {
        let code = answer["errors"][0]["extensions"]["code"].as_str();
        let message = answer["errors"][0]["message"].as_str().unwrap_or_default();
        match code {
            Some("UNAUTHENTICATED") if message.starts_with(EARLY) => {
                self.stats.count("reads refused for a token of the future");
            }
            None if self.is_right(answer) => self.stats.count("reads answered"),
            Some(code) if RETRYABLE.contains(&code) => {
                self.stats.count(&format!("reads to be repeated: {code}"));
            }
            _ => {
                let text: String = answer.to_string().chars().take(500).collect();
                self.stats
                    .complain(format!("a reader was answered {status}: {text}"));
            }
        }
    }

    /// Whether it is of the reader's tenant, and complete.
    fn is_right(&self, answer: &Json) -> bool {
        let deals = answer["data"]["opportunities"]["nodes"].as_array();
        let is_whole = |deal: &Json| deal["name"].is_string() && deal["stage"]["id"].is_string();
        answer["data"]["tenant"]["slug"] == self.tenant
            && deals.is_some_and(|deals| deals.iter().all(is_whole))
    }
}
