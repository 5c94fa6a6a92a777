//! Creating many records in transactions of bounded size, leaving out those that are there already.

use std::{collections::HashSet, fmt};

use uuid::Uuid;

use super::{ImportError, Session};
use crate::{
    base::error::Result,
    db::{Sql, Tx, list::Record},
};

/// Records per transaction: few enough that nobody waits long for the tenant's event counter.
pub const BATCH: usize = 1_000;

/// What became of the records of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Created now.
    pub new: usize,
    /// There already.
    pub existing: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.existing += other.existing;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} new, {} already there",
            thousands(self.new),
            thousands(self.existing)
        )
    }
}

/// Creates those of the records that are not there yet. A record that was changed since stays as it is.
///
/// # Errors
/// What `create` refuses; what earlier batches created stays, and the next run goes on behind it.
pub async fn create_missing<R: Record, N>(
    session: &Session,
    records: Vec<N>,
    id: impl Fn(&N) -> Uuid,
    create: impl AsyncFn(&mut Tx, Vec<N>) -> Result<Vec<R>>,
) -> Result<Tally, ImportError> {
    let mut tally = Tally::default();
    let mut records = records.into_iter();
    loop {
        let batch: Vec<N> = records.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(tally);
        }
        let size = batch.len();
        let write = async |tx: &mut Tx| {
            let known = known::<R>(tx, batch.iter().map(&id).collect()).await?;
            let missing: Vec<N> = batch
                .into_iter()
                .filter(|new| !known.contains(&id(new)))
                .collect();
            if missing.is_empty() {
                return Ok(0);
            }
            Ok(create(tx, missing).await?.len())
        };
        let new = session
            .db
            .write(&session.actor, &session.origin, write)
            .await;
        let new = new.map_err(|source| ImportError::Refused {
            kind: R::KIND,
            source,
        })?;
        tally += Tally {
            new,
            existing: size - new,
        };
        session.progress.advance(size);
    }
}

/// Those of the ids that are there.
async fn known<R: Record>(tx: &mut Tx, ids: Vec<Uuid>) -> Result<HashSet<Uuid>> {
    let sql = Sql::new("SELECT t.")
        .push(R::ID_COLUMN)
        .push(" FROM ")
        .push(R::TABLE)
        .push(" t WHERE t.tenant_id = ")
        .bind(tx.tenant())
        .push(" AND t.")
        .push(R::ID_COLUMN)
        .push(" = ANY(")
        .bind(ids)
        .push(")");
    Ok(tx.column(sql).await?.into_iter().collect())
}

/// `8800` -> `8,800`.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_reads_well() {
        assert_eq!(
            Tally {
                new: 0,
                existing: 8_800
            }
            .to_string(),
            "0 new, 8,800 already there"
        );
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
    }
}
