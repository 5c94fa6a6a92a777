//! Reading what a plan asks for, level by level: one statement for each list and each link.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::plan::{ColumnSet, Level, LinkPlan, ListPlan, Naming, ProjectionPlan, Root};
use crate::{
    base::error::Result,
    db::{
        ReadTx,
        list::{self, Count, LeanRow},
    },
};

/// What was read for a plan.
pub(super) enum Fetched {
    Record(Linked),
    Page(FetchedPages),
}

/// Rows of a level, with what they link to and list, in the order of the level's links and lists.
pub(super) struct FetchedRows {
    pub(super) rows: Vec<Arc<LeanRow>>,
    pub(super) links: Vec<Linked>,
    pub(super) lists: Vec<FetchedPages>,
}

/// The records that rows name.
pub(super) struct Linked {
    pub(super) rows: FetchedRows,
    /// For each row which of these it names; none when it names none that the actor sees.
    pub(super) places: Vec<Option<usize>>,
}

/// The pages below rows.
pub(super) struct FetchedPages {
    /// The rows of all pages, one page after the other.
    pub(super) rows: FetchedRows,
    /// For each parent which of these are its own.
    pub(super) extents: Vec<Extent>,
}

/// Where a page lies among the rows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    pub(super) first: usize,
    pub(super) len: usize,
    pub(super) has_previous: bool,
    pub(super) has_next: bool,
    pub(super) count: Count,
}

impl Fetched {
    /// Whether nothing was found at all.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Record(linked) => linked.rows.rows.is_empty(),
            Self::Page(pages) => pages.rows.rows.is_empty(),
        }
    }
}

/// Rows that a request has looked up by their ids, and ids that it found nothing for.
#[derive(Default)]
pub(crate) struct RowCache(Mutex<HashMap<ColumnSet, RowsById>>);

type RowsById = HashMap<Uuid, Option<Arc<LeanRow>>>;

impl RowCache {
    /// Forgets them: something is about to be written.
    pub(crate) fn forget(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ColumnSet, RowsById>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unknown(&self, columns: &ColumnSet, ids: &[Uuid]) -> Vec<Uuid> {
        let all = self.all();
        let known = all.get(columns);
        let is_known = |id: &Uuid| known.is_some_and(|known| known.contains_key(id));
        ids.iter().filter(|id| !is_known(id)).copied().collect()
    }

    fn learn(&self, columns: &ColumnSet, ids: &[Uuid], rows: Vec<(Uuid, LeanRow)>) {
        let mut all = self.all();
        let known = all.entry(columns.clone()).or_default();
        known.extend(ids.iter().map(|id| (*id, None)));
        known.extend(rows.into_iter().map(|(id, row)| (id, Some(Arc::new(row)))));
    }

    fn rows(&self, columns: &ColumnSet, ids: &[Uuid]) -> Vec<Option<Arc<LeanRow>>> {
        let all = self.all();
        let known = all.get(columns);
        let row = |id: &Uuid| known.and_then(|known| known.get(id).cloned().flatten());
        ids.iter().map(row).collect()
    }
}

/// The place of a level's id among its columns.
pub(super) const ID: usize = 0;

/// Reads all of it.
pub(super) async fn fetch(
    tx: &mut ReadTx,
    plan: &ProjectionPlan,
    row_cache: &RowCache,
) -> Result<Fetched> {
    let fetcher = Fetcher {
        columns: &plan.columns,
        row_cache,
    };
    match &plan.root {
        Root::Record(id, link) => {
            let linked = fetcher.link(tx, link, vec![Some(*id)]).await?;
            Ok(Fetched::Record(linked))
        }
        Root::Page(below) => {
            let pages = fetcher.list(tx, below, &[Uuid::nil()]).await?;
            Ok(Fetched::Page(pages))
        }
    }
}

impl Naming {
    fn read(self, row: &LeanRow) -> Result<Option<Uuid>> {
        match self {
            Self::Id(at) => row.get(at),
            Self::Text(at, read) => Ok(row.get::<Option<&str>>(at)?.and_then(read)),
        }
    }
}

#[derive(Clone, Copy)]
struct Fetcher<'a> {
    columns: &'a [ColumnSet],
    row_cache: &'a RowCache,
}

impl<'a> Fetcher<'a> {
    async fn link(
        self,
        tx: &mut ReadTx,
        link: &'a LinkPlan,
        named: Vec<Option<Uuid>>,
    ) -> Result<Linked> {
        let columns = &self.columns[link.level.columns];
        let mut ids: Vec<Uuid> = named.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        let unknown = self.row_cache.unknown(columns, &ids);
        if !unknown.is_empty() {
            let rows = list::lean_many(tx, columns.of, &unknown, &columns.names).await?;
            let with_id = |row: LeanRow| Ok((row.get(ID)?, row));
            let rows = rows.into_iter().map(with_id).collect::<Result<_>>()?;
            self.row_cache.learn(columns, &unknown, rows);
        }
        let (mut rows, mut place_of) = (Vec::new(), HashMap::new());
        for (id, row) in ids.iter().zip(self.row_cache.rows(columns, &ids)) {
            if let Some(row) = row {
                place_of.insert(*id, rows.len());
                rows.push(row);
            }
        }
        let place = |id: Option<Uuid>| id.and_then(|id| place_of.get(&id).copied());
        Ok(Linked {
            places: named.into_iter().map(place).collect(),
            rows: self.below(tx, &link.level, rows).await?,
        })
    }

    async fn list(
        self,
        tx: &mut ReadTx,
        below: &'a ListPlan,
        parents: &[Uuid],
    ) -> Result<FetchedPages> {
        let columns = &self.columns[below.level.columns].names;
        let mut pages = below.source.read(tx, parents, columns).await?;
        let counts = match below.is_counted {
            true => below.source.count(tx, parents).await?,
            false => HashMap::new(),
        };
        let mut rows = Vec::new();
        let mut extents = Vec::with_capacity(parents.len());
        for parent in parents {
            let page = pages.remove(parent).unwrap_or_default();
            extents.push(Extent {
                first: rows.len(),
                len: page.items.len(),
                has_previous: page.has_previous,
                has_next: page.has_next,
                count: counts.get(parent).copied().unwrap_or_default(),
            });
            rows.extend(page.items.into_iter().map(Arc::new));
        }
        Ok(FetchedPages {
            extents,
            rows: self.below(tx, &below.level, rows).await?,
        })
    }

    /// Reads the links and lists of rows.
    fn below<'t>(
        self,
        tx: &'t mut ReadTx,
        level: &'a Level,
        rows: Vec<Arc<LeanRow>>,
    ) -> BoxFuture<'t, Result<FetchedRows>>
    where
        'a: 't,
    {
        Box::pin(async move {
            let (mut links, mut lists) = (Vec::new(), Vec::new());
            for link in &level.links {
                let named = rows.iter().map(|row| link.key.read(row));
                let named = named.collect::<Result<_>>()?;
                links.push(self.link(tx, link, named).await?);
            }
            if !level.lists.is_empty() {
                let parents = rows.iter().map(|row| row.get(ID));
                let parents = parents.collect::<Result<Vec<Uuid>>>()?;
                for below in &level.lists {
                    lists.push(self.list(tx, below, &parents).await?);
                }
            }
            Ok(FetchedRows { rows, links, lists })
        })
    }
}
