//! Batching: what all resolvers of a level ask for becomes one statement per type. Loaders live for one request.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    marker::PhantomData,
    sync::{Arc, Mutex, PoisonError},
};

use dataloader::{BatchFn, cached, non_cached};
use uuid::Uuid;

use crate::{
    base::error::Result,
    db::{
        ReadSession, ReadTx,
        list::{self, Count, ListQuery, Page, Record, Relation},
    },
};

/// How often a waiting load gives way before the batch is read. With fewer, levels of more than thirty objects fall
/// into several batches; with ten, waiting costs more than it saves.
const YIELDS: usize = 3;
/// Keys per statement.
const MAX_BATCH: usize = 1000;

/// A domain's own batch: one statement for many keys.
pub trait Batch: Send + Sync + 'static {
    /// What is loaded for each key.
    type Value: Clone + Default + Send + Sync + 'static;
    /// Loads the values; keys without one get the default.
    fn load(
        tx: &mut ReadTx,
        keys: &[Uuid],
    ) -> impl Future<Output = Result<HashMap<Uuid, Self::Value>>> + Send;
}

/// All loaders of a request, made when first used.
pub(super) struct Loaders {
    session: Arc<ReadSession>,
    made: Mutex<HashMap<LoaderKey, Box<dyn Any + Send>>>,
}

#[derive(PartialEq, Eq, Hash)]
enum LoaderKey {
    ById(TypeId),
    Pages(&'static str, (usize, usize)),
    Counts(&'static str, (usize, usize)),
    Custom(TypeId),
}

pub(super) type ByIdLoader<R> = cached::Loader<Uuid, Result<Option<Arc<R>>>, ByIdBatch<R>>;
pub(super) type PagesLoader<R> = non_cached::Loader<Uuid, Result<Arc<Page<Arc<R>>>>, PagesBatch<R>>;
pub(super) type CountsLoader<R> = non_cached::Loader<Uuid, Result<Count>, CountsBatch<R>>;
pub(super) type CustomLoader<L> = cached::Loader<Uuid, Result<<L as Batch>::Value>, Custom<L>>;

impl Loaders {
    pub(super) fn new(session: Arc<ReadSession>) -> Self {
        Self {
            session,
            made: Mutex::default(),
        }
    }

    /// Drops all loaders and what they remember.
    pub(super) fn forget(&self) {
        self.made
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    pub(super) fn by_id<R: Record>(&self) -> ByIdLoader<R> {
        self.get(LoaderKey::ById(TypeId::of::<R>()), |session| {
            cached::Loader::new(ByIdBatch {
                session,
                record: PhantomData,
            })
            .with_yield_count(YIELDS)
            .with_max_batch_size(MAX_BATCH)
        })
    }

    pub(super) fn pages<R: Record>(
        &self,
        relation: &'static Relation,
        place: (usize, usize),
        query: &ListQuery<R>,
    ) -> PagesLoader<R> {
        self.get(LoaderKey::Pages(relation.name, place), |session| {
            non_cached::Loader::new(PagesBatch {
                session,
                relation,
                query: query.clone(),
            })
            .with_yield_count(YIELDS)
            .with_max_batch_size(MAX_BATCH)
        })
    }

    pub(super) fn counts<R: Record>(
        &self,
        relation: &'static Relation,
        place: (usize, usize),
        query: &ListQuery<R>,
    ) -> CountsLoader<R> {
        self.get(LoaderKey::Counts(relation.name, place), |session| {
            non_cached::Loader::new(CountsBatch {
                session,
                relation,
                query: query.clone(),
            })
            .with_yield_count(YIELDS)
            .with_max_batch_size(MAX_BATCH)
        })
    }

    pub(super) fn custom<L: Batch>(&self) -> CustomLoader<L> {
        self.get(LoaderKey::Custom(TypeId::of::<L>()), |session| {
            cached::Loader::new(Custom {
                session,
                batch: PhantomData,
            })
            .with_yield_count(YIELDS)
            .with_max_batch_size(MAX_BATCH)
        })
    }

    fn get<L: Clone + Send + 'static>(
        &self,
        key: LoaderKey,
        make: impl FnOnce(Arc<ReadSession>) -> L,
    ) -> L {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let loader = made
            .entry(key)
            .or_insert_with(|| Box::new(make(Arc::clone(&self.session))));
        loader
            .downcast_ref::<L>()
            .expect("a key names one type of loader")
            .clone()
    }
}

pub(super) struct ByIdBatch<R> {
    session: Arc<ReadSession>,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> BatchFn<Uuid, Result<Option<Arc<R>>>> for ByIdBatch<R> {
    async fn load(&mut self, keys: &[Uuid]) -> HashMap<Uuid, Result<Option<Arc<R>>>> {
        let found = self
            .session
            .run(async |tx| list::find_many::<R>(tx, keys).await)
            .await;
        let found = found.map(|records| {
            records
                .into_iter()
                .map(|r| (r.key(), Some(Arc::new(r))))
                .collect()
        });
        spread(keys, found)
    }
}

pub(super) struct PagesBatch<R: Record> {
    session: Arc<ReadSession>,
    relation: &'static Relation,
    query: ListQuery<R>,
}

impl<R: Record> BatchFn<Uuid, Result<Arc<Page<Arc<R>>>>> for PagesBatch<R> {
    async fn load(&mut self, keys: &[Uuid]) -> HashMap<Uuid, Result<Arc<Page<Arc<R>>>>> {
        let found = self
            .session
            .run(async |tx| list::pages(tx, self.relation, keys, &self.query).await)
            .await;
        let found = found.map(|pages| {
            pages
                .into_iter()
                .map(|(parent, page)| (parent, Arc::new(page)))
                .collect()
        });
        spread(keys, found)
    }
}

pub(super) struct CountsBatch<R: Record> {
    session: Arc<ReadSession>,
    relation: &'static Relation,
    query: ListQuery<R>,
}

impl<R: Record> BatchFn<Uuid, Result<Count>> for CountsBatch<R> {
    async fn load(&mut self, keys: &[Uuid]) -> HashMap<Uuid, Result<Count>> {
        let found = self
            .session
            .run(async |tx| list::counts(tx, self.relation, keys, &self.query).await)
            .await;
        spread(keys, found)
    }
}

pub(super) struct Custom<L> {
    session: Arc<ReadSession>,
    batch: PhantomData<fn() -> L>,
}

impl<L: Batch> BatchFn<Uuid, Result<L::Value>> for Custom<L> {
    async fn load(&mut self, keys: &[Uuid]) -> HashMap<Uuid, Result<L::Value>> {
        let found = self.session.run(async |tx| L::load(tx, keys).await).await;
        spread(keys, found)
    }
}

/// Gives every key its value, the default, or the batch's error.
fn spread<V: Clone + Default>(
    keys: &[Uuid],
    found: Result<HashMap<Uuid, V>>,
) -> HashMap<Uuid, Result<V>> {
    match found {
        Ok(mut found) => keys
            .iter()
            .map(|key| (*key, Ok(found.remove(key).unwrap_or_default())))
            .collect(),
        Err(error) => keys.iter().map(|key| (*key, Err(error.clone()))).collect(),
    }
}
