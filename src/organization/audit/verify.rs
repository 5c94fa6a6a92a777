//! Proving that a log is as it was written: nothing changed, missing, inserted, swapped or cut off.
//!
//! What it can't see by itself is a log whose rows and head were all computed anew, or cut off together with the head:
//! an auditor who keeps a head elsewhere can.

use std::{fmt, str::FromStr};

use sha2::{Digest as _, Sha256};

use crate::{
    base::{
        error::{Error, Result},
        ids::TenantId,
    },
    db::{Db, Sql, SystemReason, journal::chain::Row},
    platform::Progress,
};

/// Rows that are read at once.
const BATCH: i64 = 5_000;

/// Where a log ends: the number of its last entry and the hash of all up to it. Written `seq:hash`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    seq: i64,
    hash: Vec<u8>,
}

/// A head that is not of the form `seq:hash`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a head like 1234:9f86d0…, as `dealgraph audit verify` prints it")]
pub struct BadHead;

/// How a log differs from what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// These entries are gone.
    Missing {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// One of these entries, which were written together, is not as it was written, or stands where another did.
    Changed {
        /// The first of them.
        from: i64,
        /// The last of them.
        to: i64,
    },
    /// This entry was never counted.
    Inserted {
        /// Its number.
        seq: i64,
    },
    /// The tenant's counter does not say what the entries come to.
    Head,
    /// The log does not contain the head that was kept elsewhere.
    Kept {
        /// Its number.
        seq: i64,
    },
}

/// What was found of a tenant's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The tenant's slug.
    pub tenant: String,
    /// Its head, or the first place where it is broken.
    pub outcome: Result<Head, Broken>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.seq)?;
        self.hash
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Head {
    type Err = BadHead;
    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (seq, hash) = text.split_once(':').ok_or(BadHead)?;
        let seq = seq.parse().map_err(|_| BadHead)?;
        let is_hash = hash.is_ascii() && (hash.len() == 64 || seq == 0 && hash.is_empty());
        if !is_hash || seq < 0 {
            return Err(BadHead);
        }
        let bytes = (0..hash.len()).step_by(2);
        let hash = bytes.map(|at| u8::from_str_radix(&hash[at..at + 2], 16));
        Ok(Self {
            seq,
            hash: hash.collect::<Result<_, _>>().map_err(|_| BadHead)?,
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { from, to } if from == to => write!(f, "entry {from} is missing"),
            Self::Missing { from, to } => write!(f, "entries {from} to {to} are missing"),
            Self::Changed { from, to } if from == to => {
                write!(f, "entry {from} is not as it was written")
            }
            Self::Changed { from, to } => {
                write!(f, "an entry from {from} to {to} is not as it was written")
            }
            Self::Inserted { seq } => write!(f, "entry {seq} was never written by the server"),
            Self::Head => f.write_str("the tenant's counter does not fit the entries"),
            Self::Kept { seq } => write!(f, "it does not contain the head kept at entry {seq}"),
        }
    }
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(head) => write!(f, "ok      {} {head}", self.tenant),
            Err(broken) => write!(f, "BROKEN  {}: {broken}", self.tenant),
        }
    }
}

/// Verifies the logs of all tenants, or of the one with the slug, which may be held against a head kept elsewhere.
///
/// # Errors
/// `NOT_FOUND` when no tenant has the slug, or the database.
pub async fn verify(
    db: &Db,
    slug: Option<&str>,
    kept: Option<&Head>,
    progress: &Progress,
) -> Result<Vec<Verified>> {
    let tenants = tenants(db, slug).await?;
    if slug.is_some() && tenants.is_empty() {
        return Err(Error::NotFound {
            kind: "tenant",
            field: "tenant",
        });
    }
    let mut found = Vec::with_capacity(tenants.len());
    for (tenant, slug) in tenants {
        let outcome = verify_one(db, tenant, &slug, kept, progress).await?;
        found.push(Verified {
            tenant: slug,
            outcome,
        });
    }
    progress.finish();
    Ok(found)
}

async fn tenants(db: &Db, slug: Option<&str>) -> Result<Vec<(TenantId, String)>> {
    let mut tx = db.system(SystemReason::Audit).await?;
    let sql = Sql::new("SELECT t.tenant_id, t.slug FROM tenants t");
    let sql = match slug {
        Some(slug) => sql.push(" WHERE t.slug = ").bind(slug.to_owned()),
        None => sql,
    };
    tx.all(sql.push(" ORDER BY t.slug")).await
}

async fn verify_one(
    db: &Db,
    tenant: TenantId,
    slug: &str,
    kept: Option<&Head>,
    progress: &Progress,
) -> Result<Result<Head, Broken>> {
    let Some((head, highest)) = head(db, tenant).await? else {
        return Ok(Err(Broken::Head));
    };
    progress.start(slug, usize::try_from(head.seq).unwrap_or_default());
    let mut chain = Chain::new(kept);
    let mut after = i64::MIN;
    loop {
        // A transaction of its own each, so that a long log holds no snapshot for minutes.
        let rows = rows(db, tenant, (after, head.seq)).await?;
        let Some((last, _, _)) = rows.last() else {
            break;
        };
        after = *last;
        progress.advance(rows.len());
        for (seq, row, hash) in &rows {
            if let Err(broken) = chain.push(*seq, row, hash) {
                return Ok(Err(broken));
            }
        }
    }
    Ok(chain.end(&head).and_then(|()| match highest {
        Some(seq) if seq > head.seq => Err(Broken::Inserted { seq: head.seq + 1 }),
        _ => Ok(head),
    }))
}

