//! Who used the processors: the server, Postgres or the users. Read from /proc (see proc(5)).

use std::time::{Duration, Instant};

/// Clock ticks per second, the same on every Linux that Debian runs on.
const TICKS: u64 = 100;
/// The parent of the kernel's threads.
const KERNEL: u32 = 2;

/// Processor time, so far or between two readings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    pub(crate) server: Duration,
    pub(crate) postgres: Duration,
    pub(crate) users: Duration,
}

impl Used {
    pub(crate) fn now(server: &[u32], postgres: u32) -> Self {
        let postgres = processes()
            .into_iter()
            .filter(|process| process.id == postgres || process.parent == postgres)
            // The postmaster has inherited the time of the backends that are gone.
            .map(|process| {
                if process.id == postgres {
                    process.own + process.children
                } else {
                    process.own
                }
            })
            .sum();
        Self {
            server: server.iter().map(|id| own(*id)).sum(),
            postgres,
            users: own(std::process::id()),
        }
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgres: self.postgres.saturating_sub(before.postgres),
            users: self.users.saturating_sub(before.users),
        }
    }
}

/// What all other processes used, which disturb what is measured.
pub(crate) struct Others {
    used: Duration,
    at: Instant,
}

impl Others {
    pub(crate) fn now() -> Self {
        let all = processes();
        let mut ours = vec![std::process::id()];
        while let Some(more) = all
            .iter()
            .find(|process| ours.contains(&process.parent) && !ours.contains(&process.id))
        {
            ours.push(more.id);
        }
        // Threads of the kernel work for us as well.
        let is_other = |process: &&Process| {
            !ours.contains(&process.id) && process.id != KERNEL && process.parent != KERNEL
        };
        Self {
            used: all
                .iter()
                .filter(is_other)
                .map(|process| process.own + process.children)
                .sum(),
            at: Instant::now(),
        }
    }

    /// Which part of all processors that was since then.
    pub(crate) fn share(&self) -> f64 {
        let now = Self::now();
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let used = now.used.saturating_sub(self.used).as_secs_f64();
        used / (now.at - self.at).as_secs_f64() / processors as f64
    }
}

struct Process {
    id: u32,
    parent: u32,
    own: Duration,
    children: Duration,
}

/// The processor time of a process so far.
pub(crate) fn own(id: u32) -> Duration {
    read(id).map_or(Duration::ZERO, |process| process.own)
}

fn processes() -> Vec<Process> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?))
        .collect()
}

fn read(id: u32) -> Option<Process> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before the last parenthesis may hold anything.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<u64>().ok();
    let time = |user, system| {
        Some(Duration::from_millis(
            (ticks(user)? + ticks(system)?) * 1000 / TICKS,
        ))
    };
    Some(Process {
        id,
        parent: fields.get(1)?.parse().ok()?,
        own: time(11, 12)?,
        children: time(13, 14)?,
    })
}

/// How much memory of processes is in use, in megabytes.
pub(crate) fn resident_mb(ids: &[u32]) -> f64 {
    let kilobytes = |id: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.trim().split(' ').next()?.parse::<f64>().ok()
    };
    ids.iter().filter_map(kilobytes).sum::<f64>() / 1024.0
}
