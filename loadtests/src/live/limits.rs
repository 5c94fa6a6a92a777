//! What the system lets a process have, and what a process has.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Outcome;

/// Takes as many open files as may be, for this process and those it starts; answers how many.
pub(crate) fn raise_open_files() -> Outcome<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// The memory of a process that is not swapped out, in bytes, and the most that it ever was.
pub(super) fn resident(pid: u32) -> Outcome<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kilobytes * 1024)
    };
    let both = of("VmRSS:").zip(of("VmHWM:"));
    Ok(both.ok_or("the system does not say how much memory a process has")?)
}
