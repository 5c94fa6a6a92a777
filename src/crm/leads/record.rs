//! A lead as a record of the database: its columns, what lists of it are sorted by, and who sees it.

use async_graphql::Enum;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::model::Lead;
use crate::{
    base::error::Result,
    base::{ids::Typed as _, text},
    crm::activities::{self, Target},
    db::{OrderField, Tx, Value, ValueKind, list::Record},
    entity::{self, Entity, Stamps},
};

/// What leads can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum LeadOrderField {
    /// When it was created.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// The last name, then the first, without regard to case.
    Name,
    /// When the next action is due; leads without one sort as the latest.
    NextActionAt,
}

impl OrderField for LeadOrderField {
    fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
            Self::Name => "name_normalized",
            Self::NextActionAt => "next_action_at",
        }
    }

    fn kind(self) -> ValueKind {
        match self {
            Self::CreatedAt | Self::UpdatedAt | Self::NextActionAt => ValueKind::Time,
            Self::Name => ValueKind::Text,
        }
    }

    fn absent(self) -> Option<&'static str> {
        match self {
            Self::NextActionAt => Some("'infinity'::timestamptz"),
            Self::CreatedAt | Self::UpdatedAt | Self::Name => None,
        }
    }
}

impl Record for Lead {
    type Order = LeadOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }

    fn sort_value(&self, field: LeadOrderField) -> Option<Value> {
        match field {
            LeadOrderField::CreatedAt => Some(Value::Time(self.stamps.created_at)),
            LeadOrderField::UpdatedAt => Some(Value::Time(self.stamps.updated_at)),
            LeadOrderField::Name => Some(Value::Text(text::normalize(&self.fields.sorted_name()))),
            LeadOrderField::NextActionAt => self.fields.next_action_at.map(Value::Time),
        }
    }
}

impl Entity for Lead {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({
                "name_normalized": text::normalize(&self.fields.sorted_name()),
                "email_normalized": self.fields.email_normalized(),
            }),
        )
    }

    async fn before_delete(&self, tx: &mut Tx) -> Result<()> {
        activities::leave(tx, Target::Lead(self.id)).await
    }
}
