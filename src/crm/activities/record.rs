//! An activity as a record of the database: what lists of it are sorted by, who sees it, and what follows from its changes.

use std::collections::HashMap;

use async_graphql::Enum;
use dealgraph_derive::OrderField;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    Target, follow,
    model::Activity,
    store,
    target::{Link, last_done},
};
use crate::{
    base::{error::Result, ids::Typed as _},
    db::{Tx, list::Record},
    entity::{self, Changeable, Entity, Stamps},
};

/// What activities can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Activity)]
pub enum ActivityOrderField {
    /// When it happened or is to happen.
    #[order(time = self.occurred_at)]
    OccurredAt,
    /// When it was created.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// When it last changed.
    #[order(time = self.stamps.updated_at)]
    UpdatedAt,
    /// When it is due; those without a date come after all others.
    #[order(time = self.fields.due_at, absent = "'infinity'::timestamptz")]
    DueAt,
}

impl Record for Activity {
    type Order = ActivityOrderField;

    fn key(&self) -> Uuid {
        self.id.uuid()
    }
}

impl Entity for Activity {
    fn stamps(&self) -> &Stamps {
        &self.stamps
    }

    fn visible_to(&self) -> &str {
        &self.visible_to
    }

    fn columns(&self) -> Json {
        entity::with(
            json!(self.fields),
            json!({ "occurred_at": self.occurred_at }),
        )
    }
}

impl Changeable for Activity {
    fn same_as(&self, before: &Self) -> bool {
        self.fields == before.fields && self.links == before.links
    }

    fn told(&self) -> Json {
        let targets: Vec<Target> = self.links.iter().map(|link| link.target).collect();
        entity::with(json!(self.fields), json!({ "target_ids": targets }))
    }

    fn stamps_mut(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    async fn write(&self, tx: &mut Tx) -> Result<Self> {
        Ok(Self {
            links: self.links.clone(),
            ..entity::update(tx, self).await?
        })
    }

    async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
        if self.fields.done_at != before.fields.done_at || self.links != before.links {
            store::move_last_activity(tx, last_done(std::slice::from_ref(self))).await?;
        }
        store::relink(tx, self, &before.links).await?;
        // Only a record that is linked anew may have changed unnoticed.
        let is_new = |link: &&Link| before.links.iter().all(|old| old.target != link.target);
        let added = self.links.iter().filter(is_new);
        let added: HashMap<Target, Link> = added.map(|link| (link.target, link.clone())).collect();
        follow::catch_up(tx, added, std::slice::from_mut(self)).await
    }
}
