//! What a request carries: the actor, its snapshot of the database and its loaders. Nothing of it outlives the request.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU32, AtomicU64, Ordering},
};

use async_graphql::ContextBase;
use uuid::Uuid;

use super::{
    loaders::Loaders,
    meter::{Meter, READ_FOR_WRITTEN},
    projection::RowCache,
    written::Written,
};
use crate::{
    access::{Actor, Sensitivity},
    base::error::{Error, Result},
    db::{
        Db, Fallback, ReadSession, ReadTx, Tx,
        journal::{Committed, Origin, Recorder, RequestWork},
        list::{Count, ListQuery, Page, Record, Relation},
    },
};

/// The context of one request, in its data as `Arc<RequestContext>`.
pub struct RequestContext {
    actor: Arc<Actor>,
    db: Db,
    session: Arc<ReadSession>,
    loaders: Loaders,
    row_cache: RowCache,
    origin: Origin,
    recorder: Recorder,
    written: AtomicU32,
    written_objects: AtomicU64,
    meter: Meter,
    slips: Mutex<Slips>,
}

/// What a [`RequestContext`] is made from, beside the actor.
pub(crate) struct RequestParts {
    /// The database.
    pub(crate) db: Db,
    /// Where audit entries go that no transaction records.
    pub(crate) recorder: Recorder,
    /// Where the request comes from.
    pub(crate) origin: Origin,
    /// The largest response, in bytes.
    pub(crate) response_bytes: usize,
}

/// What went wrong for the caller; a client may not have selected the errors, so the response need not say it.
#[derive(Debug, Default)]
pub(crate) struct Slips {
    /// Why writes were refused, in their order.
    pub(crate) refused: Vec<String>,
    /// Whether a write named a record that is not there, or a list was empty.
    pub(crate) absent: bool,
}

impl RequestContext {
    /// A request of an actor, with a snapshot of its own.
    pub(crate) fn new(actor: Arc<Actor>, parts: RequestParts) -> Self {
        let session = parts.db.read_session(Arc::clone(&actor));
        Self::reading(session, actor, parts)
    }

    /// A request of an actor that reads on this snapshot of the actor's.
    pub(crate) fn reading(session: ReadSession, actor: Arc<Actor>, parts: RequestParts) -> Self {
        let read_bytes = parts.response_bytes.saturating_mul(READ_FOR_WRITTEN);
        let session = Arc::new(session.within(read_bytes));
        Self {
            actor,
            db: parts.db,
            loaders: Loaders::new(Arc::clone(&session)),
            session,
            row_cache: RowCache::default(),
            origin: parts.origin,
            recorder: parts.recorder,
            written: AtomicU32::new(0),
            written_objects: AtomicU64::new(0),
            meter: Meter::new(parts.response_bytes),
            slips: Mutex::default(),
        }
    }

    /// On whose behalf.
    #[must_use]
    pub fn actor(&self) -> &Arc<Actor> {
        &self.actor
    }

    /// A sensitive value, if the actor is shown such values. Records that a write hands back were read without masks.
    #[must_use]
    pub fn unless_masked<T>(&self, what: Sensitivity, value: Option<T>) -> Option<T> {
        value.filter(|_| what.is_shown(&self.actor.rights))
    }

    /// Where the request comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Notes for the audit log what no transaction of the request records.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The database, for verbs that write more than one transaction or as the system.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// Reads on the request's snapshot.
    ///
    /// # Errors
    /// What `work` fails with, or the database.
    pub async fn read<T>(&self, work: impl AsyncFnOnce(&mut ReadTx) -> Result<T>) -> Result<T> {
        self.session.run(work).await
    }

    /// Whether the mutation is committed already under its idempotency key, so that [`Self::write`] runs nothing: what comes
    /// before it and can be done once only is left out then.
    #[must_use]
    pub fn is_committed(&self) -> bool {
        let request = self.origin.work.as_ref();
        request.is_some_and(|request| request.to_rebuild().is_some())
    }

    /// Runs one writing transaction. What is read after it is read from a fresh snapshot.
    ///
    /// Of a mutation that is committed already under its idempotency key nothing is run: what `work` came to is taken from
    /// the record as it is now.
    ///
    /// # Errors
    /// What `work` fails with, or the database; [`Error::AnswerLost`] for what is handed out only once.
    pub async fn write<T: Written>(
        &self,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        self.session.refresh().await;
        self.loaders.forget();
        self.row_cache.forget();
        if let Some(request) = self.origin.work.as_ref()
            && let Some(committed) = request.to_rebuild()
        {
            return self.rebuild(request, committed).await;
        }
        let counted = async |tx: &mut Tx| {
            let done = work(tx).await;
            self.written.fetch_add(tx.count(), Ordering::Relaxed);
            tx.note_subject(done.as_ref().ok().and_then(T::subject));
            done
        };
        let written = self.db.write(&self.actor, &self.origin, counted).await;
        match &written {
            Err(error @ Error::Forbidden(_)) => self.slips().refused.push(error.to_string()),
            Err(Error::NotFound { .. }) => self.found_nothing(),
            _ => {}
        }
        written
    }

