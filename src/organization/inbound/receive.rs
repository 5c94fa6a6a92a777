//! Receiving: from what came over HTTP to a message that is stored, with the job that will handle it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::{
    address::EndpointAddress,
    model::InboundEndpoint,
    process::{self, ProcessMessage},
    secret::Place,
    store::{self, NewMessage},
    verify,
};
use crate::{
    access::Actor,
    base::{
        error::{Error, Result},
        ids::{InboundMessageId, Typed as _},
    },
    db::{Db, journal::Origin, list},
    jobs::{self, Enqueued, When},
    platform::{
        Vault,
        redis::{Counter, Throttle},
    },
};

/// Bytes of a body, at the most.
pub const BODY_BYTES: usize = 256 * 1024;
/// Bytes of the headers that are kept of a message.
const HEADER_BYTES: usize = 8 * 1024;
/// What counts who is not verified.
const GUESS: &str = "inbound";
/// How many messages of an endpoint are taken at once, and how long each further one takes.
const BURST: (u32, Duration) = (500, Duration::from_millis(20));

/// A message as it came.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// The path with the query, as the sender has it behind the server's name.
    pub path_and_query: String,
    /// The headers by their names in lower case; none that came twice, because of two nobody knows which is meant.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Bytes,
}

impl Delivery {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The headers that say something of the message, without what verifies it.
    fn kept(&self, signature: Option<&str>) -> Json {
        let says = |name: &str| {
            let is_known = ["content-type", "user-agent"].contains(&name);
            let is_own = ["x-", "webhook-", "i-"]
                .iter()
                .any(|of| name.starts_with(of));
            let is_proof = name.contains("signature")
                || name.contains("token")
                || name.contains("secret")
                || name.contains("key")
                || Some(name) == signature;
            let is_hops = name.starts_with("x-forwarded") || name == "x-real-ip";
            (is_known || is_own) && !is_proof && !is_hops
        };
        let mut room = HEADER_BYTES;
        let kept = self.headers.iter().filter(|(name, value)| {
            let bytes = name.len() + value.len();
            let is_kept = says(name) && bytes <= room;
            room -= if is_kept { bytes } else { 0 };
            is_kept
        });
        json!(kept.collect::<BTreeMap<_, _>>())
    }
}

/// What became of a message that is its sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// It is stored.
    New(InboundMessageId),
    /// It was already.
    Known,
}

/// Why a message is not taken.
#[derive(Debug, Clone)]
pub enum Refused {
    /// Nobody knows whether the endpoint is there, is disabled, or the message is not its sender's.
    Unverified,
    /// Too many came.
    TooMany(u64),
    /// It can't be stored now.
    Later(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        match error {
            Error::TooManyAttempts { retry_after_s } => Self::TooMany(retry_after_s),
            other => Self::Later(other),
        }
    }
}

/// Takes messages.
pub struct Inbound {
    db: Db,
    vault: Arc<Vault>,
    throttle: Throttle,
}

impl Inbound {
    /// Puts it together.
    #[must_use]
    pub fn new(db: Db, vault: Arc<Vault>, throttle: Throttle) -> Self {
        Self {
            db,
            vault,
            throttle,
        }
    }

    /// Refuses an address that guesses, before anything of the message is read.
    ///
    /// # Errors
    /// [`Refused::TooMany`].
    pub fn check(&self, origin: &Origin) -> Result<(), Refused> {
        match guesses(origin) {
            Some(counter) => Ok(self.throttle.check(&counter)?),
            None => Ok(()),
        }
    }

