//! Having messages handled again: one, or those of an endpoint that came within a time.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{
    message::{InboundMessage, InboundMessageStatus},
    model::InboundEndpoint,
    process::ProcessMessage,
    store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{InboundEndpointId, InboundMessageId, Typed as _},
    },
    db::{
        Registered as _, Tx,
        journal::Entry,
        list::{self, Record},
    },
    jobs::{self, Enqueued, When},
};

/// How many at once.
const MOST: usize = 200;

/// Has a message be handled again, whatever it came to.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`.
pub async fn replay(tx: &mut Tx, id: InboundMessageId) -> Result<InboundMessage> {
    require_permission(tx)?;
    found::<InboundMessage>(tx, id.uuid(), "id").await?;
    again(tx, id).await?;
    let entry = Entry::new(tx.author(), "inboundMessage.replayed");
    tx.note(entry.about(InboundMessage::KIND, id.uuid()));
    found(tx, id.uuid(), "id").await
}

/// Has the messages of an endpoint that came within a time be handled again, the first two hundred of them: how many they
/// are, and when the next one came, if there is one.
///
/// # Errors
/// `NOT_FOUND`, `OUT_OF_RANGE`, `FORBIDDEN`.
pub async fn replay_many(
    tx: &mut Tx,
    endpoint: InboundEndpointId,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    status: Option<InboundMessageStatus>,
) -> Result<(usize, Option<DateTime<Utc>>)> {
    require_permission(tx)?;
    found::<InboundEndpoint>(tx, endpoint.uuid(), "endpointId").await?;
    if to <= from {
        let message = "expected an end after the begin";
        return Err(Error::invalid("OUT_OF_RANGE", "to", message));
    }
    let mut found = store::within(tx, endpoint, (from, to), status, MOST as i64 + 1).await?;
    let next = (found.len() > MOST).then(|| found.pop()).flatten();
    for (id, _) in &found {
        again(tx, InboundMessageId::from_uuid(*id)).await?;
    }
    let entry = Entry::new(tx.author(), "inboundEndpoint.replayed");
    tx.note(entry.about(InboundEndpoint::KIND, endpoint.uuid()));
    Ok((found.len(), next.map(|(_, at)| at)))
}

async fn again(tx: &mut Tx, id: InboundMessageId) -> Result<()> {
    store::renew(tx, id).await?;
    let job = ProcessMessage::of(id);
    match jobs::enqueue_as_system(tx, &job, When::Now).await? {
        Enqueued::New(job) => store::note_job(tx, id, job).await,
        // It is about to be handled as it is.
        Enqueued::Known => Ok(()),
    }
}

async fn found<R: Record>(tx: &mut Tx, id: Uuid, field: &'static str) -> Result<R> {
    let found = list::find(tx, id).await?;
    found.ok_or(Error::NotFound {
        kind: R::KIND,
        field,
    })
}

fn require_permission(tx: &Tx) -> Result<()> {
    match tx.actor().may("integrations:write") {
        true => Ok(()),
        false => Err(Error::Forbidden("have messages handled again")),
    }
}
