//! The kinds of records that are written and watched, with their words in the schema and in the database.

use serde_json::Value as Json;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Company,
    Contact,
    Lead,
    Opportunity,
    Activity,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Company,
        Self::Contact,
        Self::Lead,
        Self::Opportunity,
        Self::Activity,
    ];

    /// The word in events, ids and the names of mutations.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Contact => "contact",
            Self::Lead => "lead",
            Self::Opportunity => "opportunity",
            Self::Activity => "activity",
        }
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    pub(crate) const fn table(self) -> &'static str {
        match self {
            Self::Company => "companies",
            Self::Contact => "contacts",
            Self::Lead => "leads",
            Self::Opportunity => "opportunities",
            Self::Activity => "activities",
        }
    }

    /// The column that every write leaves a text of its own in.
    pub(crate) const fn mark(self) -> &'static str {
        match self {
            Self::Company | Self::Opportunity => "name",
            Self::Contact | Self::Lead => "last_name",
            Self::Activity => "subject",
        }
    }

    /// The same as an input's field.
    pub(crate) const fn mark_field(self) -> &'static str {
        match self {
            Self::Contact | Self::Lead => "lastName",
            _ => self.mark(),
        }
    }

    pub(crate) fn id(self, uuid: Uuid) -> String {
        format!("{}:{uuid}", self.word())
    }
}

/// A new id, by the dice.
pub(crate) fn mint(dice: &mut fastrand::Rng) -> Uuid {
    uuid::Builder::from_random_bytes(dice.u128(..).to_be_bytes()).into_uuid()
}

/// The bare id in a text such as `company:<uuid>`.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    text.rsplit_once(':')
        .map_or(text, |(_, id)| id)
        .parse()
        .ok()
}

/// The same of an answer's field.
pub(crate) fn uuid_of(value: &Json) -> Option<Uuid> {
    value.as_str().and_then(uuid)
}

/// The kinds of messages that a subscriber can receive.
const WORDS: [&str; 13] = [
    "CREATED",
    "UPDATED",
    "MOVED",
    "WON",
    "LOST",
    "REOPENED",
    "NEXT_ACTION_COMPLETED",
    "ARCHIVED",
    "RESTORED",
    "DELETED",
    "ENTERED_VIEW",
    "LEFT_VIEW",
    SYNCED,
];
pub(crate) const SYNCED: &str = "SYNCED";

/// The word itself, without a copy of it for each message.
pub(crate) fn known_word(word: &str) -> Option<&'static str> {
    WORDS.into_iter().find(|known| *known == word)
}
