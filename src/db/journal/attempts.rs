//! Detecting probes across tenants: whether an id that a caller named belongs to another tenant.
//!
//! The answer never waits for this and is the same whatever comes out: a caller who asks for another tenant's record
//! gets the answer for a record that does not exist. One task looks afterwards, as the system, and records for the tenant
//! that owns it that there was an attempt, and not by whom. The caller's own log gets nothing: what it had more than for
//! an id that is nobody's would say which ids exist elsewhere. Who it was stands in the server's own log.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{
    base::{
        entities::entities,
        error::Result,
        ids::{ContactMethodId, TenantId, Typed, UserId},
    },
    db::{
        Db, Sql, SystemReason,
        journal::{Entry, Origin, Recorder, Whom},
    },
};

/// So many suspicions wait; beyond them they are dropped.
pub(super) const QUEUE: usize = 1_024;
/// Most ids of one request that are looked at.
pub(crate) const MOST_IDS: usize = 50;
/// So many ids are looked up in a second, and twice as many at once.
const IDS_PER_SECOND: f64 = 100.0;
/// How long an id that was looked up for a tenant is not looked up again. No more are remembered than can be looked up
/// meanwhile.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);
/// How long the list of tenants is good.
const TENANTS_FOR: Duration = Duration::from_secs(60);
/// So many tenants are asked in one statement.
const TENANTS_AT_ONCE: usize = 1_000;

macro_rules! kinds {
    ($($section:ident { $(
        $(#[$doc:meta])*
        $record:ident $id:ident $prefix:literal $table:ident.$column:ident $layer:ident::$domain:ident $access:tt
            $children:tt $itself:tt;
    )* })*) => {
        /// Kinds of records that ids name: the prefix of the ids, the table, its column.
        const KINDS: &[(&str, &str, &str)] = &[
            $($( ($prefix, stringify!($table), stringify!($column)), )*)*
            (TenantId::PREFIX, "tenants", "tenant_id"),
            (UserId::PREFIX, "memberships", "user_id"),
            (ContactMethodId::PREFIX, "contact_methods", "contact_method_id"),
        ];
    };
}
entities!(kinds);

/// An id of a record of a known kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NamedId {
    kind: usize,
    id: Uuid,
}

impl NamedId {
    /// Reads `<type>:<uuid>`; nothing when it is anything else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (prefix, rest) = text.split_once(':')?;
        if rest.len() != 36 {
            return None;
        }
        let kind = KINDS.iter().position(|(known, ..)| *known == prefix)?;
        let id = Uuid::parse_str(rest).ok()?;
        Some(Self { kind, id })
    }

    /// The entry about this record.
    pub(crate) fn noted(self, entry: Entry) -> Entry {
        entry.about(KINDS[self.kind].0, self.id)
    }
}

/// Ids that a caller named and that may be none of their tenant's.
#[derive(Debug)]
pub(crate) struct Suspicion {
    /// The caller's tenant.
    pub(crate) tenant: TenantId,
    /// Who asked, as entries name them.
    pub(crate) actor: String,
    /// The field that was asked for.
    pub(crate) operation: String,
    /// The request it was asked by.
    pub(crate) request_id: String,
    /// The ids.
    pub(crate) ids: Vec<NamedId>,
}

/// The task that looks.
pub(super) struct Watch {
    db: Db,
    recorder: Recorder,
    looked_up: HashMap<(TenantId, NamedId), Instant>,
    allowance: (f64, Instant),
    tenants: (Vec<Uuid>, Option<Instant>),
}

impl Watch {
    pub(super) fn new(db: Db, recorder: Recorder) -> Self {
        Self {
            db,
            recorder,
            looked_up: HashMap::new(),
            allowance: (2.0 * IDS_PER_SECOND, Instant::now()),
            tenants: (Vec::new(), None),
        }
    }

    pub(super) async fn run(mut self, mut queue: mpsc::Receiver<Suspicion>) {
        while let Some(mut suspicion) = queue.recv().await {
            let now = Instant::now();
            self.looked_up
                .retain(|_, at| now.duration_since(*at) < REMEMBERED_FOR);
            suspicion.ids.truncate(MOST_IDS);
            let tenant = suspicion.tenant;
            suspicion
                .ids
                .retain(|id| !self.looked_up.contains_key(&(tenant, *id)));
            suspicion.ids.sort_unstable();
            suspicion.ids.dedup();
            let allowed = self.spend(suspicion.ids.len(), now);
            if allowed < suspicion.ids.len() {
                tracing::debug!(
                    count = suspicion.ids.len() - allowed,
                    "unknown ids not looked up"
                );
                suspicion.ids.truncate(allowed);
            }
            let looked_up = suspicion.ids.iter().map(|id| ((tenant, *id), now));
            self.looked_up.extend(looked_up);
            if let Err(error) = self.look(&suspicion).await {
                tracing::debug!(%error, "unknown ids not looked up");
            }
        }
    }

