//! What is known of a message.

use std::collections::HashMap;

use async_graphql::Enum;
use chrono::{DateTime, Utc};
use dealgraph_derive::{Columns, OrderField};
use uuid::Uuid;

use super::store;
use crate::{
    base::{
        error::Result,
        ids::{InboundMessageId, JobId, Typed as _},
        text::LONG_CHARS,
    },
    db::{ReadTx, list::Record},
    graphql::Batch,
};

/// A message that another service sent. Its body and headers are read apart.
#[derive(Debug, Clone, sqlx::FromRow, Columns)]
#[expect(
    clippy::duplicated_attributes,
    reason = "they are the same word for two columns"
)]
#[unread(headers, secret)]
#[unread(body, secret)]
pub struct InboundMessage {
    #[sqlx(rename = "inbound_message_id")]
    pub(super) id: InboundMessageId,
    pub(super) inbound_endpoint_id: Uuid,
    pub(super) message_id: String,
    pub(super) status: InboundMessageStatus,
    pub(super) content_type: Option<String>,
    pub(super) size: i32,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) job_id: Option<JobId>,
    pub(super) replays: i32,
    pub(super) received_at: DateTime<Utc>,
    pub(super) processed_at: Option<DateTime<Utc>>,
}

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InboundMessageStatus {
    /// It is stored, and waits to be handled.
    Received,
    /// It was handled.
    Processed,
    /// It was looked at, and there was nothing to do.
    Ignored,
    /// The last attempt at handling it went wrong; its job says whether there will be another.
    Failed,
}

/// What messages can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = InboundMessage)]
pub enum InboundMessageOrderField {
    /// When it came.
    #[order(time = self.received_at)]
    ReceivedAt,
}

impl Record for InboundMessage {
    const ARCHIVES: bool = false;
    type Order = InboundMessageOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

/// The begin of bodies.
pub(super) struct Bodies;

impl Batch for Bodies {
    type Value = Vec<u8>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Vec<u8>>> {
        store::bodies(tx, keys).await
    }
}

/// The begin of a body as a text, if it is one; the last character may be cut off.
pub(super) fn text(body: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&body[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    Some(text.chars().take(LONG_CHARS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_as_a_text_or_not_at_all() {
        assert_eq!(text(b"{}").as_deref(), Some("{}"));
        assert_eq!(text("é".as_bytes()).as_deref(), Some("é"));
        assert_eq!(text(&"aé".as_bytes()[..2]).as_deref(), Some("a"), "cut off");
        assert_eq!(text(b"a\xffb"), None);
        let long = "x".repeat(LONG_CHARS + 1);
        assert_eq!(
            text(long.as_bytes()).map(|text| text.len()),
            Some(LONG_CHARS)
        );
    }
}
