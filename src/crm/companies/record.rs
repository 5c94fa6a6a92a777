//! A company as a record of the database: what lists of it are sorted by, who sees it, and what follows from its changes.

use async_graphql::Enum;
use dealgraph_derive::OrderField;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::model::Company;
use crate::{
    base::error::Result,
    base::{ids::Typed as _, text},
    crm::activities::{self, Target},
    db::{Tx, list::Record},
    entity::{self, Entity, Stamps, changes_by_fields},
};

/// What companies can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Company)]
pub enum CompanyOrderField {
    /// When it was created.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// When it last changed.
    #[order(time = self.stamps.updated_at)]
    UpdatedAt,
    /// Its name, without regard to case.
    #[order(text = text::normalize(&self.fields.name), column = "name_normalized")]
    Name,
}

impl Record for Company {
    type Order = CompanyOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for Company {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({ "name_normalized": text::normalize(&self.fields.name) }),
        )
    }

    async fn before_delete(&self, tx: &mut Tx) -> Result<()> {
        activities::leave(tx, Target::Company(self.id)).await
    }
}

changes_by_fields! {
    Company {
        async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
            if self.visible_to == before.visible_to {
                return Ok(());
            }
            activities::follow(tx, Target::Company(self.id), &self.visible_to).await
        }
    }
}
