//! Where cards stand in a column of a board: all cards, also those that the actor does not see, since a card that is
//! given another place must pass none of them.

use uuid::Uuid;

use super::super::Opportunity;
use crate::{
    base::{
        error::Result,
        ids::{OpportunityId, StageId},
    },
    db::{Sql, Tx},
};

/// A card by its place.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(in crate::crm::opportunities) struct Card {
    #[sqlx(rename = "opportunity_id")]
    pub(in crate::crm::opportunities) id: Uuid,
    #[sqlx(rename = "board_position")]
    pub(in crate::crm::opportunities) place: String,
}

/// A card that was given another place, with who sees it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(in crate::crm::opportunities) struct Placed {
    #[sqlx(rename = "opportunity_id")]
    pub(in crate::crm::opportunities) id: Uuid,
    #[sqlx(rename = "board_position")]
    pub(in crate::crm::opportunities) place: String,
    pub(in crate::crm::opportunities) version: i32,
    pub(in crate::crm::opportunities) visible_to: String,
}

/// Waits until nobody else arranges this column.
pub(in crate::crm::opportunities) async fn arrange(tx: &mut Tx, stage: StageId) -> Result<()> {
    let key = format!("board {} {stage}", tx.tenant());
    let sql = Sql::new("SELECT pg_advisory_xact_lock(hashtextextended(").bind(key);
    tx.execute(sql.push(", 0))")).await?;
    Ok(())
}

/// The same for the column that a deal stands in, if the actor sees it. In two statements: one that reads a table runs
/// where the table's rows are, on a cluster, and its lock would be that node's and not the one that all others take.
pub(in crate::crm::opportunities) async fn arrange_around(
    tx: &mut Tx,
    id: OpportunityId,
) -> Result<()> {
    let sql = Sql::new("SELECT t.stage_id FROM opportunities t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.opportunity_id = ")
        .bind(id);
    for stage in tx.column(sql).await? {
        arrange(tx, stage).await?;
    }
    Ok(())
}

/// Which side of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::crm::opportunities) enum Side {
    Before,
    After,
}

/// The cards next to the gap right after a card in the deal's stage, the nearest first, the deal itself left out.
pub(in crate::crm::opportunities) async fn beside(
    tx: &mut Tx,
    deal: &Opportunity,
    gap: &Card,
    side: Side,
    count: i32,
) -> Result<Vec<Card>> {
    let sql = Sql::new("SELECT c.opportunity_id, c.board_position FROM ")
        .push(match side {
            Side::Before => "app.cards_before(",
            Side::After => "app.cards_after(",
        })
        .bind(tx.tenant())
        .push(", ")
        .bind(deal.standing.stage_id)
        .push(", ")
        .bind(gap.place.clone())
        .push(", ")
        .bind(gap.id)
        .push(", ")
        .bind(deal.id)
        .push(", ")
        .bind(count)
        .push(") c");
    tx.all(sql).await
}

/// Gives cards of a stage other places; those that changed.
pub(in crate::crm::opportunities) async fn place(
    tx: &mut Tx,
    stage: StageId,
    cards: &[Card],
) -> Result<Vec<Placed>> {
    let (ids, places): (Vec<Uuid>, Vec<String>) = cards
        .iter()
        .map(|card| (card.id, card.place.clone()))
        .unzip();
    let sql = Sql::new(
        "SELECT c.opportunity_id, c.board_position, c.version, c.visible_to FROM app.place_cards(",
    )
    .bind(tx.tenant())
    .push(", ")
    .bind(stage)
    .push(", ")
    .bind(ids)
    .push(", ")
    .bind(places)
    .push(") c");
    tx.all(sql).await
}
