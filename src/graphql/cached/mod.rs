//! Answers to queries that were worked out before, by whomever of the same visibility class.
//!
//! An answer is found under who asks ([`crate::auth::Class`]), what is asked (document, operation, variables) and how far the kinds of
//! records are that it follows from ([`Dependencies`], [`Versions`]). These are asked of the database before anything
//! else is read, so an answer is at least as new as the numbers it is kept under, and nobody is ever answered with what
//! was true before they asked: but for those who say that it may be so many seconds old.

mod kinds;

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
    audit::Origin,
    auth::Actor,
    cache::{Answers, Found, Place},
    db::migrate::POLICIES,
    events::{Progress, Versions},
    telemetry::metrics::Metrics,
};
use kinds::Dependencies;

/// What is kept.
pub struct Caching {
    /// Where; without it everything is worked out anew.
    pub answers: Option<Answers>,
    /// What costs fewer points is worked out anew: finding it would take as long.
    pub from_points: u64,
}

/// How the one who asks wants to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// As quickly as can be, with what was true so long ago at the most (`Cache-Control: max-age`); usually now.
    Within(Duration),
    /// By asking the database, whatever is kept (`Cache-Control: no-cache`).
    Fresh,
    /// The same, and without keeping the answer (`Cache-Control: no-store`).
    Unkept,
}

/// Nobody is answered with what was true longer ago, whatever they wish.
pub(super) const OLDEST: Duration = Duration::from_secs(60);

/// What became of a request at the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Usage {
    /// Answered with what was kept, by this server or another, and was true so many whole seconds ago.
    Hit { age: u64 },
    /// Answered together with others who asked the same at the same time.
    Joined,
    /// Worked out, and kept unless it had errors or is too long.
    Miss { is_kept: bool },
    /// Worked out without looking, for this reason.
    Bypass(Bypass),
}

/// Why the cache was not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bypass {
    /// There is none.
    Off,
    /// The answer follows from more than records.
    Dependencies,
    /// Looking would take as long as answering.
    Cheap,
    /// The client asked for it.
    Wish,
    /// The database did not say how far it is.
    Unknown,
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

    /// Runs it for all who ask the same, and notes how many objects that took.
    async fn make(&self, objects: &AtomicU64) -> Result<Bytes, Unkept> {
        let ran = self.run().await;
        objects.store(ran.objects, Ordering::Relaxed);
        ran.kept()
    }
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
        if let Wish::Within(age) = wish
            && let Some((text, age)) = self.of_late(&question, age).await
        {
            let usage = Usage::Hit { age: age.as_secs() };
            self.count(usage);
            return Answered {
                response: Response::new(Value::Binary(text)),
                objects: 0,
                usage: Some(usage),
            };
        }
        let placed = match wish {
            Wish::Within(_) | Wish::Fresh => self.place(&question, Duration::ZERO).await,
            Wish::Unkept => Err(Bypass::Wish),
        };
        let objects = AtomicU64::new(0);
        let (response, usage) = match placed {
            Err(bypass) => {
                let ran = question.run().await;
                objects.store(ran.objects, Ordering::Relaxed);
                (ran.response, Usage::Bypass(bypass))
            }
            Ok((place, _, answers)) if wish == Wish::Fresh => {
                let made = question.make(&objects).await;
                if let Ok(text) = &made {
                    answers.put(place, text.clone()).await;
                }
                (response(made), Usage::Bypass(Bypass::Wish))
            }
            Ok((place, _, answers)) => {
                let (answer, usage) = find(answers, place, (&question, &objects)).await;
                (response(answer), usage)
            }
        };
        self.count(usage);
        Answered {
            response,
            objects: objects.into_inner(),
            usage: Some(usage),
        }
    }

    /// An answer that was true so long ago at the most, if one is kept, and how long ago that is. A database that was asked
    /// since then how far it is is asked nothing.
    async fn of_late(&self, question: &Question<'_>, age: Duration) -> Option<(Bytes, Duration)> {
        if age.is_zero() {
            return None;
        }
        let (place, asked, answers) = self.place(question, age).await.ok()?;
        let text = answers.get(place).await?;
        Some((text, asked.elapsed()))
    }

    /// Where the answer to a question is kept that was true so long ago at the most, and when it was known to be; or why
    /// it is not kept.
    async fn place(
        &self,
        question: &Question<'_>,
        age: Duration,
    ) -> Result<(Place, Instant, &Answers), Bypass> {
        let Question {
            api,
            actor,
            prepared,
            price,
            ..
        } = question;
        let answers = self.caching.answers.as_ref().ok_or(Bypass::Off)?;
        if *price < self.caching.from_points {
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
        let known = self.progress.within(actor.tenant, age).await;
        let (asked, versions) = known.ok_or(Bypass::Unknown)?;
        let class = match depends.has_rights {
            true => actor.class(false),
            false => actor.reading_class(),
        };
        let variables = serde_json::to_vec(variables).map_err(|_| Bypass::Dependencies)?;
        let name = prepared.operation_name.as_deref().unwrap_or_default();
        let place = Place {
            question: digest([
                &self.schema,
                class.text().as_bytes(),
                &document.hash,
                name.as_bytes(),
                &variables,
            ]),
            stamp: digest([depends.stamp(&versions).as_bytes()]),
        };
        Ok((place, asked, answers))
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

async fn find(
    answers: &Answers,
    place: Place,
    (question, objects): (&Question<'_>, &AtomicU64),
) -> (Result<Bytes, Unkept>, Usage) {
    let (answer, found) = answers.get_or_make(place, question.make(objects)).await;
    match (answer, found) {
        (Ok(text), Found::Near | Found::Far) => (Ok(text), Usage::Hit { age: 0 }),
        (Ok(text), Found::Joined) => (Ok(text), Usage::Joined),
        (Ok(text), Found::Made) => (Ok(text), Usage::Miss { is_kept: true }),
        // What it says of somebody else is not said of this one.
        (Err(unkept), Found::Joined) if unkept.is_personal => {
            (question.make(objects).await, Usage::Miss { is_kept: false })
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
