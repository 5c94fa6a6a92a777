//! What one GraphQL request may cost, and how a request beyond that is refused.
//!
//! Every limit is checked before the executor sees the document; only the response size and the time need it to run, and
//! end it.

use std::time::Duration;

use async_graphql::Pos;

use super::spending::Spend;
use crate::{
    access::Actor,
    base::error::Error,
    db::list::{DEFAULT_PAGE, MAX_PAGE},
    platform::redis::Allowance,
};

const KILO: usize = 1024;

/// What one request may bring and ask for. The defaults let every screen of a CRM through and no known attack.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of a request body.
    pub body_bytes: usize,
    /// Bytes of the GraphQL document.
    pub document_bytes: usize,
    /// Lexical tokens of the document. Commas, white space and comments are none.
    pub tokens: usize,
    /// How deep `(`, `[` and `{` may nest. What reads and walks documents recurses per bracket, and a tokio worker whose
    /// stack overflows can be caught by no handler.
    pub bracket_depth: usize,
    /// How deep fields may nest, fragments expanded.
    pub depth: usize,
    /// How deep fields may nest below `__schema` and `__type`; `GraphiQL`'s own introspection needs exactly 15.
    pub introspection_depth: usize,
    /// Whether the schema may be asked for its own shape (`__schema`, `__type`).
    pub introspection: bool,
    /// Who is told what the time of a request went to.
    pub server_timing: ServerTiming,
    /// Whether only documents that the operator has listed are run.
    pub trusted_documents_only: bool,
    /// Aliases in an operation, fragments expanded.
    pub aliases: usize,
    /// Top-level fields of an operation, fragments expanded.
    pub root_fields: usize,
    /// Directives in an operation, fragments expanded.
    pub directives: usize,
    /// Fields and fragment uses in an operation, fragments expanded.
    pub expanded_selections: usize,
    /// Rows that a page may be asked for; never more than [`MAX_PAGE`].
    pub page_rows: usize,
    /// Objects that an answer could hold, from the page sizes asked for.
    pub nodes: usize,
    /// Conditions in a filter.
    pub filter_conditions: usize,
    /// Conditions on related records in a filter, however deep. Postgres plans each as a join or a sub-query.
    pub filter_relations: usize,
    /// How deep related records nest in a filter.
    pub filter_relation_depth: usize,
    /// How deep `and`, `or`, `not` and related records nest in a filter.
    pub filter_depth: usize,
    /// Values in a list of a filter.
    pub filter_values: usize,
    /// Bytes of the variables as compact JSON.
    pub variables_bytes: usize,
    /// How deep lists and objects nest in the variables.
    pub variables_depth: usize,
    /// Operations in one document. Several are legal and an explorer sends them, with the name of one to run.
    pub operations: usize,
    /// Bytes of an answer.
    pub response_bytes: usize,
    /// Errors in one answer.
    pub errors: usize,
    /// Long-lived connections of one person or key.
    pub connections_per_person: usize,
    /// Long-lived connections of one tenant.
    pub connections_per_tenant: usize,
    /// Subscriptions on one WebSocket.
    pub subscriptions: usize,
    /// How long a subscription may take to render one event, in a lane of its own.
    pub event_time: Duration,
    /// Bytes of a message over a WebSocket.
    pub socket_message_bytes: usize,
    /// Points that people, keys and tenants have for their requests.
    pub points: Points,
    /// From the first byte of the request's head at the handler to the last byte of the answer made.
    pub timeout: Duration,
}

/// Who is told what the time of a request went to, in a `Server-Timing` header. Times can tell apart what answers do not:
/// whether a statement found something, whether an answer was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTiming {
    /// Nobody.
    Nobody,
    /// Those who run a tenant, in it.
    Admins,
    /// Everybody who is signed in.
    Everybody,
}