    /// How many of so many ids may be looked up now.
    fn spend(&mut self, wanted: usize, now: Instant) -> usize {
        let (left, at) = self.allowance;
        let earned = now.duration_since(at).as_secs_f64() * IDS_PER_SECOND;
        let left = (left + earned).min(2.0 * IDS_PER_SECOND);
        let allowed = wanted.min(left as usize);
        self.allowance = (left - allowed as f64, now);
        allowed
    }

    async fn look(&mut self, suspicion: &Suspicion) -> Result<()> {
        let mut by_kind: HashMap<usize, Vec<Uuid>> = HashMap::new();
        for NamedId { kind, id } in &suspicion.ids {
            by_kind.entry(*kind).or_default().push(*id);
        }
        for (kind, mut ids) in by_kind {
            // Most ids that people name are their own tenant's, and cost no look at all others.
            let own = self.owners(kind, &ids, &[suspicion.tenant.uuid()]).await?;
            ids.retain(|id| own.iter().all(|(_, own)| own != id));
            if ids.is_empty() {
                continue;
            }
            let tenants = self.tenants().await?.to_vec();
            for tenants in tenants.chunks(TENANTS_AT_ONCE) {
                for (owner, id) in self.owners(kind, &ids, tenants).await? {
                    self.tell(suspicion, owner, NamedId { kind, id });
                }
            }
        }
        Ok(())
    }

    /// The owner hears of it, under a number that an operator finds the one who asked by.
    fn tell(&self, suspicion: &Suspicion, owner: TenantId, named: NamedId) {
        let attempt = crate::base::ids::mint().to_string();
        tracing::info!(
            attempt,
            tenant.id = %suspicion.tenant,
            actor = suspicion.actor,
            operation = suspicion.operation,
            request.id = suspicion.request_id,
            "a record of another tenant was asked for by its id"
        );
        // Neither who nor from where: that is the other tenant's. A request's id may be the client's own text.
        let entry = named.noted(Entry::new("outside", "access.foreign_id"));
        let entry = entry.noting("attempt", attempt);
        self.recorder
            .note(Whom::Tenant(owner), entry, Origin::process("audit"));
    }

    /// Which of these tenants have records with these ids.
    async fn owners(
        &self,
        kind: usize,
        ids: &[Uuid],
        tenants: &[Uuid],
    ) -> Result<Vec<(TenantId, Uuid)>> {
        let (_, table, column) = KINDS[kind];
        let mut tx = self.db.system(SystemReason::Audit).await?;
        let sql = Sql::new("SELECT o.tenant_id, o.")
            .push(column)
            .push(" FROM ")
            .push(table)
            .push(" o WHERE o.tenant_id = ANY(")
            .bind(tenants.to_vec())
            .push(") AND o.")
            .push(column)
            .push(" = ANY(")
            .bind(ids.to_vec())
            .push(")");
        tx.all(sql).await
    }

    /// All tenants, since the keys of all tables begin with them.
    async fn tenants(&mut self) -> Result<&[Uuid]> {
        let (_, known) = &self.tenants;
        if known.is_none_or(|at| at.elapsed() > TENANTS_FOR) {
            let mut tx = self.db.system(SystemReason::Audit).await?;
            let sql = Sql::new("SELECT o.tenant_id FROM tenants o");
            self.tenants = (tx.column(sql).await?, Some(Instant::now()));
        }
        Ok(&self.tenants.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_known_kinds_are_read() {
        let id = Uuid::nil();
        assert!(NamedId::parse(&format!("company:{id}")).is_some());
        for other in [
            String::new(),
            "company".to_owned(),
            format!("planet:{id}"),
            format!("company:{}", id.simple()),
            format!("company:{{{id}}}"),
            format!("company:{id}0"),
        ] {
            assert_eq!(NamedId::parse(&other), None, "{other}");
        }
    }
}
