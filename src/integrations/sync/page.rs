//! Writing a page: its records, the links to them and how far the service is read, or nothing of it.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    links::{self, Linked, NewLink, Seen},
    model::Problem,
    store::{self, Counts, Going, MOST_PROBLEMS},
};
use crate::{
    access::Actor,
    base::error::{Error, Result},
    db::{Db, Tx, journal::Origin},
    integrations::{
        accounts::Integration,
        provider::{Applied, Provider, Remote, RemoteChange, RemoteState},
    },
};

/// What pages of a run are written with.
pub(super) struct Writing<'a> {
    pub(super) db: &'a Db,
    pub(super) origin: &'a Origin,
    pub(super) provider: &'a dyn Provider,
    /// Whoever connected the account, in its name.
    pub(super) actor: Arc<Actor>,
    pub(super) integration: &'a Integration,
    pub(super) kind: &'static str,
    pub(super) fence: i64,
    pub(super) going: &'a Going,
}

impl Writing<'_> {
    /// Writes a page. A record with which something is wrong is left out and noted, and the others are written; only what
    /// is no record's fault is an error.
    ///
    /// # Errors
    /// `LEASE_LOST`, or the database.
    pub(super) async fn write(&self, records: &[Remote], cursor: Option<&str>) -> Result<Counts> {
        let mut left_out = BTreeMap::new();
        loop {
            let mut at = None;
            let written = self.db.write(&self.actor, self.origin, async |tx| {
                self.write_in(tx, records, &left_out, cursor, &mut at).await
            });
            match (written.await, at) {
                (Ok(counts), _) => return Ok(counts),
                // It takes the whole transaction with it, so the others are written once more without it.
                (Err(error), Some(place)) if error.is_users() => {
                    left_out.insert(place, problem(&records[place], &error));
                }
                (Err(error), _) => return Err(error),
            }
        }
    }

    async fn write_in(
        &self,
        tx: &mut Tx,
        records: &[Remote],
        left_out: &BTreeMap<usize, Problem>,
        cursor: Option<&str>,
        at: &mut Option<usize>,
    ) -> Result<Counts> {
        let stream = (self.integration.id, self.kind);
        store::hold(tx, stream, self.fence).await?;
        let ids = records.iter().map(|remote| remote.external_id.clone());
        let known = links::of_external(tx, stream, ids.collect()).await?;
        let mut counts = Counts {
            read: i64::try_from(records.len()).unwrap_or(i64::MAX),
            problems: left_out.values().take(MOST_PROBLEMS).cloned().collect(),
            ..Counts::default()
        };
        let (mut new, mut same, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for (place, remote) in records.iter().enumerate() {
            if left_out.contains_key(&place) {
                continue;
            }
            *at = Some(place);
            let link = known.get(&remote.external_id);
            match self.one(tx, remote, link, &mut counts).await? {
                Outcome::Same => same.push(remote.external_id.clone()),
                Outcome::Linked(link) => {
                    // What is new here can't be linked, and what was linked is linked to this one.
                    if !link.is_created && !known.contains_key(&link.external_id) {
                        self.require_unlinked(tx, &link, &new).await?;
                    }
                    new.push(link);
                }
                Outcome::Gone => gone.extend(link.cloned()),
                Outcome::Nothing => {}
            }
        }
        *at = None;
        let run = self.going.sync_run_id;
        links::put(tx, self.integration, self.kind, new, Seen::Pulled(run)).await?;
        links::touch(tx, stream, run, same).await?;
        links::unlink(tx, self.integration.id, &gone).await?;
        let noted = (counts.clone(), cursor);
        store::note_page(tx, stream, run, noted).await?;
        Ok(counts)
    }

    /// Refuses another record there that is said to be the same one here: two people with one address, for example.
    async fn require_unlinked(&self, tx: &mut Tx, link: &NewLink, new: &[NewLink]) -> Result<()> {
        let is_other = |id: &String| *id != link.external_id;
        let stream = (self.integration.id, self.kind);
        let is_taken = new.iter().any(|other| other.record == link.record)
            || links::of_record(tx, stream, link.record)
                .await?
                .is_some_and(|other| is_other(&other.external_id));
        match is_taken {
            false => Ok(()),
            true => Err(Error::invalid(
                "ALREADY_LINKED",
                "",
                "another record of the service is this one already",
            )),
        }
    }

    async fn one(
        &self,
        tx: &mut Tx,
        remote: &Remote,
        link: Option<&Linked>,
        counts: &mut Counts,
    ) -> Result<Outcome> {
        let hash = match &remote.state {
            RemoteState::Present(fields) => Some(links::hash(fields)),
            RemoteState::Gone => None,
        };
        match (&hash, link) {
            (Some(hash), Some(link)) if *hash == link.hash => {
                counts.unchanged += 1;
                return Ok(Outcome::Same);
            }
            // It was never here.
            (None, None) => {
                counts.skipped += 1;
                return Ok(Outcome::Nothing);
            }
            _ => {}
        }
        let change = RemoteChange {
            kind: self.kind,
            remote,
            record: link.map(|link| link.record_id),
        };
        let (record, is_created) = match self.provider.apply(tx, change).await? {
            Applied::Created(record) => {
                counts.created += 1;
                (record, true)
            }
            Applied::Updated(record) => {
                counts.updated += 1;
                (record, false)
            }
            Applied::Removed(_) => {
                counts.removed += 1;
                return Ok(Outcome::Gone);
            }
            Applied::Skipped => {
                counts.skipped += 1;
                return Ok(match hash {
                    Some(_) => Outcome::Nothing,
                    None => Outcome::Gone,
                });
            }
        };
        Ok(Outcome::Linked(NewLink {
            external_id: remote.external_id.clone(),
            record,
            is_created: is_created || link.is_some_and(|link| link.is_created),
            hash: hash.unwrap_or_default(),
            updated_at: remote.updated_at,
        }))
    }
}

/// What becomes of a record's link.
enum Outcome {
    /// It says what it said.
    Same,
    /// This is it from now on.
    Linked(NewLink),
    /// There is none any more.
    Gone,
    /// There is none.
    Nothing,
}

fn problem(remote: &Remote, error: &Error) -> Problem {
    Problem {
        external_id: remote.external_id.clone(),
        code: error.code().to_owned(),
        field: error.field().map(str::to_owned),
    }
}
