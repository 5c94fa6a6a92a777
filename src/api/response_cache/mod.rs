//! The response cache: responses to queries, shared by all actors of a visibility class.
//!
//! The key of an entry names the visibility class ([`crate::access::Class`]), the request (document, operation,
//! variables) and the versions of the kinds of records that the response depends on ([`Dependencies`], [`Versions`]).
//! The versions are read from the database before anything else, so a response is at least as current as the versions
//! in its key, and no caller gets a response that was out of date when they asked, unless `max-age` allows for it. What is
//! computed on a replica has in its key the versions that the replica's snapshot shows.

mod dependencies;
mod status;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_graphql::{Response, ServerError, Value};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::{
    documents::Prepared,
    execute::{Answered, Executed},
    http,
    shape::SchemaShape,
    staleness::{self, Seen},
};
use crate::{
    access::Actor,
    base::ids::TenantId,
    db::{Fallback, migrate::POLICIES},
    events::{VersionReader, Versions},
    platform::{
        redis::{CacheKey, Lookup, TieredCache},
        telemetry::metrics::Metrics,
    },
};
use dependencies::Dependencies;
pub(super) use status::{Bypass, CacheDirective, CacheStatus, MAX_AGE};

/// What is cached, and where.
pub struct CacheSettings {
    /// The entries; without them every response is computed.
    pub entries: Option<TieredCache>,
    /// Cheaper requests are always computed: a look-up would take as long.
    pub from_points: u64,
}

/// The response cache.
pub(super) struct ResponseCache {
    settings: CacheSettings,
    progress: VersionReader,
    metrics: Arc<Metrics>,
    shape: Arc<SchemaShape>,
    /// Equal for servers that give equal responses; a part of each key.
    build: [u8; 32],
}

/// What distinguishes two builds that may give different responses.
fn executable() -> String {
    let executable = std::env::current_exe().and_then(std::fs::metadata);
    let file = executable.and_then(|file| Ok((file.len(), file.modified()?)));
    format!("{} {:?}", env!("CARGO_PKG_VERSION"), file.ok())
}

/// A request to the cache.
#[derive(Clone, Copy)]
pub(super) struct CacheRequest<'a> {
    pub(super) actor: &'a Actor,
    pub(super) prepared: &'a Prepared,
    pub(super) price: u64,
    pub(super) directive: CacheDirective,
    pub(super) seen: Seen,
}

/// What there is to a request for the cache.
pub(super) struct Looked<'a> {
    cacheable: Result<Cacheable<'a>, Bypass>,
    /// Whether the response may be somewhat old and depends on nothing but records as they are at one instant.
    pub(super) follows_from_records: bool,
}

/// A request that can be served from the cache, without the version that completes its key.
struct Cacheable<'a> {
    entries: &'a TieredCache,
    tenant: TenantId,
    request: [u8; 32],
    dependencies: Dependencies,
}

/// A response that can't be cached.
#[derive(Clone)]
struct Uncacheable {
    data: Value,
    errors: Vec<ServerError>,
    /// Whether it concerns the one person that it was computed for.
    is_personal: bool,
    /// Why the replica failed that it was read from.
    interruption: Option<Fallback>,
}

/// Executes a request, and adds up the points that this came to.
struct Execution<F> {
    execute: F,
    points: AtomicU64,
}

impl<F> Execution<F> {
    fn of(execute: F) -> Self {
        Self {
            execute,
            points: AtomicU64::new(0),
        }
    }
}

impl<F, R> Execution<F>
where
    F: Fn() -> R,
    R: Future<Output = Executed>,
{
    async fn run(&self) -> Executed {
        let executed = (self.execute)().await;
        self.points.store(executed.points, Ordering::Relaxed);
        executed
    }

    async fn run_cacheable(&self) -> Result<Bytes, Uncacheable> {
        self.run().await.into_cacheable()
    }

    async fn bypass(&self, bypass: Bypass) -> (Response, CacheStatus) {
        (self.run().await.response, CacheStatus::Bypass(bypass))
    }
}

impl ResponseCache {
    /// A cache for servers with this schema.
    pub(super) fn new(
        settings: CacheSettings,
        progress: VersionReader,
        metrics: Arc<Metrics>,
        shape: Arc<SchemaShape>,
        sdl: &str,
    ) -> Self {
        let mut build = Sha256::new_with_prefix(executable());
        build.update(sdl);
        for (_, policy) in POLICIES.iter() {
            build.update(policy);
        }
        Self {
            settings,
            progress,
            metrics,
            shape,
            build: build.finalize().into(),
        }
    }

    /// How a request stands to the cache. What it depends on is worked out once, and only where somebody asks: for an entry,
    /// or for the replica, which takes cheap queries too.
    pub(super) fn look<'a>(&'a self, request: CacheRequest<'a>) -> Looked<'a> {
        let dependencies = || self.dependencies(request.prepared);
        let known = staleness::allowed(request.directive).map(|_| dependencies());
        let is_of_an_instant = |of: &Dependencies| !of.has_cursor;
        Looked {
            follows_from_records: known.iter().flatten().any(is_of_an_instant),
            cacheable: self.cacheable(request, || known.unwrap_or_else(dependencies)),
        }
    }

