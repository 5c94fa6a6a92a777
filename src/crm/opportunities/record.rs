//! A deal as a record of the database: its columns, what lists of it are sorted by, and who sees it.

use async_graphql::Enum;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::model::Opportunity;
use crate::{
    base::error::Result,
    base::{ids::Typed as _, text},
    crm::activities::{self, Target},
    db::{OrderField, Tx, Value, ValueKind, list::Record},
    entity::{self, Entity, Stamps},
};

/// What deals can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum OpportunityOrderField {
    /// When it was created.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// Its name, without regard to case.
    Name,
    /// What it is worth in minor units, whatever the currency; deals without an amount come before zero.
    Amount,
    /// When it is expected to close; deals without a date come last.
    ExpectedCloseOn,
    /// Its place on the board; filter by stage with it.
    BoardPosition,
}

/// What deals are sorted by inside: the fields of the API, and the due list's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpportunitySort {
    /// A field of the API.
    Field(OpportunityOrderField),
    /// When the next action is due; only of deals that have one.
    DueAt,
}

impl OrderField for OpportunitySort {
    fn column(self) -> &'static str {
        match self {
            Self::Field(OpportunityOrderField::CreatedAt) => "created_at",
            Self::Field(OpportunityOrderField::UpdatedAt) => "updated_at",
            Self::Field(OpportunityOrderField::Name) => "name_normalized",
            Self::Field(OpportunityOrderField::Amount) => "amount_minor",
            Self::Field(OpportunityOrderField::ExpectedCloseOn) => "expected_close_on",
            Self::Field(OpportunityOrderField::BoardPosition) => "board_position",
            Self::DueAt => "next_action_at",
        }
    }

    fn kind(self) -> ValueKind {
        match self {
            Self::Field(OpportunityOrderField::Name | OpportunityOrderField::BoardPosition) => {
                ValueKind::Text
            }
            Self::Field(OpportunityOrderField::Amount) => ValueKind::Int,
            Self::Field(OpportunityOrderField::ExpectedCloseOn) => ValueKind::Date,
            _ => ValueKind::Time,
        }
    }

    fn absent(self) -> Option<&'static str> {
        match self {
            Self::Field(OpportunityOrderField::Amount) => Some("-1"),
            Self::Field(OpportunityOrderField::ExpectedCloseOn) => Some("'infinity'::date"),
            _ => None,
        }
    }
}

impl Record for Opportunity {
    type Order = OpportunitySort;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }

    fn sort_value(&self, field: OpportunitySort) -> Option<Value> {
        match field {
            OpportunitySort::Field(OpportunityOrderField::CreatedAt) => {
                Some(Value::Time(self.stamps.created_at))
            }
            OpportunitySort::Field(OpportunityOrderField::UpdatedAt) => {
                Some(Value::Time(self.stamps.updated_at))
            }
            OpportunitySort::Field(OpportunityOrderField::Name) => {
                Some(Value::Text(text::normalize(&self.fields.name)))
            }
            OpportunitySort::Field(OpportunityOrderField::Amount) => {
                self.fields.amount_minor.map(Value::Int)
            }
            OpportunitySort::Field(OpportunityOrderField::ExpectedCloseOn) => {
                self.fields.expected_close_on.map(Value::Date)
            }
            OpportunitySort::Field(OpportunityOrderField::BoardPosition) => {
                Some(Value::Text(self.standing.board_position.clone()))
            }
            OpportunitySort::DueAt => self.agenda.next_action_at.map(Value::Time),
        }
    }
}

impl Entity for Opportunity {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            self.state(),
            json!({ "name_normalized": text::normalize(&self.fields.name) }),
        )
    }

    async fn before_delete(&self, tx: &mut Tx) -> Result<()> {
        activities::leave(tx, Target::Opportunity(self.id)).await
    }
}
