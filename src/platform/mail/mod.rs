//! Sending mail through one small interface: by SMTP, into a folder for development and tests, or nowhere.
//!
//! [`Mailer::send`] never waits, so the time of a response does not disclose whether a mail went out. A mail that the
//! relay rejects for now is tried again twice; mails that are still queued at shutdown are sent before it ends.

mod folder;
mod letter;
mod smtp;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use lettre::message::Mailbox;
use tokio::{
    sync::{Semaphore, mpsc},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

pub use letter::letter;

use crate::{base::clock::Clock, platform::telemetry::metrics::ServiceMetrics};

/// So many mails wait to be sent; beyond them new ones are dropped, which is logged.
const QUEUE: usize = 1_024;
/// So many are on their way at once.
const AT_ONCE: usize = 4;
/// The pauses before a mail is tried again.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// The longest that queued mails delay the shutdown of the server.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(15);

/// A mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The address it goes to.
    pub to: String,
    /// What it is about, in one line.
    pub subject: String,
    /// The text for readers that show no HTML.
    pub text: String,
    /// The same as a page.
    pub html: Option<String>,
}

/// Where mails go.
#[derive(Debug, Clone)]
pub enum Way {
    /// To a relay: `smtps://user:password@host`, or `smtp://host?tls=required`.
    Smtp(smtp::Relay),
    /// Into files of a folder.
    Folder(PathBuf),
    /// Nowhere; the log says that there was one.
    Nowhere,
}

/// Why an address of mails can't be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct BadWay(String);

impl Way {
    /// Reads `smtp://…`, `smtps://…` or `file:///folder`.
    ///
    /// # Errors
    /// [`BadWay`].
    pub fn parse(address: &str) -> Result<Self, BadWay> {
        match address.strip_prefix("file://") {
            Some(folder) if folder.starts_with('/') => Ok(Self::Folder(folder.into())),
            Some(_) => Err(BadWay("a folder for mails needs a whole path".to_owned())),
            None => Ok(Self::Smtp(smtp::Relay::parse(address)?)),
        }
    }

    /// Whether mails would be taken: a relay is greeted and signed in at, a folder is looked for. Nothing is sent.
    ///
    /// # Errors
    /// Why not.
    pub async fn examine(&self) -> Result<(), String> {
        match self {
            Self::Smtp(relay) => relay.greet().await,
            Self::Folder(folder) => match tokio::fs::metadata(folder).await {
                Ok(found) if found.is_dir() => Ok(()),
                Ok(_) => Err("it is no folder".to_owned()),
                Err(error) => Err(error.to_string()),
            },
            Self::Nowhere => Ok(()),
        }
    }

    async fn carry(
        &self,
        from: &Mailbox,
        message: &Message,
        dispatch: Dispatch,
    ) -> Result<(), Failed> {
        match self {
            Self::Smtp(relay) => relay.send(from, message).await,
            Self::Folder(folder) => folder::write(folder, from, message, dispatch).await,
            Self::Nowhere => {
                tracing::warn!(
                    subject = message.subject,
                    "a mail was not sent: DEALGRAPH_MAIL_URL is not set"
                );
                Ok(())
            }
        }
    }
}

/// Where mails go, and from whom.
#[derive(Debug, Clone)]
pub struct Post {
    /// Where they go.
    pub way: Way,
    /// What they name as the sender.
    pub from: Mailbox,
}

impl Post {
    /// Sends one mail now, for an operator who asks whether that works.
    ///
    /// # Errors
    /// Why it did not go out.
    pub async fn try_to(&self, message: &Message, clock: &Clock) -> Result<(), String> {
        let dispatch = Dispatch {
            at: clock.now(),
            number: 0,
        };
        let sent = self.way.carry(&self.from, message, dispatch).await;
        sent.map_err(|failed| failed.to_string())
    }
}

/// When a mail was sent, and as which one of this process: what files are named by.
#[derive(Debug, Clone, Copy)]
struct Dispatch {
    at: chrono::DateTime<chrono::Utc>,
    number: u64,
}

/// Why a mail did not go out.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// Another try may help.
    #[error("{0}")]
    ForNow(String),
    /// No other try would.
    #[error("{0}")]
    ForGood(String),
}

