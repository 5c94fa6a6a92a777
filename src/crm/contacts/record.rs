//! A contact as a record of the database: what lists of it are sorted by, who sees it, and what follows from its changes.

use async_graphql::Enum;
use dealgraph_derive::OrderField;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{methods, model::Contact};
use crate::{
    base::{error::Result, ids::Typed as _},
    crm::activities::{self, Target},
    db::{Tx, list::Record},
    entity::{self, Changeable, Entity, Stamps},
};

/// What contacts can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Contact)]
pub enum ContactOrderField {
    /// When it was created.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// When it last changed.
    #[order(time = self.stamps.updated_at)]
    UpdatedAt,
    /// Its last name, then its first name, without regard to case.
    #[order(text = self.fields.name_normalized(), column = "name_normalized")]
    Name,
    /// How warm the relationship is.
    #[order(int = self.fields.warmness_score)]
    WarmnessScore,
    /// When they were last in touch; never counts as the longest ago.
    #[order(time = self.fields.last_contacted_at, absent = "'-infinity'::timestamptz")]
    LastContactedAt,
}

impl Record for Contact {
    type Order = ContactOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for Contact {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({ "name_normalized": self.fields.name_normalized(), "email_normalized": self.email }),
        )
    }

    async fn before_delete(&self, tx: &mut Tx) -> Result<()> {
        activities::leave(tx, Target::Contact(self.id)).await
    }
}

impl Changeable for Contact {
    fn same_as(&self, before: &Self) -> bool {
        self.fields == before.fields && self.methods == before.methods
    }

    /// Its methods only when they are what came about or changed.
    fn told(&self) -> Json {
        let fields = json!(self.fields);
        match &self.methods {
            Some(methods) => entity::with(fields, json!({ "contact_methods": methods })),
            None => fields,
        }
    }

    fn stamps_mut(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    async fn write(&self, tx: &mut Tx) -> Result<Self> {
        Ok(Self {
            methods: self.methods.clone(),
            ..entity::update(tx, self).await?
        })
    }

    async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
        if self.visible_to != before.visible_to {
            methods::follow(tx, self).await?;
            activities::follow(tx, Target::Contact(self.id), &self.visible_to).await?;
        }
        match (&before.methods, &self.methods) {
            (Some(old), Some(new)) => methods::replace(tx, self, old, new).await,
            _ => Ok(()),
        }
    }
}