/// The head, and the highest number of an entry: in one statement, because the log grows meanwhile.
async fn head(db: &Db, tenant: TenantId) -> Result<Option<(Head, Option<i64>)>> {
    let mut tx = db.system(SystemReason::Audit).await?;
    let sql = Sql::new(
        "SELECT s.last_audit, s.audit_hash, (SELECT a.seq FROM audit_log a WHERE a.tenant_id = ",
    )
    .bind(tenant)
    .push(" ORDER BY a.seq DESC LIMIT 1) FROM tenant_seq s WHERE s.tenant_id = ")
    .bind(tenant);
    let found = tx.optional::<(i64, Vec<u8>, Option<i64>)>(sql).await?;
    Ok(found.map(|(seq, hash, highest)| (Head { seq, hash }, highest)))
}

type HashedRow = (i64, Row, Vec<u8>);

async fn rows(db: &Db, tenant: TenantId, (after, to): (i64, i64)) -> Result<Vec<HashedRow>> {
    #[derive(sqlx::FromRow)]
    struct Stored {
        seq: i64,
        #[sqlx(flatten)]
        row: Row,
        hash: Vec<u8>,
    }
    let mut tx = db.system(SystemReason::Audit).await?;
    let sql = Sql::new(
        "SELECT seq, audit_id, occurred_at, actor, action, entity, entity_id, changes, address, user_agent, \
         request_id, hash FROM audit_log WHERE tenant_id = ",
    )
    .bind(tenant)
    .push(" AND seq > ")
    .bind(after)
    .push(" AND seq <= ")
    .bind(to)
    .push(" ORDER BY seq LIMIT ")
    .bind(BATCH);
    let stored = tx.all::<Stored>(sql).await?;
    let written = stored.into_iter().map(|of| (of.seq, of.row, of.hash));
    Ok(written.collect())
}

/// Recomputes a chain, row by row. Rows with the same hash are one link.
struct Chain<'k> {
    done: Head,
    link: Option<ChainLink>,
    kept: Option<&'k Head>,
}

struct ChainLink {
    from: i64,
    to: i64,
    hash: Vec<u8>,
    digest: Sha256,
}

impl<'k> Chain<'k> {
    fn new(kept: Option<&'k Head>) -> Self {
        Self {
            done: Head::default(),
            link: None,
            kept,
        }
    }

    fn push(&mut self, seq: i64, row: &Row, hash: &[u8]) -> Result<(), Broken> {
        let expected = self.link.as_ref().map_or(self.done.seq, |link| link.to) + 1;
        if seq < expected {
            return Err(Broken::Inserted { seq });
        }
        if seq > expected {
            return Err(Broken::Missing {
                from: expected,
                to: seq - 1,
            });
        }
        if self.link.as_ref().is_some_and(|link| link.hash != hash) {
            self.close()?;
        }
        let link = self.link.get_or_insert_with(|| ChainLink {
            from: seq,
            to: seq,
            hash: hash.to_vec(),
            digest: Sha256::new(),
        });
        link.to = seq;
        row.feed(&mut link.digest);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Broken> {
        let Some(link) = self.link.take() else {
            return Ok(());
        };
        let mut next = Sha256::new();
        next.update(&self.done.hash);
        next.update(link.digest.finalize());
        if next.finalize()[..] != link.hash[..] {
            return Err(Broken::Changed {
                from: link.from,
                to: link.to,
            });
        }
        self.done = Head {
            seq: link.to,
            hash: link.hash,
        };
        match self.kept {
            Some(kept) if (link.from..=link.to).contains(&kept.seq) && *kept != self.done => {
                Err(Broken::Kept { seq: kept.seq })
            }
            _ => Ok(()),
        }
    }

    fn end(mut self, head: &Head) -> Result<(), Broken> {
        self.close()?;
        if self.done.seq < head.seq {
            return Err(Broken::Missing {
                from: self.done.seq + 1,
                to: head.seq,
            });
        }
        if self.done != *head {
            return Err(Broken::Head);
        }
        match self.kept {
            Some(kept) if kept.seq > head.seq => Err(Broken::Kept { seq: kept.seq }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_and_nothing_else_is_one() {
        let head = Head {
            seq: 12,
            hash: (0..32).collect(),
        };
        assert_eq!(head.to_string().parse(), Ok(head.clone()));
        assert_eq!(Head::default().to_string().parse(), Ok(Head::default()));
        let text = head.to_string();
        let not_hex = format!("{}zz", &text[..text.len() - 2]);
        let not_ascii = format!("{}é", &text[..text.len() - 2]);
        for bad in [
            "",
            "12",
            "12:",
            &text[..20],
            "x:00",
            &format!("-{text}"),
            &not_hex,
            &not_ascii,
        ] {
            assert_eq!(bad.parse::<Head>(), Err(BadHead), "{bad}");
        }
    }
}
