//! What can stop a development cluster, in one sentence that says what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

use super::log::Log;

/// Why a development cluster could not be started, or why it ended.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// The disk under the data folder is full.
    #[error("no space is left on the disk that holds {0}; free some or choose another data folder")]
    DiskFull(PathBuf),
    /// A file or folder of the cluster is out of reach.
    #[error("cannot {action} {path}: {cause}")]
    File {
        /// What was tried, for example `create`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        cause: io::Error,
    },
    /// The folder holds files and none of them is our marker, so nothing in it is touched.
    #[error("{0} is not empty and was not made by dealgraph; choose another data folder")]
    NotOurs(PathBuf),
    /// Another process holds the data folder.
    #[error(
        "{path} is in use by another dealgraph ({holder}); stop it or choose another data folder"
    )]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// The other process, as far as it is known.
        holder: String,
    },
    /// The data folder was moved or copied away from the cluster that belongs to it.
    #[error(
        "{path} was moved or copied: its cluster at {home} belongs to another folder; \
         move it back or start afresh"
    )]
    Moved {
        /// The data folder.
        path: PathBuf,
        /// Where its cluster lies.
        home: PathBuf,
    },
    /// We are root, and there is no account to run the servers as.
    #[error(
        "PostgreSQL refuses to run as root and this system has neither an account `postgres` nor \
         `nobody`; start as an ordinary user"
    )]
    NoAccount,
    /// A program is not on this machine.
    #[error("{program} was not found; {remedy}")]
    Missing {
        /// The program.
        program: &'static str,
        /// How to get it.
        remedy: &'static str,
    },
    /// The newest PostgreSQL of this machine is too old.
    #[error("PostgreSQL {found} in {path} is too old: version {needed} or newer is needed")]
    TooOld {
        /// The major version found.
        found: u32,
        /// Where it was found.
        path: PathBuf,
        /// The oldest that will do.
        needed: u32,
    },
    /// The cluster was made by a PostgreSQL that is not installed.
    #[error(
        "{path} was made by PostgreSQL {made_by}, which is not on this machine any more; \
         install it or start afresh"
    )]
    OtherMajor {
        /// The cluster.
        path: PathBuf,
        /// The major version that made it.
        made_by: String,
    },
    /// A server that an earlier run left behind does not go away.
    #[error(
        "process {pid}, left behind by an earlier run, does not stop ({cause}); stop it by hand"
    )]
    Leftover {
        /// Its process id.
        pid: i32,
        /// What the system answered, or that it ignores signals.
        cause: String,
    },
    /// A server could not be run at all.
    #[error("cannot run {program}: {cause}")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system answered.
        cause: io::Error,
    },
    /// A server ended although nobody asked it to.
    #[error("{server} stopped unexpectedly ({how}); its log {log} ends with:\n{tail}")]
    Died {
        /// Which server.
        server: &'static str,
        /// Exit code or signal.
        how: String,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log, indented.
        tail: String,
    },
    /// A server runs but never becomes ready.
    #[error("{server} was not ready after {seconds} s; its log {log} ends with:\n{tail}")]
    NotReady {
        /// Which server.
        server: &'static str,
        /// How long was waited.
        seconds: u64,
        /// The log file.
        log: PathBuf,
        /// The last lines of the log, indented.
        tail: String,
    },
}

impl DevError {
    /// A failed operation on a file; a full disk is named as such.
    pub(super) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |cause| match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::File {
                action,
                path,
                cause,
            },
        }
    }

    /// A child that ended; a full disk is named as such, also when it kept the child from saying so.
    pub(super) fn died(server: &'static str, how: String, log: &Log, folder: &Path) -> Self {
        let tail = log.tail();
        if tail.contains("No space left on device") || is_full(folder) {
            return Self::DiskFull(folder.to_owned());
        }
        if is_full(log.path()) {
            return Self::DiskFull(log.path().to_owned());
        }
        Self::Died {
            server,
            how,
            log: log.path().to_owned(),
            tail,
        }
    }
}

/// Whether nothing more can be written to the disk that holds `path`.
fn is_full(path: &Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.blocks_available() == 0)
}