/// Where mails are left. Clones leave them in the same place.
#[derive(Clone)]
pub struct Mailer {
    queue: mpsc::Sender<Message>,
    pending: Arc<AtomicU64>,
    metrics: ServiceMetrics,
}

/// The task that sends.
pub struct Sending {
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Mails that were taken and of which it is not known yet what becomes.
    pending: Arc<AtomicU64>,
    metrics: ServiceMetrics,
}

impl Mailer {
    /// Begins to send what is left here, in a task.
    #[must_use]
    pub fn start(post: Post, clock: Clock, metrics: ServiceMetrics) -> (Self, Sending) {
        Self::start_with(post, clock, metrics, PAUSES)
    }

    fn start_with(
        post: Post,
        clock: Clock,
        metrics: ServiceMetrics,
        pauses: [Duration; 2],
    ) -> (Self, Sending) {
        let (queue, messages) = mpsc::channel(QUEUE);
        let (stop, pending) = (CancellationToken::new(), Arc::<AtomicU64>::default());
        let courier = Courier {
            post,
            pauses,
            stop: stop.clone(),
            pending: Arc::clone(&pending),
            metrics: metrics.clone(),
        };
        let task = tokio::spawn(Arc::new(courier).send_all(clock, messages));
        let sending = Sending {
            stop,
            task,
            pending: Arc::clone(&pending),
            metrics: metrics.clone(),
        };
        let mailer = Self {
            queue,
            pending,
            metrics,
        };
        (mailer, sending)
    }

    /// Leaves a mail to be sent; never waits.
    pub fn send(&self, message: Message) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        if self.queue.try_send(message).is_err() {
            self.pending.fetch_sub(1, Ordering::Relaxed);
            self.metrics.note_mail("lost");
            tracing::error!("a mail was lost: too many are waiting");
        }
    }
}

impl Sending {
    /// Sends what is left and ends, within some seconds.
    pub async fn finish(self) {
        self.finish_within(SHUTDOWN_TIMEOUT).await;
    }

    async fn finish_within(self, patience: Duration) {
        self.stop.cancel();
        let abort = self.task.abort_handle();
        if tokio::time::timeout(patience, self.task).await.is_err() {
            abort.abort();
            let count = self.pending.swap(0, Ordering::Relaxed);
            for _ in 0..count {
                self.metrics.note_mail("lost");
            }
            tracing::error!(
                count,
                "mails were lost: they could not be sent before the end"
            );
        }
    }
}

/// Carries what is left at a [`Mailer`].
struct Courier {
    post: Post,
    /// How long it waits before each other try.
    pauses: [Duration; 2],
    stop: CancellationToken,
    pending: Arc<AtomicU64>,
    metrics: ServiceMetrics,
}

impl Courier {
    async fn send_all(self: Arc<Self>, clock: Clock, mut messages: mpsc::Receiver<Message>) {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut under_way = JoinSet::new();
        let mut number = 0;
        loop {
            let message = tokio::select! {
                message = messages.recv() => message,
                () = self.stop.cancelled(), if !messages.is_closed() => {
                    messages.close();
                    continue;
                }
            };
            let Some(message) = message else { break };
            let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
                break;
            };
            number += 1;
            let dispatch = Dispatch {
                at: clock.now(),
                number,
            };
            let courier = Arc::clone(&self);
            under_way.spawn(async move {
                courier.send(&message, dispatch).await;
                courier.pending.fetch_sub(1, Ordering::Relaxed);
                drop(turn);
            });
            while under_way.try_join_next().is_some() {}
        }
        under_way.join_all().await;
    }

    async fn send(&self, message: &Message, dispatch: Dispatch) {
        let Post { way, from } = &self.post;
        for pause in self.pauses.into_iter().map(Some).chain([None]) {
            let failed = match way.carry(from, message, dispatch).await {
                Ok(()) => {
                    self.metrics.note_mail("sent");
                    return;
                }
                Err(failed) => failed,
            };
            match (&failed, pause) {
                (Failed::ForNow(_), Some(pause)) => {
                    tracing::warn!(error = %failed, "a mail is tried again");
                    // At the end of the server there is one more try, at once.
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
                _ => {
                    self.metrics.note_mail("failed");
                    tracing::error!(error = %failed, subject = message.subject, "a mail could not be sent");
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
