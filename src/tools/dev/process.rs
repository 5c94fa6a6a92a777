//! A server process that lives no longer than we do, and a log of what it said.
//!
//! Each child has a thread of its own, which forks it and then waits for it. That is not a luxury: the
//! kernel's "signal me when my parent dies" is bound to the *thread* that forked, so a child forked from a
//! runtime's thread would die whenever the runtime retires that thread.
//! A child is in a process group of its own, so that Ctrl-C reaches us and not it: we stop it in order.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child as StdChild, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};

use super::account::Account;
use super::error::DevError;
use super::leftover::PidFile;
use super::log::Log;

/// Signals from friendly to final, each with the time it gets. The first is also sent when we die.
pub(super) type Farewell = &'static [(Signal, Duration)];

/// What to run, and how to end it.
pub(super) struct Program {
    /// What it is called in messages.
    pub(super) name: &'static str,
    /// Arguments set; user, streams and group are set here.
    pub(super) command: Command,
    /// Where it runs and keeps its files.
    pub(super) folder: PathBuf,
    /// How it is asked to stop.
    pub(super) farewell: Farewell,
}

/// A running child. Dropping it asks it to stop without waiting.
pub(super) struct Child {
    name: &'static str,
    pid: Pid,
    folder: PathBuf,
    log: Log,
    exit: watch::Receiver<Option<ExitStatus>>,
    farewell: Farewell,
}

impl Child {
    /// Starts `program` as `account`, with its output appended to `log`, and notes its id in `pid_file`.
    ///
    /// # Errors
    /// [`DevError::Spawn`] when it cannot be run, [`DevError::File`] or [`DevError::DiskFull`] when its log
    /// or its id cannot be written.
    pub(super) async fn spawn(
        program: Program,
        account: Account,
        log: Log,
        pid_file: PidFile,
    ) -> Result<Self, DevError> {
        let Program {
            name,
            command,
            folder,
            farewell,
        } = program;
        let path = PathBuf::from(command.get_program());
        let mut command = tied_to_us(command, farewell[0].0);
        command.stdin(Stdio::null()).process_group(0);
        command.current_dir(&folder);
        command.stdout(log.writer()?).stderr(log.writer()?);
        account.apply(&mut command);

        let (born, birth) = oneshot::channel();
        let (ended, exit) = watch::channel(None);
        thread::Builder::new()
            .name(format!("wait-{name}"))
            .spawn(move || match start(&mut command, farewell[0].0) {
                Ok((mut child, watchdog)) => {
                    let _ = born.send(Ok(child.id()));
                    let status = child.wait();
                    drop(watchdog);
                    ended.send_replace(status.ok());
                }
                Err(cause) => drop(born.send(Err(cause))),
            })
            .map_err(|cause| DevError::Spawn {
                program: path.clone(),
                cause,
            })?;
        let pid = birth
            .await
            .map_err(|_gone| io::Error::other("its thread ended"))
            .and_then(|outcome| outcome)
            .map_err(|cause| DevError::Spawn {
                program: path,
                cause,
            })?;
        let child = Self {
            name,
            pid: Pid::from_raw(i32::try_from(pid).expect("process ids are positive ints")),
            folder,
            log,
            exit,
            farewell,
        };
        pid_file.write(child.pid)?;
        Ok(child)
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Waits for the end; `None` when it could not be learned how it ended.
    pub(super) async fn exited(&self) -> Option<ExitStatus> {
        let mut exit = self.exit.clone();
        // An error means that the waiting thread is gone, and with it the child.
        exit.wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|status| *status)
    }

    /// Waits for the end and returns it as the fault it is.
    pub(super) async fn died(&self) -> DevError {
        let how = self
            .exited()
            .await
            .map_or_else(|| "for an unknown reason".to_owned(), |how| how.to_string());
        DevError::died(self.name, how, &self.log, &self.folder)
    }

    /// The fault of a child that runs but does not answer.
    pub(super) fn not_ready(&self, waited: Duration) -> DevError {
        DevError::NotReady {
            server: self.name,
            seconds: waited.as_secs(),
            log: self.log.path().to_owned(),
            tail: self.log.tail(),
        }
    }

    /// Stops the child: asks, insists, kills. Returns when it is gone.
    pub(super) async fn stop(self) {
        for &(signal, patience) in self.farewell {
            self.send(signal);
            if tokio::time::timeout(patience, self.exited()).await.is_ok() {
                return;
            }
        }
    }

    fn send(&self, signal: Signal) {
        // Nothing can be done about a refusal: the child is gone, or not ours.
        if self.exit.borrow().is_none() && self.exit.has_changed().is_ok() {
            let _ = kill(self.pid, signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.send(self.farewell[0].0);
    }
}

/// Whether util-linux's `setpriv` is here and knows the flag (busybox has one that does not).
static SETPRIV: LazyLock<bool> = LazyLock::new(|| {
    Command::new("setpriv")
        .args(["--pdeathsig", "INT", "--", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
});

/// Wraps `command` so that the kernel sends it `signal` when we die, however we die.
fn tied_to_us(command: Command, signal: Signal) -> Command {
    if !*SETPRIV {
        return command;
    }
    let mut tied = Command::new("setpriv");
    tied.args(["--pdeathsig", signal_name(signal), "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    tied
}

/// Forks, and where the kernel does not watch over us, a watchdog does.
fn start(command: &mut Command, signal: Signal) -> io::Result<(StdChild, Option<Watchdog>)> {
    let mut child = command.spawn()?;
    if *SETPRIV {
        return Ok((child, None));
    }
    match Watchdog::spawn(child.id(), signal) {
        Ok(watchdog) => Ok((child, Some(watchdog))),
        Err(cause) => {
            let _ = child.kill();
            let _ = child.wait();
            Err(cause)
        }
    }
}

/// A shell that reads from a pipe of ours, and signals the child when that ends because we did.
struct Watchdog(StdChild);

impl Watchdog {
    fn spawn(pid: u32, signal: Signal) -> io::Result<Self> {
        Command::new("/bin/sh")
            .args(["-c", r#"read -r _; kill -s "$1" "$2""#, "watchdog"])
            .args([signal_name(signal), &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map(Self)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Killed before its pipe closes, since the child's id may belong to another process by now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal_name(signal: Signal) -> &'static str {
    signal.as_str().trim_start_matches("SIG")
}
