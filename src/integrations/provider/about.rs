//! What a provider says of itself.

use std::time::Duration;

use async_graphql::Enum;

use super::OAuthClient;

/// What a service is.
#[derive(Debug, Clone)]
pub struct About {
    /// What programs call it, for example `pipedrive`.
    pub key: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Whose accounts are connected.
    pub belongs_to: BelongsTo,
    /// How accounts are authorised.
    pub authorization: Authorization,
    /// What is kept in step.
    pub kinds: Vec<Kind>,
    /// How often it may be asked for one account.
    pub budget: Budget,
    /// How often an account is looked at, if nobody says otherwise.
    pub sync_every: Duration,
}

impl About {
    /// The names of all kinds.
    #[must_use]
    pub fn kind_names(&self) -> Vec<&'static str> {
        self.kinds.iter().map(|kind| kind.name).collect()
    }

    /// A kind by its name.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }
}

/// Whose an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "IntegrationBelongsTo")]
pub enum BelongsTo {
    /// The tenant's: who manages its programs connects it.
    Tenant,
    /// A person's, such as a mailbox: everybody connects their own.
    Person,
}

/// How accounts are authorised.
#[derive(Debug, Clone)]
pub enum Authorization {
    /// By OAuth 2.0: the person is sent to the service and comes back.
    OAuth(Box<OAuthClient>),
    /// By a key that the person copies from there, sent in this header.
    ApiKey {
        /// The header.
        header: &'static str,
    },
}

/// A kind of records that a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Its name, for example `contacts`.
    pub name: &'static str,
    /// The kind of our records, as ids begin.
    pub record: &'static str,
    /// Whether records of ours are written there as well.
    pub is_pushed: bool,
}

/// How often something may be done: so much at once, and once more each so often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// How much at once.
    pub burst: u32,
    /// And one more each.
    pub every: Duration,
}
