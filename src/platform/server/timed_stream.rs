//! A stream with timeouts: against heads that trickle in, responses that the client does not read, and resets on
//! closing.
//!
//! hyper has one timer, for heads, and it also runs while a connection is idle between requests, which may take longer.
//! Timers are only made when the socket is not ready, so a request that arrives whole costs none.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::ServerLimits;
use super::connection_limiter::Ticket;

/// How long a closed connection is still read, so that a client that is sending gets the response: unread bytes would
/// turn the end of the connection into a reset, which discards the response.
const LINGER: Duration = Duration::from_secs(2);

const WAITING: u8 = 0;
const IN_HEAD: u8 = 1;
const IN_REQUEST: u8 = 2;
const UPGRADED: u8 = 3;

/// What a connection is doing; the stream and the service above it both update it.
#[derive(Debug)]
pub(super) struct Phase(AtomicU8);

impl Phase {
    /// A head is complete.
    pub(super) fn begin_request(&self) {
        self.set(IN_REQUEST);
    }

    /// The next bytes will be a head.
    pub(super) fn await_request(&self) {
        self.set(WAITING);
    }

    /// There will be no more requests.
    pub(super) fn upgrade(&self) {
        self.set(UPGRADED);
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }

    fn is(&self, phase: u8) -> bool {
        self.0.load(Ordering::Relaxed) == phase
    }
}

/// A TCP stream that closes on clients that hold it without using it.
#[derive(Debug)]
pub(super) struct TimedStream {
    stream: TcpStream,
    phase: Arc<Phase>,
    limits: Arc<ServerLimits>,
    head_began: Instant,
    head_timer: LazyTimer,
    write_timer: LazyTimer,
    backlog: Option<Backlog>,
    linger_timer: LazyTimer,
    linger_until: Option<Instant>,
    has_ended: bool,
    _ticket: Ticket,
}

impl TimedStream {
    /// A new connection has to send its first head at once.
    pub(super) fn new(stream: TcpStream, ticket: Ticket, limits: Arc<ServerLimits>) -> Self {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(error = %error, "a connection keeps its delay");
        }
        Self {
            stream,
            phase: Arc::new(Phase(AtomicU8::new(IN_HEAD))),
            limits,
            head_began: Instant::now(),
            head_timer: LazyTimer::default(),
            write_timer: LazyTimer::default(),
            backlog: None,
            linger_timer: LazyTimer::default(),
            linger_until: None,
            has_ended: false,
            _ticket: ticket,
        }
    }

    pub(super) fn phase(&self) -> Arc<Phase> {
        Arc::clone(&self.phase)
    }

    fn note_read(&mut self, bytes: usize) {
        self.has_ended |= bytes == 0;
        if self.phase.is(WAITING) {
            self.phase.set(IN_HEAD);
            self.head_began = Instant::now();
            self.head_timer.stop();
        }
    }

    /// A client that does not read must read some bytes before the timer expires, and on average not too few: one that
    /// reads a byte now and then would hold a response for days.
    fn timed_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(written) = &written {
            self.write_timer.stop();
            if let (Ok(bytes), Some(backlog)) = (written, &mut self.backlog) {
                backlog.taken += *bytes;
            }
        } else {
            let backlog = self.backlog.get_or_insert_with(Backlog::default);
            let deadline = || backlog.deadline(&self.limits);
            ready!(self.write_timer.poll(cx, deadline));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        written
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        match read {
            Poll::Ready(Ok(())) => this.note_read(buffer.filled().len() - before),
            Poll::Ready(Err(_)) => {}
            Poll::Pending if this.phase.is(IN_HEAD) => {
                let deadline = this.head_began + this.limits.header_timeout;
                ready!(this.head_timer.poll(cx, || deadline));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            Poll::Pending => {}
        }
        read
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.timed_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.timed_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// After a flush there is nothing left to write.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.backlog = None;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    /// Shuts down writing, and then reads what the client still sends, for a moment.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        let deadline = *this
            .linger_until
            .get_or_insert_with(|| Instant::now() + LINGER);
        // A sender that is always ready never lets tokio's timers fire, so the time is checked as well.
        this.has_ended |= Instant::now() >= deadline;
        let mut scratch = [0_u8; 4 * 1024];
        while !this.has_ended {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) => this.has_ended = buffer.filled().is_empty(),
                Poll::Ready(Err(_)) => this.has_ended = true,
                Poll::Pending => {
                    ready!(this.linger_timer.poll(cx, || deadline));
                    this.has_ended = true;
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What a client has not read at once.
#[derive(Debug)]
struct Backlog {
    since: Instant,
    /// Bytes that it has read of it.
    taken: usize,
}

impl Default for Backlog {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            taken: 0,
        }
    }
}

impl Backlog {
    /// When more of it has to be read.
    fn deadline(&self, limits: &ServerLimits) -> Instant {
        let earned = self.taken as f64 / f64::from(limits.min_write_rate.max(1));
        let on_the_whole = self.since + limits.write_timeout + Duration::from_secs_f64(earned);
        on_the_whole.min(Instant::now() + limits.write_timeout)
    }
}

/// A timer that is only made when the stream has to wait.
#[derive(Debug, Default)]
struct LazyTimer(Option<Pin<Box<Sleep>>>);

impl LazyTimer {
    /// Waits for the deadline, which is asked for once.
    fn poll(&mut self, cx: &mut Context<'_>, deadline: impl FnOnce() -> Instant) -> Poll<()> {
        self.0
            .get_or_insert_with(|| Box::pin(sleep_until(deadline())))
            .as_mut()
            .poll(cx)
    }

    fn stop(&mut self) {
        self.0 = None;
    }
}