    /// The response to a request that was right so long ago at most and is cached, with no question to the database.
    pub(super) async fn respond_recent(
        &self,
        looked: &Looked<'_>,
        max_age: Duration,
    ) -> Option<Answered> {
        let cacheable = looked.cacheable.as_ref().ok()?;
        let (text, age) = self.recent(cacheable, max_age).await?;
        let age = age.as_secs();
        Some(self.answered(response(Ok(text)), 0, CacheStatus::Hit { age }))
    }

    /// The response to a request: from the cache, or else from `execute`, run once for all equal requests at a time.
    pub(super) async fn respond<R: Future<Output = Executed>>(
        &self,
        looked: &Looked<'_>,
        directive: CacheDirective,
        execute: impl Fn() -> R,
    ) -> Answered {
        let execution = Execution::of(execute);
        let (response, status) = match &looked.cacheable {
            Ok(cacheable) => self.look_up(cacheable, &execution, directive).await,
            Err(bypass) => execution.bypass(*bypass).await,
        };
        self.answered(response, execution.points.into_inner(), status)
    }

    /// The same for a request that is executed on a snapshot of the replica with these versions, which is what its entry
    /// has in its key. `is_exact` wants just what the snapshot shows: an entry may be somewhat newer than its key.
    ///
    /// # Errors
    /// Why the replica failed.
    pub(super) async fn respond_at<R: Future<Output = Executed>>(
        &self,
        looked: &Looked<'_>,
        (versions, age, is_exact): (&Versions, u64, bool),
        execute: impl Fn() -> R,
    ) -> Result<Answered, Fallback> {
        let execution = Execution::of(execute);
        let (found, status) = match &looked.cacheable {
            Ok(cacheable) => {
                let key = cacheable.key(versions);
                match is_exact {
                    false => find(cacheable.entries, key, age, &execution).await,
                    true => {
                        let computed = execution.run_cacheable().await;
                        let is_stored = computed.is_ok();
                        if let Ok(text) = &computed {
                            cacheable.entries.insert(key, text.clone()).await;
                        }
                        (computed, CacheStatus::Miss { is_stored })
                    }
                }
            }
            Err(bypass) => (
                execution.run_cacheable().await,
                CacheStatus::Bypass(*bypass),
            ),
        };
        if let Err(Uncacheable {
            interruption: Some(why),
            ..
        }) = found
        {
            return Err(why);
        }
        Ok(self.answered(response(found), execution.points.into_inner(), status))
    }

    /// Notes versions of a tenant that a replica has shown.
    pub(super) fn note_versions(&self, tenant: TenantId, as_of: Instant, of: &Arc<Versions>) {
        self.progress.note(tenant, as_of, of);
    }

    /// The last event of a tenant now; none if the database does not say.
    pub(super) async fn last_seq(&self, tenant: TenantId) -> Option<i64> {
        let versions = self.progress.of(tenant).await?;
        Some(versions.last_seq())
    }

    fn answered(&self, response: Response, points: u64, status: CacheStatus) -> Answered {
        self.count(status);
        Answered {
            cache: Some(status),
            ..Answered::uncached(response, points)
        }
    }

    async fn look_up<R: Future<Output = Executed>>(
        &self,
        cacheable: &Cacheable<'_>,
        execution: &Execution<impl Fn() -> R>,
        directive: CacheDirective,
    ) -> (Response, CacheStatus) {
        let Some((_, key)) = self.key(cacheable, Duration::ZERO).await else {
            return execution.bypass(Bypass::Unknown).await;
        };
        if directive == CacheDirective::NoCache {
            let computed = execution.run_cacheable().await;
            if let Ok(text) = &computed {
                cacheable.entries.insert(key, text.clone()).await;
            }
            return (response(computed), CacheStatus::Bypass(Bypass::Directive));
        }
        let (found, status) = find(cacheable.entries, key, 0, execution).await;
        (response(found), status)
    }

    /// An entry that was current at most so long ago, and how long ago that is. The database is not asked again for
    /// versions that were read since then.
    async fn recent(
        &self,
        cacheable: &Cacheable<'_>,
        max_age: Duration,
    ) -> Option<(Bytes, Duration)> {
        if max_age.is_zero() {
            return None;
        }
        let (read_at, key) = self.key(cacheable, max_age).await?;
        let text = cacheable.entries.get(key).await?;
        Some((text, read_at.elapsed()))
    }

    /// The key of the entry that was current at most so long ago, and when its versions were read; none when the
    /// database does not answer.
    async fn key(
        &self,
        cacheable: &Cacheable<'_>,
        max_age: Duration,
    ) -> Option<(Instant, CacheKey)> {
        let (read_at, versions) = self.progress.within(cacheable.tenant, max_age).await?;
        Some((read_at, cacheable.key(&versions)))
    }

