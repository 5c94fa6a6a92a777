//! Which file of a development cluster lies where, and the removal of exactly those.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::error::DevError;

/// The file that proves a folder to be ours.
pub(super) const MARKER: &str = ".dealgraph-data";
/// Names the home when it is not the data folder itself.
const POINTER: &str = "elsewhere";
/// Where homes go that the servers' account could not reach in the data folder.
const HOMES: &str = "/var/lib/dealgraph";
/// The longest name of a socket; the kernel refuses a path of more than 107 bytes.
const LONGEST_SOCKET: &str = "/.s.PGSQL.5432";
const SOCKET_PATH_BYTES: usize = 107;

/// The places of one data folder.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
    home: PathBuf,
}

impl Layout {
    /// The places as they were left, or will be, for the data folder `root`.
    pub(super) fn of(root: &Path) -> Self {
        let root = fs::canonicalize(root).unwrap_or_else(|_missing| root.to_owned());
        let home = match fs::read_to_string(root.join(POINTER)) {
            Ok(home) => PathBuf::from(home.trim_end()),
            Err(_none) => root.clone(),
        };
        Self { root, home }
    }

    /// Makes a home outside of `root` and notes it there.
    ///
    /// # Errors
    /// [`DevError::File`] or [`DevError::DiskFull`] when it cannot be made.
    pub(super) fn elsewhere(root: &Path) -> Result<Self, DevError> {
        let home = Path::new(HOMES).join(short_name(root));
        for folder in [Path::new(HOMES), &home] {
            fs::create_dir_all(folder).map_err(DevError::file("create", folder))?;
            // Set apart from the creation, since the umask may forbid to pass through.
            fs::set_permissions(folder, fs::Permissions::from_mode(0o711))
                .map_err(DevError::file("open", folder))?;
        }
        write(&home.join(MARKER), &root.to_string_lossy())?;
        write(&root.join(POINTER), &home.to_string_lossy())?;
        Ok(Self {
            root: root.to_owned(),
            home,
        })
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.home != self.root
    }

    /// Refuses a home that belongs to another data folder, as it does after a move or a copy.
    ///
    /// # Errors
    /// [`DevError::Moved`].
    pub(super) fn check_home(&self) -> Result<(), DevError> {
        if !self.is_elsewhere() || self.home_is_ours() {
            return Ok(());
        }
        Err(DevError::Moved {
            path: self.root.clone(),
            home: self.home.clone(),
        })
    }

    fn home_is_ours(&self) -> bool {
        fs::read_to_string(self.home.join(MARKER))
            .is_ok_and(|owner| Path::new(owner.trim_end()) == self.root)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn home(&self) -> &Path {
        &self.home
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(super) fn pids(&self) -> PathBuf {
        self.root.join("pids")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.root.join("state")
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.home.join("postgres")
    }

    pub(super) fn redis(&self) -> PathBuf {
        self.home.join("redis")
    }

    /// Where the sockets are: in the home, or in a folder with a short name when their paths would be too
    /// long for the kernel.
    pub(super) fn sockets(&self, account: Account) -> PathBuf {
        let near = self.home.join("run");
        if near.as_os_str().len() + LONGEST_SOCKET.len() <= SOCKET_PATH_BYTES {
            return near;
        }
        let name = format!("dealgraph-{}-{}", account.uid(), short_name(&self.root));
        short_folder().join(name)
    }

    /// Removes sockets and their locks. Only for who holds the data folder: then nobody listens there.
    ///
    /// # Errors
    /// [`DevError::File`].
    pub(super) fn clear_sockets(&self, account: Account) -> Result<(), DevError> {
        let folder = self.sockets(account);
        let entries = fs::read_dir(&folder).map_err(DevError::file("read", &folder))?;
        for entry in entries.flatten() {
            remove(&entry.path())?;
        }
        Ok(())
    }

    /// Removes all that is ours, but the marker and the lock.
    ///
    /// # Errors
    /// [`DevError::File`].
    pub(super) fn wipe(&self) -> Result<(), DevError> {
        if self.is_elsewhere() && self.home_is_ours() {
            remove(&self.home)?;
        }
        for name in [
            "postgres",
            "postgres.new",
            "redis",
            "run",
            "logs",
            "pids",
            "state",
            POINTER,
        ] {
            remove(&self.root.join(name))?;
        }
        Ok(())
    }
}

/// Where the short socket folders go. Root keeps out of `/tmp`, where anybody could have put a link.
fn short_folder() -> &'static Path {
    let candidates: &[&str] = match Uid::effective().is_root() {
        true => &["/run", "/var/run"],
        false => &["/tmp"],
    };
    let found = candidates
        .iter()
        .map(Path::new)
        .find(|folder| folder.is_dir());
    found.unwrap_or(Path::new("/tmp"))
}

/// A short name for a data folder, the same each time.
fn short_name(root: &Path) -> String {
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    digest[..6]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn write(path: &Path, text: &str) -> Result<(), DevError> {
    fs::write(path, format!("{text}\n")).map_err(DevError::file("write", path))
}

/// Removes a file or a whole folder; does not follow links, and does not mind if there is nothing.
pub(super) fn remove(path: &Path) -> Result<(), DevError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_file) => fs::remove_file(path),
        Err(cause) => Err(cause),
    };
    match removed {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
            Err(DevError::file("remove", path)(cause))
        }
        _ => Ok(()),
    }
}
