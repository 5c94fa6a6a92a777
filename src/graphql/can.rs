//! What the actor may do with a record, so that a client greys out a button instead of guessing.
//!
//! It says what the policies would; only Postgres refuses, and a test holds the two together.

use async_graphql::SimpleObject;

use super::RequestContext;
use crate::entity::Entity;

/// What you may do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, SimpleObject)]
pub struct RecordRights {
    /// Change it; also archive and restore it, where that can be done.
    pub update: bool,
    /// Delete it for good.
    pub delete: bool,
}

impl RecordRights {
    /// What the actor of a request may do with a record that is judged by its row scope.
    #[must_use]
    pub fn on<R: Entity>(request: &RequestContext, record: &R) -> Self {
        let (actor, visible_to) = (request.actor(), record.visible_to());
        Self {
            update: actor.edits_row(R::ACCESS, visible_to),
            delete: actor.deletes_row(R::ACCESS, visible_to),
        }
    }
}