    /// Takes a message for what follows `/hooks/` in the address.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn receive(
        &self,
        address: &str,
        delivery: Delivery,
        origin: &Origin,
    ) -> Result<Received, Refused> {
        let Some(address) = EndpointAddress::parse(address) else {
            return Err(self.unverified(origin).await);
        };
        let actor = Actor::on_behalf(address.tenant, "inbound", &["integrations:write"]);
        let actor = Arc::new(actor);
        let Some((endpoint, standing)) = self.endpoint(&actor, &address).await? else {
            return Err(self.unverified(origin).await);
        };
        if !self.is_senders(&endpoint, &address, &delivery)? {
            return Err(self.unverified(origin).await);
        }
        match standing.as_str() {
            "ACTIVE" => {}
            "SUSPENDED" => return Err(Refused::Later(Error::TenantSuspended)),
            _ => return Err(Refused::Unverified),
        }
        let (burst, every) = BURST;
        let name = endpoint.id.to_string();
        let counter = Counter::steady("inbound", &name, burst, every);
        self.throttle.begin(&counter).await?;
        Ok(self.store(&actor, &endpoint, delivery, origin).await?)
    }

    async fn endpoint(
        &self,
        actor: &Arc<Actor>,
        address: &EndpointAddress,
    ) -> Result<Option<(InboundEndpoint, String)>> {
        let session = self.db.read_session(Arc::clone(actor));
        let read = session.run(async |tx| {
            let endpoint: Option<InboundEndpoint> = list::find(tx, address.id.uuid()).await?;
            Ok((endpoint, store::standing(tx).await?))
        });
        let (endpoint, standing) = read.await?;
        Ok(endpoint.zip(standing))
    }

    fn is_senders(
        &self,
        endpoint: &InboundEndpoint,
        address: &EndpointAddress,
        delivery: &Delivery,
    ) -> Result<bool> {
        let now = self.db.clock().now();
        let place = Place(address.tenant, endpoint.id);
        let is_verified = |sealed: &[u8]| -> Result<bool> {
            let secret = place.open(&self.vault, sealed)?;
            Ok(verify::verify(
                &endpoint.fields,
                secret.expose(),
                delivery,
                now,
            ))
        };
        let is_asked = endpoint.fields.enabled && endpoint.path_hash == address.hash();
        let has_former = endpoint
            .fields
            .former_ends_at
            .is_some_and(|ends| now < ends);
        let former = endpoint.former_secret.as_deref().filter(|_| has_former);
        let mut is_senders = is_verified(&endpoint.secret)?;
        if let Some(former) = former {
            is_senders |= is_verified(former)?;
        }
        Ok(is_asked && is_senders)
    }

    async fn store(
        &self,
        actor: &Arc<Actor>,
        endpoint: &InboundEndpoint,
        delivery: Delivery,
        origin: &Origin,
    ) -> Result<Received> {
        let name = verify::name_of(&endpoint.fields, &delivery, self.db.clock().now());
        let id = InboundMessageId::new();
        let signature = endpoint.fields.signature_header.as_deref();
        let stored = self.db.write(actor, origin, async |tx| {
            let new = NewMessage {
                id,
                endpoint: endpoint.id,
                name: &name,
                content_type: delivery.header("content-type").map(short),
                headers: delivery.kept(signature),
                body: delivery.body.to_vec(),
            };
            if !store::insert(tx, new).await? {
                return Ok(false);
            }
            let job = ProcessMessage::of(id);
            if let Enqueued::New(job) = jobs::enqueue_as_system(tx, &job, When::Now).await? {
                store::note_job(tx, id, job).await?;
            }
            process::enqueue_forgetting(tx).await?;
            Ok(true)
        });
        Ok(match stored.await? {
            true => Received::New(id),
            false => Received::Known,
        })
    }

    async fn unverified(&self, origin: &Origin) -> Refused {
        match guesses(origin) {
            Some(counter) => match self.throttle.begin(&counter).await {
                Ok(()) => Refused::Unverified,
                Err(error) => error.into(),
            },
            None => Refused::Unverified,
        }
    }
}

fn guesses(origin: &Origin) -> Option<Counter> {
    origin
        .address
        .map(|address| Counter::guesses(GUESS, address))
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}
