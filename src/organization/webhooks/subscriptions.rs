//! What an endpoint is sent: subscriptions of the schema.

use async_graphql::{Enum, InputObject, SimpleObject};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

use super::default_document;
use crate::{
    base::error::{Error, Result},
    events::Change,
    graphql::scalars::JsonValue,
};

/// Subscriptions of an endpoint, at most.
const MOST: usize = 10;
/// The longest document, in bytes.
const DOCUMENT_BYTES: usize = 16 << 10;
/// The largest variables, in bytes.
const VARIABLES_BYTES: usize = 16 << 10;

/// The kinds of records whose events are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WebhookTopic {
    /// Activities.
    Activity,
    /// Companies.
    Company,
    /// Contacts.
    Contact,
    /// Leads.
    Lead,
    /// Deals.
    Opportunity,
    /// Products.
    Product,
}

/// A subscription of an endpoint, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebhookSubscription {
    /// The kind of records, where the document is the usual one.
    pub(super) topic: Option<WebhookTopic>,
    /// The document.
    pub document: String,
    /// Its variables.
    pub variables: Json,
    /// What must have happened; anything when there is none.
    pub kinds: Vec<Change>,
}

/// What is to be sent: the events of a kind of record in the usual form, or the answers of a subscription of your own.
#[derive(Debug, InputObject)]
pub(super) struct WebhookSubscriptionInput {
    /// The kind of records; then events come with the usual fields of the record. Instead of `document`.
    topic: Option<WebhookTopic>,
    /// Only events of records that meet this, in the grammar of the list's filter, for example
    /// `{ status: { eq: "OPEN" } }` for deals. Goes with `topic`.
    filter: Option<JsonValue>,
    /// A subscription of the schema with one field, such as `opportunityEvents`. Instead of `topic`.
    document: Option<String>,
    /// The variables of the document.
    variables: Option<JsonValue>,
    /// Only these kinds of events; all when it is left out.
    kinds: Option<Vec<Change>>,
}

/// What an endpoint is sent.
#[derive(Debug, SimpleObject)]
#[graphql(name = "WebhookSubscription")]
pub(super) struct ShownSubscription {
    /// The kind of records, where the document is the usual one.
    topic: Option<WebhookTopic>,
    /// The subscription whose answers are sent.
    document: String,
    /// Its variables.
    variables: Option<JsonValue>,
    /// Only these kinds of events; all when it is empty.
    kinds: Vec<Change>,
}

impl From<&WebhookSubscription> for ShownSubscription {
    fn from(kept: &WebhookSubscription) -> Self {
        Self {
            topic: kept.topic,
            document: kept.document.clone(),
            variables: JsonValue::some(kept.variables.clone()),
            kinds: kept.kinds.clone(),
        }
    }
}

/// Reads what is to be sent. Whether the documents are subscriptions of the schema is checked where they can be read.
///
/// # Errors
/// `BLANK` without any, `TOO_MANY`, `INVALID_SUBSCRIPTION` for one that names not exactly one of topic and document,
/// `TOO_LONG`.
pub(super) fn read(inputs: Vec<WebhookSubscriptionInput>) -> Result<Vec<WebhookSubscription>> {
    if inputs.is_empty() {
        let message = "an endpoint is sent something, name a topic or a document";
        return Err(Error::invalid("BLANK", "subscriptions", message));
    }
    if inputs.len() > MOST {
        let message = format!("an endpoint has at most {MOST} subscriptions");
        return Err(Error::invalid("TOO_MANY", "subscriptions", message));
    }
    let read = inputs.into_iter().enumerate().map(|(place, input)| {
        let read = one(input);
        read.map_err(|error| error.within(&format!("subscriptions.{place}")))
    });
    read.collect()
}

fn one(input: WebhookSubscriptionInput) -> Result<WebhookSubscription> {
    let wrong = |field: &str, message: &str| {
        Err(Error::invalid(
            "INVALID_SUBSCRIPTION",
            field,
            message.to_owned(),
        ))
    };
    let kinds = input.kinds.unwrap_or_default();
    if kinds.contains(&Change::Synced) {
        return wrong("kinds", "SYNCED is for those who listen, and is not sent");
    }
    let variables = |given: Option<JsonValue>| given.map_or(json!({}), JsonValue::into_inner);
    let read = match (input.topic, input.document) {
        (Some(topic), None) if input.variables.is_none() => {
            let filter = input.filter.map(JsonValue::into_inner);
            WebhookSubscription {
                topic: Some(topic),
                document: default_document::of(topic, filter.is_some()),
                variables: filter.map_or(json!({}), |filter| json!({ "filter": filter })),
                kinds,
            }
        }
        (None, Some(document)) if input.filter.is_none() => WebhookSubscription {
            topic: None,
            document,
            variables: variables(input.variables),
            kinds,
        },
        (Some(_), None) => {
            return wrong("variables", "a topic takes a filter, and no variables");
        }
        (None, Some(_)) => {
            return wrong("filter", "the filter of a document is an argument in it");
        }
        _ => return wrong("topic", "name a topic or a document, one of both"),
    };
    if read.document.len() > DOCUMENT_BYTES {
        return Err(too_long("document", DOCUMENT_BYTES));
    }
    if !read.variables.is_object() {
        return wrong("variables", "variables are an object");
    }
    if read.variables.to_string().len() > VARIABLES_BYTES {
        return Err(too_long("variables", VARIABLES_BYTES));
    }
    Ok(read)
}

fn too_long(field: &str, most: usize) -> Error {
    Error::invalid("TOO_LONG", field, format!("at most {most} bytes"))
}

impl WebhookSubscription {
    /// All events of a kind of record, in the usual form.
    #[must_use]
    pub fn usual(topic: WebhookTopic) -> Self {
        Self {
            topic: Some(topic),
            document: default_document::of(topic, false),
            variables: json!({}),
            kinds: Vec::new(),
        }
    }

    /// As a request for it comes over the wire.
    pub(crate) fn payload(&self) -> String {
        let mut payload = Map::new();
        payload.insert("query".to_owned(), self.document.clone().into());
        payload.insert("variables".to_owned(), self.variables.clone());
        Json::Object(payload).to_string()
    }

    /// Whether events of a kind are sent.
    pub(crate) fn takes(&self, change: Change) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&change)
    }
}
