//! A lead as a record of the database: its columns, what lists of it are sorted by, and who sees it.

use async_graphql::Enum;
use dealgraph_derive::OrderField;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::model::Lead;
use crate::{
    base::error::Result,
    base::{ids::Typed as _, text},
    crm::activities::{self, Target},
    db::{Tx, list::Record},
    entity::{self, Entity, Stamps, changes_by_fields},
};

/// What leads can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Lead)]
pub enum LeadOrderField {
    /// When it was created.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// When it last changed.
    #[order(time = self.stamps.updated_at)]
    UpdatedAt,
    /// The last name, then the first, without regard to case.
    #[order(text = text::normalize(&self.fields.sorted_name()), column = "name_normalized")]
    Name,
    /// When the next action is due; leads without one sort as the latest.
    #[order(time = self.fields.next_action_at, absent = "'infinity'::timestamptz")]
    NextActionAt,
}

impl Record for Lead {
    type Order = LeadOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
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

changes_by_fields! {
    Lead {
        async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
            if self.visible_to == before.visible_to {
                return Ok(());
            }
            activities::follow(tx, Target::Lead(self.id), &self.visible_to).await
        }
    }
}
