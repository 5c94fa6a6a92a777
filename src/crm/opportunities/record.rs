//! A deal as a record of the database: its columns, what lists of it are sorted by, and who sees it.

use async_graphql::Enum;
use dealgraph_derive::OrderField;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{history, model::Opportunity, store};
use crate::{
    base::error::Result,
    base::{ids::Typed as _, text},
    crm::activities::{self, Target},
    db::{OrderField, Tx, Value, ValueKind, list::Record},
    entity::{self, Changeable, Entity, Stamps},
};

/// What deals can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, OrderField)]
#[order(of = Opportunity)]
pub enum OpportunityOrderField {
    /// When it was created.
    #[order(time = self.stamps.created_at)]
    CreatedAt,
    /// When it last changed.
    #[order(time = self.stamps.updated_at)]
    UpdatedAt,
    /// Its name, without regard to case.
    #[order(text = text::normalize(&self.fields.name), column = "name_normalized")]
    Name,
    /// What it is worth in minor units, whatever the currency; deals without an amount come before zero.
    #[order(int = self.fields.amount_minor, column = "amount_minor", absent = "-1")]
    Amount,
    /// When it is expected to close; deals without a date come last.
    #[order(date = self.fields.expected_close_on, absent = "'infinity'::date")]
    ExpectedCloseOn,
    /// Its place on the board; filter by stage with it.
    #[order(text = self.standing.board_position.clone())]
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
    type Record = Opportunity;

    fn column(self) -> &'static str {
        match self {
            Self::Field(field) => field.column(),
            Self::DueAt => "next_action_at",
        }
    }

    fn kind(self) -> ValueKind {
        match self {
            Self::Field(field) => field.kind(),
            Self::DueAt => ValueKind::Time,
        }
    }

    fn absent(self) -> Option<&'static str> {
        match self {
            Self::Field(field) => field.absent(),
            Self::DueAt => None,
        }
    }

    fn value(self, deal: &Opportunity) -> Option<Value> {
        match self {
            Self::Field(field) => field.value(deal),
            Self::DueAt => deal.agenda.next_action_at.map(Value::Time),
        }
    }
}

impl From<OpportunityOrderField> for OpportunitySort {
    fn from(field: OpportunityOrderField) -> Self {
        Self::Field(field)
    }
}

impl Record for Opportunity {
    type Order = OpportunitySort;

    fn key(&self) -> Uuid {
        self.id.uuid()
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
            self.told(),
            json!({ "name_normalized": text::normalize(&self.fields.name) }),
        )
    }

    async fn before_delete(&self, tx: &mut Tx) -> Result<()> {
        activities::leave(tx, Target::Opportunity(self.id)).await
    }
}

impl Changeable for Opportunity {
    fn same_as(&self, before: &Self) -> bool {
        self.fields == before.fields
            && self.standing == before.standing
            && self.agenda == before.agenda
            && self.shared_with == before.shared_with
            && self.people_changed == before.people_changed
    }

    fn told(&self) -> Json {
        [
            json!(self.standing),
            json!(self.agenda),
            json!({ "people": self.people_changed }),
        ]
        .into_iter()
        .fold(json!(self.fields), entity::with)
    }

    fn stamps_mut(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    async fn write(&self, tx: &mut Tx) -> Result<Self> {
        Ok(Self {
            people_changed: self.people_changed,
            ..entity::update(tx, self).await?
        })
    }

    async fn after_change(&mut self, tx: &mut Tx, before: &Self) -> Result<()> {
        if self.standing.stage_id != before.standing.stage_id
            || self.standing.status != before.standing.status
        {
            let step = history::step(before, self, tx.now(), tx.author());
            store::insert_history(tx, vec![step]).await?;
        }
        if self.visible_to == before.visible_to {
            return Ok(());
        }
        store::follow(tx, self).await?;
        activities::follow(tx, Target::Opportunity(self.id), &self.visible_to).await
    }
}
