//! Answers to queries that were worked out before, by whomever of the same visibility class.
//!
//! An answer is found under who asks ([`crate::access::Class`]), what is asked (document, operation, variables) and how far the kinds of
//! records are that it follows from ([`Dependencies`], [`Versions`]). These are asked of the database before anything
//! else is read, so an answer is at least as new as the numbers it is kept under, and nobody is ever answered with what
//! was true before they asked: but for those who say that it may be so many seconds old.

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

use super::{Answered, Api, Ran, documents::Prepared, http};
use crate::{
    access::Actor,
    base::ids::TenantId,
    db::{journal::Origin, migrate::POLICIES},
    events::{Progress, Versions},
    platform::{
        redis::{Answers, Found, Place},
        telemetry::metrics::Metrics,
    },
};
use dependencies::Dependencies;
pub(super) use status::{Bypass, OLDEST, Usage, Wish};

/// What is kept.
pub struct Caching {
    /// Where; without it everything is worked out anew.
    pub answers: Option<Answers>,
    /// What costs fewer points is worked out anew: finding it would take as long.
    pub from_points: u64,
}

/// The cache of answers.
pub(super) struct Cached {
    caching: Caching,
    progress: Progress,
    metrics: Arc<Metrics>,
    /// What the questions of servers begin with that answer alike.
    schema: [u8; 32],
}

/// What tells two builds apart that may answer differently.
fn build() -> String {
    let executable = std::env::current_exe().and_then(std::fs::metadata);
    let file = executable.and_then(|file| Ok((file.len(), file.modified()?)));
    format!("{} {:?}", env!("CARGO_PKG_VERSION"), file.ok())
}

/// What is asked, and who can answer it.
pub(super) struct Question<'a> {
    pub(super) api: &'a Api,
    pub(super) actor: &'a Arc<Actor>,
    pub(super) prepared: &'a Prepared,
    pub(super) origin: &'a Origin,
    pub(super) price: u64,
}

impl Question<'_> {
    async fn run(&self) -> Ran {
        let Self {
            api,
            actor,
            prepared,
            origin,
            ..
        } = self;
        api.execute(actor, prepared, origin).await
    }

    /// Runs it for all who ask the same, and notes how many points that took.
    async fn make(&self, points: &AtomicU64) -> Result<Bytes, Unkept> {
        let ran = self.run().await;
        points.store(ran.points, Ordering::Relaxed);
        ran.kept()
    }
}

/// Where all answers to a question are kept, of whichever state of the data.
struct Shelf<'a> {
    answers: &'a Answers,
    tenant: TenantId,
    question: [u8; 32],
    depends: Dependencies,
}

/// An answer that can't be kept.
#[derive(Clone)]
struct Unkept {
    data: Value,
    errors: Vec<ServerError>,
    /// Whether it says something of the one who asked.
    is_personal: bool,
}

impl Cached {
    /// A cache of the answers of servers with this schema.
    pub(super) fn new(
        caching: Caching,
        (progress, metrics): (Progress, Arc<Metrics>),
        sdl: &str,
    ) -> Self {
        let mut schema = Sha256::new_with_prefix(build());
        schema.update(sdl);
        for (_, policy) in POLICIES {
            schema.update(policy);
        }
        Self {
            caching,
            progress,
            metrics,
            schema: schema.finalize().into(),
        }
    }

    /// Answers a question with what is kept, or else by running it: once for all who ask it at the same time.
    pub(super) async fn answer(&self, question: Question<'_>, wish: Wish) -> Answered {
        let points = AtomicU64::new(0);
        let (response, usage) = match self.shelf(&question, wish) {
            Ok(shelf) => self.look(&shelf, (&question, &points), wish).await,
            Err(bypass) => bypassed(bypass, (&question, &points)).await,
        };
        self.count(usage);
        Answered {
            response,
            points: points.into_inner(),
            usage: Some(usage),
        }
    }