    /// What a committed unit of work came to, read as one that writes reads it.
    async fn rebuild<T: Written>(&self, request: &RequestWork, committed: &Committed) -> Result<T> {
        let origin = Origin {
            work: None,
            ..self.origin.clone()
        };
        let subject = committed.subject.as_ref();
        let read = async |tx: &mut Tx| {
            let read = T::rebuild(tx, subject.map(|(kind, id)| (kind.as_str(), *id))).await;
            self.written.fetch_add(tx.count(), Ordering::Relaxed);
            read
        };
        let rebuilt = self.db.write(&self.actor, &origin, read).await?;
        rebuilt.ok_or_else(|| request.note_lost(T::LOST))
    }

    /// Notes that something was asked for that is not there.
    pub(super) fn found_nothing(&self) {
        self.slips().absent = true;
    }

    /// What went wrong so far.
    pub(crate) fn slips(&self) -> MutexGuard<'_, Slips> {
        self.slips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rows that the projection executor has read.
    pub(super) fn row_cache(&self) -> &RowCache {
        &self.row_cache
    }

    /// Loads a record by id, batched with all that the request asks for at the same time.
    ///
    /// # Errors
    /// The database.
    pub async fn load<R: Record>(&self, id: Option<Uuid>) -> Result<Option<Arc<R>>> {
        match id {
            Some(id) => self.loaders.by_id::<R>().load(id).await,
            None => Ok(None),
        }
    }

    /// Loads a parent's page of a relation; `place` is the field in the document, whose parents make one batch.
    pub(super) async fn load_page<R: Record>(
        &self,
        relation: &'static Relation,
        place: (usize, usize),
        parent: Uuid,
        query: &ListQuery<R>,
    ) -> Result<Arc<Page<Arc<R>>>> {
        self.loaders
            .pages(relation, place, query)
            .load(parent)
            .await
    }

    /// Counts a parent's rows of a relation, batched like [`Self::load_page`].
    pub(super) async fn load_count<R: Record>(
        &self,
        relation: &'static Relation,
        place: (usize, usize),
        parent: Uuid,
        query: &ListQuery<R>,
    ) -> Result<Count> {
        self.loaders
            .counts(relation, place, query)
            .load(parent)
            .await
    }

    /// Loads what is not a list of records, batched by a loader of the domain.
    ///
    /// # Errors
    /// The database.
    pub async fn load_with<L: super::loaders::Batch>(&self, key: Uuid) -> Result<L::Value> {
        self.loaders.custom::<L>().load(key).await
    }

    /// Notes objects that the projection executor has written into the response.
    pub(crate) fn note_written(&self, objects: u64) {
        self.written_objects.fetch_add(objects, Ordering::Relaxed);
    }

    /// How many objects the projection executor has written.
    pub(crate) fn written_objects(&self) -> u64 {
        self.written_objects.load(Ordering::Relaxed)
    }

    /// Counts bytes of the answer.
    ///
    /// # Errors
    /// `TooLarge` from when there are more than may be; then nothing more is read either.
    pub(super) fn count(&self, bytes: usize) -> Result<()> {
        self.meter.add(bytes).inspect_err(|_| self.session.stop())
    }

    /// Bytes that may still be written into the response.
    pub(super) fn bytes_left(&self) -> usize {
        self.meter.left()
    }

    /// Whether the answer comes to more than it may, or what is read for it does.
    pub(crate) fn is_too_large(&self) -> bool {
        self.meter.is_over() || self.session.is_stopped()
    }

    /// Bytes of the answer so far.
    pub(crate) fn size(&self) -> usize {
        self.meter.counted()
    }

    /// Why the replica failed that the request was reading from.
    pub(crate) fn interruption(&self) -> Option<Fallback> {
        self.session.interruption()
    }

    /// How long the request's snapshots were waited for, and how long the statements on them took.
    pub(crate) fn read_times(&self) -> (std::time::Duration, std::time::Duration) {
        self.session.times()
    }

    /// How many statements the request ran so far.
    #[must_use]
    pub fn statements(&self) -> u32 {
        self.session.statements() + self.written.load(Ordering::Relaxed)
    }
}

/// Reaching the request's context from a resolver.
pub trait ContextExt {
    /// The context of the request.
    fn request(&self) -> &RequestContext;
}

impl<T> ContextExt for ContextBase<'_, T> {
    fn request(&self) -> &RequestContext {
        // `Api::execute` is the only way to run a document with fields, and it always puts the context in.
        self.data_unchecked::<Arc<RequestContext>>()
    }
}
