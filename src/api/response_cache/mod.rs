//! The response cache: responses to queries, shared by all actors of a visibility class.
//!
//! The key of an entry names the visibility class ([`crate::access::Class`]), the request (document, operation,
//! variables) and the versions of the kinds of records that the response depends on ([`Dependencies`], [`Versions`]).
//! The versions are read from the database before anything else, so a response is at least as current as the versions
//! in its key, and no caller gets a response that was out of date when they asked, unless `max-age` allows for it.

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
};
use crate::{
    access::Actor,
    base::ids::TenantId,
    db::migrate::POLICIES,
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
}

/// Executes a request, and adds up the points that this came to.
struct Execution<F> {
    execute: F,
    points: AtomicU64,
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

    /// The response to a request: from the cache, or else from `execute`, run once for all equal requests at a time.
    pub(super) async fn respond<R: Future<Output = Executed>>(
        &self,
        request: CacheRequest<'_>,
        execute: impl Fn() -> R,
    ) -> Answered {
        let execution = Execution {
            execute,
            points: AtomicU64::new(0),
        };
        let (response, status) = match self.cacheable(request) {
            Ok(cacheable) => {
                let directive = request.directive;
                self.look_up(&cacheable, &execution, directive).await
            }
            Err(bypass) => execution.bypass(bypass).await,
        };
        self.count(status);
        Answered {
            response,
            points: execution.points.into_inner(),
            cache: Some(status),
        }
    }

    async fn look_up<R: Future<Output = Executed>>(
        &self,
        cacheable: &Cacheable<'_>,
        execution: &Execution<impl Fn() -> R>,
        directive: CacheDirective,
    ) -> (Response, CacheStatus) {
        if let CacheDirective::MaxAge(age) = directive
            && let Some((text, age)) = self.recent(cacheable, age).await
        {
            let age = age.as_secs();
            return (response(Ok(text)), CacheStatus::Hit { age });
        }
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
        let (found, status) = find(cacheable.entries, key, execution).await;
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
        let key = CacheKey {
            request: cacheable.request,
            version: digest([cacheable.dependencies.version(&versions).as_bytes()]),
        };
        Some((read_at, key))
    }

    /// The request as it is looked up, or why it is not.
    fn cacheable(&self, request: CacheRequest<'_>) -> Result<Cacheable<'_>, Bypass> {
        let CacheRequest {
            actor,
            prepared,
            price,
            directive,
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
        let dependencies = Dependencies::of(
            &self.shape,
            &document.parsed,
            prepared.operation(),
            variables,
        );
        let dependencies = dependencies.ok_or(Bypass::Dependencies)?;
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
    execution: &Execution<impl Fn() -> R>,
) -> (Result<Bytes, Uncacheable>, CacheStatus) {
    let computed = execution.run_cacheable();
    let (found, lookup) = entries.get_or_compute(key, computed).await;
    match (found, lookup) {
        (Ok(text), Lookup::Local | Lookup::Remote) => (Ok(text), CacheStatus::Hit { age: 0 }),
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
            ..
        } = self;
        let is_plain = response.extensions.is_empty() && response.http_headers.is_empty();
        if response.errors.is_empty() && !is_personal && is_plain {
            let text = http::written(&response.data);
            if TieredCache::accepts(&text) {
                return Ok(text);
            }
        }
        Err(Uncacheable {
            data: response.data,
            errors: response.errors,
            is_personal,
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
