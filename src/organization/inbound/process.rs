//! The jobs of messages: one handles each, and one of a tenant forgets those that are old.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    handler::{Handled, InboundHandlers},
    message::InboundMessageStatus,
    store,
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{InboundMessageId, Typed as _},
    },
    db::Tx,
    jobs::{self, Done, Failure, Handler, Job, Policy, Run, When, forgetting},
};

/// For how many days messages are kept, and so how long one of the same id is known.
pub(super) const KEPT_DAYS: i64 = 30;

/// Handles a message.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProcessMessage {
    message: Uuid,
}

impl ProcessMessage {
    pub(super) fn of(message: InboundMessageId) -> Self {
        Self {
            message: message.uuid(),
        }
    }
}

impl Job for ProcessMessage {
    const KIND: &'static str = "inbound.process";

    fn unique_key(&self) -> Option<String> {
        Some(self.message.simple().to_string())
    }
}

/// Does [`ProcessMessage`].
pub struct ProcessHandler(InboundHandlers);

impl ProcessHandler {
    /// With these handlers.
    #[must_use]
    pub fn new(handlers: InboundHandlers) -> Self {
        Self(handlers)
    }

    async fn handle(&self, tx: &mut Tx, id: InboundMessageId) -> Result<Json> {
        // It is older than messages are kept.
        let Some(message) = store::incoming(tx, id).await? else {
            return Ok(Json::Null);
        };
        let Some(handler) = self.0.get(message.handler) else {
            return Err(Error::internal("nothing handles messages of this endpoint"));
        };
        let status = match handler.handle(tx, &message).await? {
            Handled::Processed => InboundMessageStatus::Processed,
            Handled::Ignored => InboundMessageStatus::Ignored,
        };
        store::note(tx, id, status, None).await?;
        Ok(json!({ "message": id }))
    }
}

impl Handler for ProcessHandler {
    type Job = ProcessMessage;

    async fn run(&self, job: ProcessMessage, run: &Run) -> Result<Done, Failure> {
        let id = InboundMessageId::from_uuid(job.message);
        let finished = run.finish(async |tx| self.handle(tx, id).await).await;
        if let Err(failure) = &finished {
            let error = (failure.code, failure.message.clone());
            let noted = run.write(async |tx| {
                store::note(tx, id, InboundMessageStatus::Failed, Some(error)).await
            });
            // Another worker has it by now, and says itself what became of it.
            if let Err(error) = noted.await {
                tracing::warn!(code = error.code, "a message's failure was not noted");
            }
        }
        finished
    }
}

/// Forgets the old messages of a tenant, day after day while it has any.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgetMessages {}

impl Job for ForgetMessages {
    const KIND: &'static str = "inbound.forget";
    const POLICY: Policy = forgetting::POLICY;

    fn unique_key(&self) -> Option<String> {
        Some("inbound".to_owned())
    }
}

/// Has old messages be forgotten from tomorrow on, unless that is so already.
pub(super) async fn enqueue_forgetting(tx: &mut Tx) -> Result<()> {
    jobs::enqueue_as_system(tx, &ForgetMessages {}, When::After(forgetting::DAILY)).await?;
    Ok(())
}

/// Does [`ForgetMessages`].
pub struct ForgetHandler;

impl Handler for ForgetHandler {
    type Job = ForgetMessages;

    async fn run(&self, _: ForgetMessages, run: &Run) -> Result<Done, Failure> {
        let forgotten = run.write(async |tx| {
            let before = tx.now() - TimeDelta::days(KEPT_DAYS);
            store::forget(tx, before, forgetting::AT_ONCE).await
        });
        Ok(forgetting::after(forgotten.await?))
    }
}