    /// What the response to a query depends on, if that is records alone.
    fn dependencies(&self, prepared: &Prepared) -> Option<Dependencies> {
        let (document, variables) = (&prepared.document.parsed, &prepared.variables);
        Dependencies::of(&self.shape, document, prepared.operation(), variables)
    }

    /// The request as it is looked up, or why it is not.
    fn cacheable<'a>(
        &'a self,
        request: CacheRequest<'a>,
        dependencies: impl FnOnce() -> Option<Dependencies>,
    ) -> Result<Cacheable<'a>, Bypass> {
        let CacheRequest {
            actor,
            prepared,
            price,
            directive,
            ..
        } = request;
        if directive == CacheDirective::NoStore {
            return Err(Bypass::Directive);
        }
        let entries = self.settings.entries.as_ref().ok_or(Bypass::Off)?;
        // Long texts are no work to compute.
        let work = price.saturating_sub(prepared.measure.texts as u64);
        if work < self.settings.from_points {
            return Err(Bypass::Cheap);
        }
        let (document, variables) = (&prepared.document, &prepared.variables);
        let dependencies = dependencies().ok_or(Bypass::Dependencies)?;
        let class = match dependencies.has_rights {
            true => actor.class(false),
            false => actor.reading_class(),
        };
        let variables = serde_json::to_vec(variables).map_err(|_| Bypass::Dependencies)?;
        let name = prepared.operation_name.as_deref().unwrap_or_default();
        Ok(Cacheable {
            entries,
            tenant: actor.tenant,
            request: digest([
                &self.build,
                class.text().as_bytes(),
                &document.hash,
                name.as_bytes(),
                &variables,
            ]),
            dependencies,
        })
    }

    fn count(&self, status: CacheStatus) {
        let counter = match status {
            CacheStatus::Hit { .. } | CacheStatus::Collapsed => &self.metrics.cache.hits,
            CacheStatus::Miss { .. } => &self.metrics.cache.misses,
            CacheStatus::Bypass(_) => &self.metrics.cache.bypassed,
        };
        counter.inc();
    }
}

async fn find<R: Future<Output = Executed>>(
    entries: &TieredCache,
    key: CacheKey,
    age: u64,
    execution: &Execution<impl Fn() -> R>,
) -> (Result<Bytes, Uncacheable>, CacheStatus) {
    let computed = execution.run_cacheable();
    let (found, lookup) = entries.get_or_compute(key, computed).await;
    match (found, lookup) {
        (Ok(text), Lookup::Local | Lookup::Remote) => (Ok(text), CacheStatus::Hit { age }),
        (Ok(text), Lookup::Coalesced) => (Ok(text), CacheStatus::Collapsed),
        (Ok(text), Lookup::Computed) => (Ok(text), CacheStatus::Miss { is_stored: true }),
        // A response that concerns another person is not for this one.
        (Err(uncacheable), Lookup::Coalesced) if uncacheable.is_personal => (
            execution.run_cacheable().await,
            CacheStatus::Miss { is_stored: false },
        ),
        (Err(uncacheable), _) => {
            let uncacheable =
                Arc::try_unwrap(uncacheable).unwrap_or_else(|shared| (*shared).clone());
            (Err(uncacheable), CacheStatus::Miss { is_stored: false })
        }
    }
}

impl Executed {
    /// Its text, if equal requests may be served with it.
    fn into_cacheable(self) -> Result<Bytes, Uncacheable> {
        let Self {
            response,
            is_personal,
            interruption,
            ..
        } = self;
        let is_plain = response.extensions.is_empty() && response.http_headers.is_empty();
        let is_whole = response.errors.is_empty() && interruption.is_none();
        if is_whole && !is_personal && is_plain {
            let text = http::written(&response.data);
            if TieredCache::accepts(&text) {
                return Ok(text);
            }
        }
        Err(Uncacheable {
            data: response.data,
            errors: response.errors,
            is_personal,
            interruption,
        })
    }
}

fn response(found: Result<Bytes, Uncacheable>) -> Response {
    match found {
        Ok(text) => Response::new(Value::Binary(text)),
        Err(uncacheable) => {
            let mut response = Response::new(uncacheable.data);
            response.errors = uncacheable.errors;
            response
        }
    }
}

impl Cacheable<'_> {
    /// The key of its entry at these versions.
    fn key(&self, versions: &Versions) -> CacheKey {
        CacheKey {
            request: self.request,
            version: digest([self.dependencies.version(versions).as_bytes()]),
        }
    }
}

impl Dependencies {
    /// A text that stays the same for as long as the response does.
    fn version(&self, versions: &Versions) -> String {
        let kinds = versions.of(self.kinds.iter().copied());
        match self.has_cursor {
            true => versions.of_all() + &kinds,
            false => kinds,
        }
    }
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
