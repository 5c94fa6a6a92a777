//! The data folder of a development cluster: made, proven ours, locked, and laid out.
//!
//! ```text
//! <root>/.dealgraph-data   the marker: without it nothing here is ever touched
//!        lock              held (flock) by the one process that uses the folder
//!        logs/             postgres.log, initdb.log, redis.log
//!        pids/             notes on running children, to find them after a kill -9
//!        state/            for the development command itself: signing keys and the like
//!        elsewhere         only if the servers' account cannot enter <root>: where <home> is instead
//! <home>/postgres/         the cluster                 (<home> is <root> if it can be)
//!        redis/  run/      Redis' folder, the sockets
//! ```

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use super::account::Account;
use super::error::DevError;
use super::layout::{Layout, MARKER};
use super::leftover::PidFile;
use super::lock::Lock;
use super::process::Farewell;

/// What to do with what an earlier run left in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Go on with it.
    Keep,
    /// Remove all that is ours and begin anew.
    Fresh,
}

/// A locked data folder; dropping it releases the lock.
#[derive(Debug)]
pub struct DataDir {
    layout: Layout,
    account: Account,
    _lock: Lock,
}

impl DataDir {
    /// Opens the folder at `path`, making it if need be, and stops whatever a killed run left running.
    ///
    /// # Errors
    /// [`DevError::NotOurs`] for a folder with other files in it, [`DevError::InUse`] when another process
    /// holds it, [`DevError::Moved`] when its cluster belongs to another folder, [`DevError::Leftover`],
    /// [`DevError::NoAccount`], and [`DevError::File`] or [`DevError::DiskFull`].
    pub async fn open(
        path: &Path,
        contents: Contents,
        on_progress: &(dyn Fn(&str) + Sync),
    ) -> Result<Self, DevError> {
        let root = claim(path)?;
        let lock = Lock::take(&root)?;
        stop_leftovers(&root).await?;
        if contents == Contents::Fresh {
            on_progress("removing the data of earlier runs");
            Layout::of(&root).wipe()?;
        }
        let (layout, account) = settle(&root, on_progress)?;
        for folder in [layout.logs(), layout.pids(), layout.state()] {
            make_private(&folder)?;
        }
        for folder in [layout.redis(), layout.sockets(account)] {
            account.own(&folder)?;
        }
        layout.clear_sockets(account)?;
        Ok(Self {
            layout,
            account,
            _lock: lock,
        })
    }

    /// The folder itself, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// Where the development command keeps what belongs to this cluster (signing keys and the like).
    /// `--fresh` removes it with the rest.
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.layout.state()
    }

    /// Where the logs of the servers are.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.layout.logs()
    }

    /// The folder that holds the files of the servers.
    pub(super) fn home(&self) -> &Path {
        self.layout.home()
    }

    /// The Postgres cluster.
    pub(super) fn cluster(&self) -> PathBuf {
        self.layout.cluster()
    }

    /// Where Redis runs.
    pub(super) fn redis(&self) -> PathBuf {
        self.layout.redis()
    }

    /// Where the servers listen.
    pub(super) fn sockets(&self) -> PathBuf {
        self.layout.sockets(self.account)
    }

    /// Who the servers run as.
    pub(super) fn account(&self) -> Account {
        self.account
    }

    /// The note on the child `name`.
    pub(super) fn pid_file(&self, name: &str) -> PidFile {
        pid_file(self.root(), name)
    }
}

/// Where the development command keeps its things in the data folder at `path`, without locking it: for
/// commands that run beside it.
#[must_use]
pub fn state_of(path: &Path) -> PathBuf {
    Layout::of(path).state()
}

/// Makes the folder ours, or finds that it is, and gives its absolute path.
fn claim(path: &Path) -> Result<PathBuf, DevError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(DevError::file("create", parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) if Uid::effective().is_root() => {
            // The servers' account has to pass through, but need not look around.
            fs::set_permissions(path, fs::Permissions::from_mode(0o711))
                .map_err(DevError::file("open", path))?;
        }
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => {
            return Err(DevError::file("create", path)(cause));
        }
        _ => {}
    }
    let root = fs::canonicalize(path).map_err(DevError::file("read", path))?;
    let marker = root.join(MARKER);
    if marker.exists() {
        return Ok(root);
    }
    let mut entries = fs::read_dir(&root).map_err(DevError::file("read", &root))?;
    if entries.next().is_some() {
        return Err(DevError::NotOurs(root));
    }
    fs::write(&marker, "This folder belongs to dealgraph.\n")
        .map_err(DevError::file("create", &marker))?;
    Ok(root)
}

async fn stop_leftovers(root: &Path) -> Result<(), DevError> {
    const SERVERS: [(&str, Farewell); 3] = [
        ("initdb", super::postgres::FAREWELL),
        ("postgres", super::postgres::FAREWELL),
        ("redis", super::redis::FAREWELL),
    ];
    for (name, farewell) in SERVERS {
        pid_file(root, name).stop_leftover(farewell).await?;
    }
    Ok(())
}

/// Decides where the servers' files go and who the servers run as.
fn settle(root: &Path, on_progress: &(dyn Fn(&str) + Sync)) -> Result<(Layout, Account), DevError> {
    let layout = Layout::of(root);
    layout.check_home()?;
    let account = Account::choose(&layout.cluster())?;
    if layout.is_elsewhere() || account.can_enter(root) {
        return Ok((layout, account));
    }
    if layout.cluster().exists() {
        let cause = io::Error::other("the account of its owner cannot enter the folder");
        return Err(DevError::file("use", &layout.cluster())(cause));
    }
    let layout = Layout::elsewhere(root)?;
    on_progress(&format!(
        "the account of the servers cannot enter {}: their files go to {}",
        root.display(),
        layout.home().display()
    ));
    Ok((layout, account))
}

fn pid_file(root: &Path, name: &str) -> PidFile {
    PidFile::new(root.join("pids").join(format!("{name}.pid")))
}

fn make_private(folder: &Path) -> Result<(), DevError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(DevError::file("create", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("dealgraph-{name}-{}", std::process::id()))
    }

    async fn open(path: &Path, contents: Contents) -> Result<DataDir, DevError> {
        DataDir::open(path, contents, &|_| {}).await
    }

    #[tokio::test]
    async fn a_folder_that_is_not_a_data_folder_is_never_touched() {
        let path = folder("foreign");
        fs::create_dir_all(path.join("postgres")).unwrap();

        for contents in [Contents::Keep, Contents::Fresh] {
            let refusal = open(&path, contents).await.unwrap_err();
            assert!(matches!(refusal, DevError::NotOurs(_)), "{refusal}");
        }

        assert!(path.join("postgres").exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[tokio::test]
    async fn a_fresh_start_removes_what_is_ours_and_nothing_else() {
        let path = folder("fresh");
        let data = open(&path, Contents::Keep).await.unwrap();
        fs::write(data.state().join("key"), "ours").unwrap();
        fs::write(path.join("letter"), "not ours").unwrap();
        drop(data);

        let data = open(&path, Contents::Fresh).await.unwrap();

        assert!(!data.state().join("key").exists());
        assert!(path.join("letter").exists());
        fs::remove_dir_all(path).unwrap();
    }
}
