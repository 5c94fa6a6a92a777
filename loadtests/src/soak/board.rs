//! A pipeline's board: read from the server, or kept up to date by a client from events.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{ask::Asker, history::Violation, kind::uuid_of};
use crate::Outcome;

/// As a card shows them; the rest of a record plays no part on a board.
const SHOWN: [&str; 6] = [
    "name",
    "version",
    "status",
    "boardPosition",
    "stage",
    "amount",
];
const QUERY: &str = "query($filter: OpportunityFilter, $after: String) { eventCursor
    opportunities(filter: $filter, first: 100, after: $after) {
        nodes { id version name status archivedAt boardPosition stage { id } amount { amountMinor } }
        pageInfo { hasNextPage endCursor } } }";

pub(crate) struct Board {
    pub(crate) pipeline: Uuid,
    cards: BTreeMap<Uuid, Json>,
}

impl Board {
    pub(crate) fn new(pipeline: Uuid) -> Self {
        Self {
            pipeline,
            cards: BTreeMap::new(),
        }
    }

    /// Reads it; the cursor is of the first page, so that what happens between pages is sent again.
    pub(crate) async fn read(pipeline: Uuid, asker: &mut Asker) -> Outcome<(Self, String)> {
        let mut board = Self::new(pipeline);
        let filter = json!({ "pipelineId": { "eq": format!("pipeline:{pipeline}") } });
        let (mut after, mut cursor) = (Json::Null, None);
        loop {
            let page = asker
                .query(QUERY, &json!({ "filter": filter, "after": after }))
                .await?;
            let at = page["eventCursor"].as_str().ok_or("there is no cursor")?;
            cursor.get_or_insert_with(|| at.to_owned());
            let deals = &page["opportunities"];
            for deal in deals["nodes"].as_array().into_iter().flatten() {
                board.apply(uuid_of(&deal["id"]), deal);
            }
            if deals["pageInfo"]["hasNextPage"] != json!(true) {
                return Ok((board, cursor.unwrap_or_default()));
            }
            after = deals["pageInfo"]["endCursor"].clone();
        }
    }

    /// Takes what came with an event as a client would: a record that is there is shown as it came, one that is not, or
    /// is in the archive, or went to another board, is not.
    pub(crate) fn apply(&mut self, id: Option<Uuid>, record: &Json) {
        let Some(id) = id else { return };
        if record.is_null() || !record["archivedAt"].is_null() {
            self.cards.remove(&id);
            return;
        }
        let card = SHOWN.map(|field| (field.to_owned(), record[field].clone()));
        self.cards
            .insert(id, Json::Object(card.into_iter().collect()));
    }

    pub(crate) fn clear(&mut self) {
        self.cards.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.cards.len()
    }

    /// What is not the same on another one.
    pub(crate) fn differs(&self, other: &Self) -> Option<Violation> {
        let ids = self.cards.keys().chain(other.cards.keys());
        let mut differing = ids.filter(|id| self.cards.get(id) != other.cards.get(id));
        let id = differing.next()?;
        let (mine, theirs) = (self.cards.get(id), other.cards.get(id));
        Some(format!("deal {id} is shown as {mine:?}, and is {theirs:?}"))
    }
}