impl ServerTiming {
    pub(super) fn is_for(self, actor: Option<&Actor>) -> bool {
        match self {
            Self::Nobody => false,
            Self::Admins => actor.is_some_and(|actor| actor.may("admin")),
            Self::Everybody => actor.is_some(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 256 * KILO,
            document_bytes: 16 * KILO,
            tokens: 2_000,
            bracket_depth: 64,
            depth: 12,
            introspection_depth: 15,
            introspection: true,
            server_timing: ServerTiming::Nobody,
            trusted_documents_only: false,
            aliases: 30,
            root_fields: 20,
            directives: 50,
            expanded_selections: 1_000,
            page_rows: MAX_PAGE as usize,
            nodes: 10_000,
            filter_conditions: 100,
            filter_relations: 10,
            filter_relation_depth: 3,
            filter_depth: 10,
            filter_values: 100,
            variables_bytes: 128 * KILO,
            variables_depth: 32,
            operations: 10,
            response_bytes: 8 * KILO * KILO,
            errors: 5,
            connections_per_person: 20,
            connections_per_tenant: 5_000,
            subscriptions: 64,
            event_time: Duration::from_secs(1),
            socket_message_bytes: 64 * KILO,
            points: Points::default(),
            timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The refusal of a response that is larger than allowed.
    pub(super) fn too_large(&self) -> Refusal {
        let message = format!(
            "the answer has more than the {} bytes allowed: ask for smaller pages, or for fewer long texts",
            self.response_bytes
        );
        Refusal::new(Error::TooLarge.code(), message)
    }

    /// Of both the wider one, of each that a plan can change for requests.
    pub(super) fn wider(self, other: &Self) -> Self {
        Self {
            body_bytes: self.body_bytes.max(other.body_bytes),
            tokens: self.tokens.max(other.tokens),
            depth: self.depth.max(other.depth),
            aliases: self.aliases.max(other.aliases),
            root_fields: self.root_fields.max(other.root_fields),
            directives: self.directives.max(other.directives),
            page_rows: self.page_rows.max(other.page_rows),
            nodes: self.nodes.max(other.nodes),
            filter_conditions: self.filter_conditions.max(other.filter_conditions),
            filter_relations: self.filter_relations.max(other.filter_relations),
            filter_relation_depth: self.filter_relation_depth.max(other.filter_relation_depth),
            filter_depth: self.filter_depth.max(other.filter_depth),
            filter_values: self.filter_values.max(other.filter_values),
            ..self
        }
    }
}

/// What each limit can be at most, so that no setting takes away what it protects: memory and the stack.
pub mod ceiling {
    #![expect(missing_docs, reason = "they are those of `Limits`")]
    pub const BODY_BYTES: u32 = 64 << 20;
    pub const DOCUMENT_BYTES: u32 = 1 << 20;
    pub const TOKENS: u32 = 100_000;
    pub const DEPTH: u32 = 64;
    pub const ALIASES: u32 = 10_000;
    pub const ROOT_FIELDS: u32 = 1_000;
    pub const DIRECTIVES: u32 = 10_000;
    pub const PAGE_ROWS: u32 = super::MAX_PAGE as u32;
    /// At least: a limit below the default page size would refuse requests without a page size.
    pub const FEWEST_PAGE_ROWS: u32 = super::DEFAULT_PAGE as u32;
    pub const NODES: u32 = 1_000_000;
    pub const FILTER_CONDITIONS: u32 = 1_000;
    pub const FILTER_RELATIONS: u32 = 50;
    pub const FILTER_RELATION_DEPTH: u32 = 5;
    pub const FILTER_DEPTH: u32 = 32;
    pub const FILTER_VALUES: u32 = 1_000;
    pub const CONNECTIONS: u32 = 1_000_000;
    pub const SUBSCRIPTIONS: u32 = 1_000;
    pub const POINTS: u32 = 1_000_000_000;
}

/// How many points there are for requests; one is an object of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Points {
    /// Whether requests are refused when there are none left.
    pub spend: Spend,
    /// Those of one person or key in a tenant.
    pub of_person: Allowance,
    /// Those of all of a tenant together.
    pub of_tenant: Allowance,
}

impl Default for Points {
    /// A person may open a board of fifty deals with all their related records a hundred times at once and seven times a
    /// second after that; ten people as busy as that use up what their tenant has.
    fn default() -> Self {
        Self {
            spend: Spend::Enforce,
            of_person: Allowance {
                burst: 100_000,
                per_second: 5_000,
            },
            of_tenant: Allowance {
                burst: 1_000_000,
                per_second: 50_000,
            },
        }
    }
}

/// Why a request is refused before it runs. The message names the limit and what was found and never quotes the
/// document, so that an answer is small however large the attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was wrong, for programs, as `extensions.code`.
    pub code: &'static str,
    /// What was wrong, for people.
    pub message: String,
    /// Where in the document, if it is in one place.
    pub position: Option<Pos>,
    /// Which argument, or which part of one, as a path such as `filter.or.0.name.in`.
    pub field: Option<String>,
}

impl Refusal {
    /// A refusal with its code and one clear sentence.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            position: None,
            field: None,
        }
    }

    /// The same, of a part of an argument.
    pub(super) fn at(self, position: Pos, field: String) -> Self {
        Self {
            position: Some(position),
            field: Some(field),
            ..self
        }
    }

    /// Passes when `found` is within `limit`; else refuses, saying both. `what` reads after "the request has".
    pub(super) fn unless_within(
        code: &'static str,
        what: &str,
        found: usize,
        limit: usize,
    ) -> Result<(), Self> {
        if found <= limit {
            return Ok(());
        }
        Err(Self::new(
            code,
            format!("the request has {found} {what}, at most {limit} are allowed"),
        ))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
