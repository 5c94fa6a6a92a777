//! How a deal moves: to another stage, to an end, back from it, and along the board.

use super::{Opportunity, board, change, store};
use crate::{
    db::{Tx, list},
    error::{Error, Result},
    events::EventKind,
    ids::{OpportunityId, StageId, Typed as _},
    pipelines::{self, Stage, StageKind},
    tenants,
};

/// A place on the board: between these two deals of the stage, or at its end.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    /// Right after this deal.
    pub after: Option<OpportunityId>,
    /// Right before this deal.
    pub before: Option<OpportunityId>,
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
    change(tx, deal, kind, async |tx, deal| {
        let beside = neighbours(tx, (deal.id, stage.id), place).await?;
        deal.move_to(&stage, tx.now())?;
        put(tx, deal, beside).await
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
    change(tx, deal, EventKind::Moved, async |tx, deal| {
        if place.after.is_none() && place.before.is_none() {
            deal.standing.board_position = board::at_end(tx.now(), deal.id.uuid());
            return Ok(());
        }
        let beside = neighbours(tx, (deal.id, deal.standing.stage_id), place).await?;
        put(tx, deal, beside).await
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
    change(tx, deal, EventKind::Won, async |tx, deal| {
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
    (reason, note): (Option<String>, Option<String>),
) -> Result<Opportunity> {
    change(tx, deal, EventKind::Lost, async |tx, deal| {
        let stage = closing_stage(tx, deal, stage, StageKind::Lost).await?;
        deal.lose(stage.as_ref(), (reason, note), tx.now())?;
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
    change(tx, deal, EventKind::Reopened, async |tx, deal| {
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

/// The places of the neighbours that a deal is to stand between.
type Beside = (Option<String>, Option<String>);

/// Puts a deal between two neighbours of its stage; with one named, right beside it.
async fn put(tx: &mut Tx, deal: &mut Opportunity, (after, before): Beside) -> Result<()> {
    let (low, high) = match (after, before) {
        (None, None) => return Ok(()),
        (Some(low), Some(high)) => (Some(low), Some(high)),
        (Some(low), None) => {
            let next = store::beside(tx, deal, &low, store::Side::After).await?;
            (Some(low), next)
        }
        (None, Some(high)) => (
            store::beside(tx, deal, &high, store::Side::Before).await?,
            Some(high),
        ),
    };
    if let (Some(low), Some(high)) = (&low, &high)
        && low >= high
    {
        return Err(Error::invalid(
            "WRONG_ORDER",
            "afterId",
            "the first deal does not stand before the second one",
        ));
    }
    // The end of the board is where new deals come, so that later ones still come after it.
    let end = board::at_end(tx.now(), deal.id.uuid());
    let position = match (&low, &high) {
        (Some(low), None) if *low < end => end,
        _ => board::between(low.as_deref(), high.as_deref()),
    };
    if position.len() > board::MAX_PLACE {
        return Err(Error::invalid(
            "NO_PLACE",
            "afterId",
            "there is no place left between these, move one of them first",
        ));
    }
    deal.standing.board_position = position;
    Ok(())
}

/// Looks up where the named neighbours of a deal stand in a stage.
async fn neighbours(tx: &mut Tx, own: (OpportunityId, StageId), place: Place) -> Result<Beside> {
    let after = neighbour(tx, own, place.after, "afterId").await?;
    Ok((after, neighbour(tx, own, place.before, "beforeId").await?))
}

async fn neighbour(
    tx: &mut Tx,
    (deal, stage): (OpportunityId, StageId),
    id: Option<OpportunityId>,
    field: &'static str,
) -> Result<Option<String>> {
    let Some(id) = id else { return Ok(None) };
    let found = list::find(tx, id.uuid()).await?;
    let other: Opportunity = found.ok_or(Error::NotFound {
        kind: "opportunity",
        field,
    })?;
    if other.standing.stage_id != stage || other.id == deal {
        return Err(Error::invalid(
            "WRONG_STAGE",
            field,
            "this deal stands in another stage",
        ));
    }
    Ok(Some(other.standing.board_position))
}
