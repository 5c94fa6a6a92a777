//! Stopping processes in their tracks, as a machine does that is out of memory or frozen for a snapshot.

use std::collections::BTreeMap;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::Outcome;

/// What is stopped: a server by its number, or what they stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Process {
    Server(usize),
    Postgres,
    Redis,
}

/// Those that stand still, with the ids of all their processes.
#[derive(Default)]
pub(crate) struct Paused(BTreeMap<Process, Vec<Pid>>);

impl Paused {
    /// Stops a process and those that it has started.
    pub(crate) fn pause(&mut self, what: Process, pid: u32) -> Outcome<()> {
        let all = family(pid)?;
        for pid in &all {
            // A session of Postgres may have ended meanwhile.
            _ = kill(*pid, Signal::SIGSTOP);
        }
        self.0.insert(what, all);
        Ok(())
    }

    /// Has it go on, if it was stopped.
    pub(crate) fn go_on(&mut self, what: Process) {
        for pid in self.0.remove(&what).into_iter().flatten() {
            _ = kill(pid, Signal::SIGCONT);
        }
    }

    pub(crate) fn all_go_on(&mut self) {
        while let Some((what, _)) = self.0.first_key_value() {
            self.go_on(*what);
        }
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // Nothing that stands still hears that it is to end.
        self.all_go_on();
    }
}

/// A process and its children. Postgres' sessions are no group with it, so they are looked up.
fn family(pid: u32) -> Outcome<Vec<Pid>> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = children.split_whitespace().map(str::parse);
    let all = std::iter::once(Ok(pid)).chain(children);
    let to_pid = |pid: u32| Pid::from_raw(pid.cast_signed());
    Ok(all.map(|pid| pid.map(to_pid)).collect::<Result<_, _>>()?)
}

/// Bytes of memory that a process has now.
pub(crate) fn memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}
