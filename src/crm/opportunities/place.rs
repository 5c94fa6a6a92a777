//! Finding a deal its place on the board: between two others, whose places may have to make room.
//!
//! A place between two others is a longer text than theirs, so where cards are put between the same two again and again
//! the texts grow. Before they get long, the cards around get new places, evenly spread and short, in the same
//! transaction. Their order stays, so they count as unchanged: version and time stay, and a concurrent save of one
//! of them does not conflict. Subscribers are notified of the new places.

use serde_json::json;
use uuid::Uuid;

use super::{
    Opportunity, Place, board,
    store::board::{Card, Side, beside, place},
};
use crate::{
    base::{
        error::{Error, Result},
        ids::{OpportunityId, StageId, Typed as _},
    },
    db::{
        Columns as _, Tx,
        journal::{Event, EventKind},
        list,
    },
};

/// From so many letters on, room is made.
const LONG: usize = 32;
/// So many cards on each side of a gap get new places; the next number if those would be long again.
const REACHES: [usize; 4] = [16, 64, 250, 500];

/// The neighbours that a deal is to stand between.
pub(super) type Beside = (Option<Card>, Option<Card>);

/// Puts a deal between two neighbours of its stage; with one named, right beside it.
pub(super) async fn put(
    tx: &mut Tx,
    deal: &mut Opportunity,
    (after, before): Beside,
) -> Result<()> {
    if let (Some(low), Some(high)) = (&after, &before)
        && (&low.place, low.id) >= (&high.place, high.id)
    {
        return Err(Error::invalid(
            "WRONG_ORDER",
            "afterId",
            "the first deal does not stand before the second one",
        ));
    }
    let (gap, low, high) = match (after, before) {
        (Some(low), _) => {
            let high = beside(tx, deal, &low, Side::After, 1).await?.pop();
            (low.clone(), Some(low.place), high.map(|card| card.place))
        }
        (None, Some(high)) => {
            // Right after whatever could stand right before it.
            let id = Uuid::from_u128(high.id.as_u128().saturating_sub(1));
            let gap = Card {
                id,
                place: high.place.clone(),
            };
            let low = beside(tx, deal, &gap, Side::Before, 1).await?.pop();
            (gap, low.map(|card| card.place), Some(high.place))
        }
        (None, None) => return Ok(()),
    };
    let own = deal.standing.board_position.as_str();
    if low.as_deref().is_none_or(|low| low < own) && high.as_deref().is_none_or(|high| own < high) {
        return Ok(());
    }
    let end = board::at_end(tx.now(), deal.id.uuid());
    let found = match (low.as_deref(), high.as_deref()) {
        // The end of the board is where new deals come, so that later ones still come after it.
        (Some(low), None) if low < end.as_str() => Some(end),
        (None, Some(high)) => board::before(high, deal.id.uuid()),
        (low, high) => board::between(low, high),
    };
    match found.filter(|place| place.len() < LONG) {
        Some(place) => deal.standing.board_position = place,
        None => make_room(tx, deal, &gap).await?,
    }
    Ok(())
}

/// Gives the cards around a gap new places, and the deal the one in the gap.
async fn make_room(tx: &mut Tx, deal: &mut Opportunity, gap: &Card) -> Result<()> {
    let end = board::at_end(tx.now(), deal.id.uuid());
    for reach in REACHES {
        let most = i32::try_from(reach + 1).unwrap_or(i32::MAX);
        let mut lower = beside(tx, deal, gap, Side::Before, most).await?;
        let mut upper = beside(tx, deal, gap, Side::After, most).await?;
        // What lies beyond stays where it is.
        let low = (lower.len() > reach).then(|| lower.pop()).flatten();
        let high = (upper.len() > reach).then(|| upper.pop()).flatten();
        let low = low.map(|card| card.place);
        let high = match high {
            Some(card) => Some(card.place),
            // Later deals still come after all of these.
            None => Some(end.clone()).filter(|end| low.as_ref().is_none_or(|low| low < end)),
        };
        lower.reverse();
        let (own, count) = (lower.len(), lower.len() + 1 + upper.len());
        let Some(mut places) = board::spread(low.as_deref(), high.as_deref(), count) else {
            continue;
        };
        let longest = places.iter().map(String::len).max().unwrap_or(0);
        let is_last = Some(&reach) == REACHES.last();
        let too_long = if is_last {
            board::MAX_PLACE
        } else {
            LONG / 4 * 3
        };
        if longest >= too_long {
            continue;
        }
        let mut given = places.remove(own);
        if given == deal.standing.board_position {
            // The others have moved away from under it; that it moved among them has to show.
            let next = places.get(own).cloned().or(high);
            given = board::between(Some(&given), next.as_deref()).unwrap_or(given);
        }
        let cards = lower.into_iter().chain(upper).zip(places);
        let cards: Vec<Card> = cards.map(|(card, place)| Card { place, ..card }).collect();
        deal.standing.board_position = given;
        return tell(tx, deal, &cards).await;
    }
    Err(Error::invalid(
        "NO_PLACE",
        "afterId",
        "there is no place left between these, move one of them first",
    ))
}

/// Writes the new places, and tells those who watch.
async fn tell(tx: &mut Tx, deal: &Opportunity, cards: &[Card]) -> Result<()> {
    let (stage, pipeline) = (deal.standing.stage_id, deal.standing.pipeline_id);
    for placed in place(tx, stage, cards).await? {
        tx.follow_up(Event {
            kind: EventKind::Updated,
            entity: OpportunityId::PREFIX,
            id: placed.id,
            version: placed.version,
            changed: vec!["board_position".to_owned()],
            before: None,
            after: None,
            // The rest of it is not known here, and need not be: who asks for it is answered by the database.
            record: Some(json!({
                "opportunity_id": placed.id, "pipeline_id": pipeline, "stage_id": stage, "board_position": placed.place,
            })),
            was: None,
            visible_before: Some(placed.visible_to.clone()),
            visible_after: Some(placed.visible_to),
            parts: Opportunity::PARTS,
        });
    }
    Ok(())
}

/// Looks up where the named neighbours of a deal stand in a stage.
pub(super) async fn neighbours(
    tx: &mut Tx,
    deal: OpportunityId,
    stage: StageId,
    place: Place,
) -> Result<Beside> {
    let after = neighbour(tx, deal, stage, place.after, "afterId").await?;
    let before = neighbour(tx, deal, stage, place.before, "beforeId").await?;
    Ok((after, before))
}

async fn neighbour(
    tx: &mut Tx,
    deal: OpportunityId,
    stage: StageId,
    id: Option<OpportunityId>,
    field: &'static str,
) -> Result<Option<Card>> {
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
    Ok(Some(Card {
        id: id.uuid(),
        place: other.standing.board_position,
    }))
}
