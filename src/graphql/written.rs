//! What a mutation's unit of work hands to its payload, and how that is had again.
//!
//! A server may die after it has committed a mutation and before it has kept the answer under the idempotency key. The
//! next request under the key rebuilds the answer then: the same selection, of the record as it is now.

use uuid::Uuid;

use crate::{
    base::error::Result,
    db::{
        Tx,
        list::{self, Record},
    },
};

/// What a unit of work hands to its mutation's payload.
pub trait Written: Sized {
    /// What a client does when it can't be rebuilt.
    const LOST: &str;

    /// The kind and the id of the record that it is made of, which the idempotency key remembers.
    fn subject(&self) -> Option<(&'static str, Uuid)>;

    /// The same again, from what the key remembers; none where it can't be had a second time.
    ///
    /// # Errors
    /// The database.
    fn rebuild(
        tx: &mut Tx,
        subject: Option<(&str, Uuid)>,
    ) -> impl Future<Output = Result<Option<Self>>> + Send;
}

/// A record, unless it is gone meanwhile or the actor sees it no more.
impl<R: Record> Written for R {
    const LOST: &str = "the record is gone since, or hidden from you";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        Some((R::KIND, self.key()))
    }

    async fn rebuild(tx: &mut Tx, subject: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        match subject {
            Some((kind, id)) if kind == R::KIND => list::find(tx, id).await,
            _ => Ok(None),
        }
    }
}

/// What has an answer that is made of the input alone, such as a deletion.
impl Written for () {
    const LOST: &str = "";

    fn subject(&self) -> Option<(&'static str, Uuid)> {
        None
    }

    async fn rebuild(_: &mut Tx, _: Option<(&str, Uuid)>) -> Result<Option<Self>> {
        Ok(Some(()))
    }
}
