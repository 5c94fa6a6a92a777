//! The ids of what activities are about, one statement for all activities of a level.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Target, store};
use crate::{
    base::{error::Result, ids::Typed as _},
    db::ReadTx,
    graphql::Batch,
};

/// The targets of an activity by its id, hidden ones among them: each is loaded under the reader's own rights.
pub(super) struct TargetsOf;

impl Batch for TargetsOf {
    type Value = Vec<Target>;

    async fn load(tx: &mut ReadTx, keys: &[Uuid]) -> Result<HashMap<Uuid, Vec<Target>>> {
        let links = store::links_of(tx, keys).await?;
        let targets = |links: Vec<super::Link>| links.into_iter().map(|link| link.target).collect();
        Ok(links
            .into_iter()
            .map(|(id, links)| (id.uuid(), targets(links)))
            .collect())
    }
}