    /// Looks on the shelf, if the database says how far it is.
    async fn look(
        &self,
        shelf: &Shelf<'_>,
        (question, points): (&Question<'_>, &AtomicU64),
        wish: Wish,
    ) -> (Response, Usage) {
        if let Wish::Within(age) = wish
            && let Some((text, age)) = self.of_late(shelf, age).await
        {
            let age = age.as_secs();
            return (response(Ok(text)), Usage::Hit { age });
        }
        let Some((_, place)) = self.place(shelf, Duration::ZERO).await else {
            return bypassed(Bypass::Unknown, (question, points)).await;
        };
        if wish == Wish::Fresh {
            let made = question.make(points).await;
            if let Ok(text) = &made {
                shelf.answers.put(place, text.clone()).await;
            }
            return (response(made), Usage::Bypass(Bypass::Wish));
        }
        let (answer, usage) = find(shelf.answers, place, (question, points)).await;
        (response(answer), usage)
    }

    /// An answer that was true so long ago at the most, if one is kept, and how long ago that is. A database that was asked
    /// since then how far it is is asked nothing.
    async fn of_late(&self, shelf: &Shelf<'_>, age: Duration) -> Option<(Bytes, Duration)> {
        if age.is_zero() {
            return None;
        }
        let (asked, place) = self.place(shelf, age).await?;
        let text = shelf.answers.get(place).await?;
        Some((text, asked.elapsed()))
    }

    /// Where on the shelf an answer is that was true so long ago at the most, and when it was known to be; none when the
    /// database does not say.
    async fn place(&self, shelf: &Shelf<'_>, age: Duration) -> Option<(Instant, Place)> {
        let (asked, versions) = self.progress.within(shelf.tenant, age).await?;
        let place = Place {
            question: shelf.question,
            stamp: digest([shelf.depends.stamp(&versions).as_bytes()]),
        };
        Some((asked, place))
    }

    /// Where the answers to a question are kept, or why they are not.
    fn shelf(&self, question: &Question<'_>, wish: Wish) -> Result<Shelf<'_>, Bypass> {
        let Question {
            api,
            actor,
            prepared,
            price,
            ..
        } = question;
        if wish == Wish::Unkept {
            return Err(Bypass::Wish);
        }
        let answers = self.caching.answers.as_ref().ok_or(Bypass::Off)?;
        // Long texts are no work to find.
        let work = price.saturating_sub(prepared.measure.texts as u64);
        if work < self.caching.from_points {
            return Err(Bypass::Cheap);
        }
        let (document, variables) = (&prepared.document, &prepared.variables);
        let depends = Dependencies::of(
            &api.shape,
            &document.parsed,
            prepared.operation(),
            variables,
        );
        let depends = depends.ok_or(Bypass::Dependencies)?;
        let class = match depends.has_rights {
            true => actor.class(false),
            false => actor.reading_class(),
        };
        let variables = serde_json::to_vec(variables).map_err(|_| Bypass::Dependencies)?;
        let name = prepared.operation_name.as_deref().unwrap_or_default();
        Ok(Shelf {
            answers,
            tenant: actor.tenant,
            question: digest([
                &self.schema,
                class.text().as_bytes(),
                &document.hash,
                name.as_bytes(),
                &variables,
            ]),
            depends,
        })
    }

    fn count(&self, usage: Usage) {
        let counter = match usage {
            Usage::Hit { .. } | Usage::Joined => &self.metrics.cache_hits,
            Usage::Miss { .. } => &self.metrics.cache_misses,
            Usage::Bypass(_) => &self.metrics.cache_bypassed,
        };
        counter.inc();
    }
}

/// Works an answer out without looking, for a reason.
async fn bypassed(
    bypass: Bypass,
    (question, points): (&Question<'_>, &AtomicU64),
) -> (Response, Usage) {
    let ran = question.run().await;
    points.store(ran.points, Ordering::Relaxed);
    (ran.response, Usage::Bypass(bypass))
}

async fn find(
    answers: &Answers,
    place: Place,
    (question, points): (&Question<'_>, &AtomicU64),
) -> (Result<Bytes, Unkept>, Usage) {
    let (answer, found) = answers.get_or_make(place, question.make(points)).await;
    match (answer, found) {
        (Ok(text), Found::Near | Found::Far) => (Ok(text), Usage::Hit { age: 0 }),
        (Ok(text), Found::Joined) => (Ok(text), Usage::Joined),
        (Ok(text), Found::Made) => (Ok(text), Usage::Miss { is_kept: true }),
        // What it says of somebody else is not said of this one.
        (Err(unkept), Found::Joined) if unkept.is_personal => {
            (question.make(points).await, Usage::Miss { is_kept: false })
        }
        (Err(unkept), _) => {
            let unkept = Arc::try_unwrap(unkept).unwrap_or_else(|shared| (*shared).clone());
            (Err(unkept), Usage::Miss { is_kept: false })
        }
    }
}

impl Ran {
    /// Its text, if all who ask the same may be answered with it later.
    fn kept(self) -> Result<Bytes, Unkept> {
        let Self {
            response,
            is_personal,
            ..
        } = self;
        let is_plain = response.extensions.is_empty() && response.http_headers.is_empty();
        if response.errors.is_empty() && !is_personal && is_plain {
            let text = http::written(&response.data);
            if Answers::takes(&text) {
                return Ok(text);
            }
        }
        Err(Unkept {
            data: response.data,
            errors: response.errors,
            is_personal,
        })
    }
}

fn response(answer: Result<Bytes, Unkept>) -> Response {
    match answer {
        Ok(text) => Response::new(Value::Binary(text)),
        Err(unkept) => {
            let mut response = Response::new(unkept.data);
            response.errors = unkept.errors;
            response
        }
    }
}

impl Dependencies {
    /// A text that stays the same for as long as the answer does.
    fn stamp(&self, versions: &Versions) -> String {
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
