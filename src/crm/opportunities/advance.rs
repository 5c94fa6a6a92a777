//! How a deal moves: to another stage, to an end, back from it, and along the board.

use super::{Loss, Opportunity, board, place, store};
use crate::{
    base::{
        error::{Error, Result},
        ids::{OpportunityId, StageId, Typed as _},
    },
    crm::pipelines::{self, Stage, StageKind},
    db::{Tx, journal::EventKind},
    entity,
    organization::tenants,
};

/// A place on the board: between these two deals of the stage, or at its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Right after this deal.
    pub after: Option<OpportunityId>,
    /// Right before this deal.
    pub before: Option<OpportunityId>,
}

impl Place {
    /// Whether it says beside which deal.
    fn is_named(self) -> bool {
        self.after.is_some() || self.before.is_some()
    }
}

/// Moves an open deal to another stage, also of another pipeline.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`; `CLOSED` for a won or lost deal; `USE_LOSE` for a lost stage;
/// `WRONG_STAGE` for a neighbour on the board that stands elsewhere.
pub async fn move_stage(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    stage: StageId,
    place: Place,
) -> Result<Opportunity> {
    let stage = pipelines::get_stage(tx, stage).await?;
    let kind = if stage.fields.kind == StageKind::Won {
        EventKind::Won
    } else {
        EventKind::Moved
    };
    if place.is_named() {
        store::board::arrange(tx, stage.id).await?;
    }
    entity::change::<Opportunity>(tx, deal, kind, async |tx, deal| {
        let beside = place::neighbours(tx, deal.id, stage.id, place).await?;
        deal.move_to(&stage, tx.now())?;
        place::put(tx, deal, beside).await
    })
    .await
}

/// Moves a deal along the board within its stage.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`; `WRONG_STAGE` for a neighbour that stands elsewhere.
pub async fn reorder(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    place: Place,
) -> Result<Opportunity> {
    // Before the deal is locked: all who arrange a column wait for each other here, and nobody holds what another needs.
    if place.is_named() {
        store::board::arrange_around(tx, deal.0).await?;
    }
    entity::change::<Opportunity>(tx, deal, EventKind::Moved, async |tx, deal| {
        if !place.is_named() {
            deal.standing.board_position = board::at_end(tx.now(), deal.id.uuid());
            return Ok(());
        }
        let beside = place::neighbours(tx, deal.id, deal.standing.stage_id, place).await?;
        place::put(tx, deal, beside).await
    })
    .await
}

/// Wins an open deal; in the named stage, or the first won one of its pipeline, or where it stands.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `CLOSED`, `WRONG_STAGE`.
pub async fn win(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    stage: Option<StageId>,
) -> Result<Opportunity> {
    entity::change::<Opportunity>(tx, deal, EventKind::Won, async |tx, deal| {
        let stage = closing_stage(tx, deal, stage, StageKind::Won).await?;
        deal.win(stage.as_ref(), tx.now())
    })
    .await
}

/// Loses an open deal, with a reason if the tenant wants one.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`, `CLOSED`, `WRONG_STAGE`, `LOST_REASON_REQUIRED`.
pub async fn lose(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    stage: Option<StageId>,
    loss: Loss,
) -> Result<Opportunity> {
    entity::change::<Opportunity>(tx, deal, EventKind::Lost, async |tx, deal| {
        let stage = closing_stage(tx, deal, stage, StageKind::Lost).await?;
        deal.lose(stage.as_ref(), loss, tx.now())?;
        require_reason(tx, deal, "reason").await
    })
    .await
}

/// Opens a won or lost deal again: in the named stage, or the open one it was in last, or the first of its pipeline.
///
/// # Errors
/// `NOT_FOUND`, `CONFLICT`, `FORBIDDEN`; `OPEN` for a deal that is; `WRONG_STAGE` for a stage that is not open.
pub async fn reopen(
    tx: &mut Tx,
    deal: (OpportunityId, Option<i32>),
    stage: Option<StageId>,
) -> Result<Opportunity> {
    entity::change::<Opportunity>(tx, deal, EventKind::Reopened, async |tx, deal| {
        let stage = match stage {
            Some(stage) => pipelines::get_stage(tx, stage).await?,
            None => {
                let last = store::last_open_stage(tx, deal.id).await?;
                let first = first_of_kind(tx, deal, StageKind::Open).await?;
                last.or(first).ok_or(Error::NotFound {
                    kind: "stage",
                    field: "stageId",
                })?
            }
        };
        deal.reopen(&stage, tx.now())
    })
    .await
}

/// Refuses a loss without a reason where the tenant wants one.
pub(super) async fn require_reason(
    tx: &mut Tx,
    deal: &Opportunity,
    field: &'static str,
) -> Result<()> {
    if deal.standing.lost_reason.is_none() && tenants::own(tx).await?.settings.lost_reason_required
    {
        return Err(Error::invalid(
            "LOST_REASON_REQUIRED",
            field,
            "say why this deal is lost",
        ));
    }
    Ok(())
}

async fn closing_stage(
    tx: &mut Tx,
    deal: &Opportunity,
    stage: Option<StageId>,
    kind: StageKind,
) -> Result<Option<Stage>> {
    match stage {
        Some(stage) => pipelines::get_stage(tx, stage).await.map(Some),
        None => first_of_kind(tx, deal, kind).await,
    }
}

async fn first_of_kind(tx: &mut Tx, deal: &Opportunity, kind: StageKind) -> Result<Option<Stage>> {
    let stages = pipelines::stages(tx, Some(deal.standing.pipeline_id)).await?;
    Ok(stages.into_iter().find(|stage| stage.fields.kind == kind))
}
