//! Many sockets that subscribed to the same, in a process of their own.

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::{
    helper::Helper,
    sample::{self, Sample},
};
use crate::Outcome;

/// What all of them subscribe to.
const DOCUMENT: &str = "subscription { opportunityEvents { kind cursor recordId \
    changes { field before after } opportunity { id name stage { name } } } }";
/// Between looks at what came; looking takes time from those who are looked at.
const PAUSE: Duration = Duration::from_millis(300);
/// When nothing has come for so long, the rest is lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// The sockets.
pub(super) struct Crowd {
    helper: Helper,
    sockets: usize,
    /// A message as they got it.
    pub(super) message: Option<String>,
    /// How many sockets are broken, and why the first one is.
    pub(super) broken: Option<(u64, String)>,
}

impl Crowd {
    /// That many sockets at an address; the tokens go round.
    pub(super) async fn join(
        address: SocketAddr,
        tokens: &[String],
        sockets: usize,
    ) -> Outcome<Self> {
        let mut helper = Helper::start("crowd")?;
        let order = json!({
            "open": sockets, "address": address.to_string(), "tokens": tokens, "document": DOCUMENT,
        });
        helper.say(&order.to_string()).await?;
        let answer: Json = serde_json::from_str(&helper.line().await?)?;
        if let Some(why) = answer["failed"].as_str() {
            return Err(format!("{sockets} sockets can't be opened: {why}").into());
        }
        Ok(Self {
            helper,
            sockets,
            message: None,
            broken: None,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.helper.pid()
    }

    pub(super) fn sockets(&self) -> usize {
        self.sockets
    }

    /// What each socket got, once all of them have so many events or nothing more comes.
    pub(super) async fn gather(&mut self, events: usize) -> Outcome<Vec<Vec<Sample>>> {
        let mut heard_at = Instant::now();
        let mut gathered = vec![Vec::new(); self.sockets];
        loop {
            sleep(PAUSE).await;
            // Looked at once more after all have all: an event that comes twice would come now.
            let is_complete = gathered.iter().all(|samples| samples.len() >= events);
            for (all, new) in gathered.iter_mut().zip(self.take().await?) {
                if !new.is_empty() {
                    heard_at = Instant::now();
                }
                all.extend(new);
            }
            if is_complete || heard_at.elapsed() > PATIENCE || self.broken.is_some() {
                return Ok(gathered);
            }
        }
    }

    async fn take(&mut self) -> Outcome<Vec<Vec<Sample>>> {
        self.helper.say("{}").await?;
        let answer: Json = serde_json::from_str(&self.helper.line().await?)?;
        if let (Some(count @ 1..), Some(why)) = (answer["broken"].as_u64(), answer["why"].as_str())
        {
            self.broken = Some((count, why.to_owned()));
        }
        self.message = answer["message"].as_str().map(str::to_owned);
        let bytes = answer["bytes"].as_u64().unwrap_or_default();
        sample::unpack(&self.helper.bytes(usize::try_from(bytes)?).await?)
    }

    /// Closes all sockets.
    pub(super) async fn leave(self) -> Outcome<()> {
        self.helper.end().await
    }
}
