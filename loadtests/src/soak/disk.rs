//! Disks of the database's own that can become full: file systems in memory, which root can mount and shrink.

use std::{
    fs::{Metadata, Permissions},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sqlx::{AssertSqlSafe, Executor as _};

use crate::{
    Outcome,
    cluster::{Cluster, DATABASE},
    say,
};

/// What it takes when it is not full.
const ROOM: &str = "size=4g";

/// What is left of it when it is full, which is used in a moment.
const SLACK: u64 = 64 << 10;
const ATTEMPTS: usize = 10;
/// Begins the name of its folder; what is on it and the process come after it.
const NAME: &str = "dealgraph-disk-";

/// The disks of the database: of its tables, and of its write-ahead log.
pub(crate) struct Disks {
    pub(crate) data: Disk,
    pub(crate) log: Disk,
}

impl Disks {
    /// Moves the database and its log to disks of their own; none where that can't be.
    pub(crate) async fn under(cluster: &mut Cluster) -> Outcome<Option<Self>> {
        remove_leftovers()?;
        let (sockets, _) = cluster.socket()?;
        let owner = std::fs::metadata(&sockets)?;
        let mount = |what| Disk::mount(what, &owner);
        let (Some(data), Some(log)) = (mount("data")?, mount("log")?) else {
            return Ok(None);
        };
        cluster.move_log(&log.place).await?;
        let mut database = cluster.superuser_of("postgres").await?;
        let place = data.place.display();
        let made = database.execute(AssertSqlSafe(format!(
            "CREATE TABLESPACE small LOCATION '{place}'"
        )));
        if let Err(why) = made.await {
            say(&format!("the disk will not become full: {why}"));
            return Ok(None);
        }
        database
            .execute(AssertSqlSafe(format!(
                "ALTER DATABASE {DATABASE} SET TABLESPACE small"
            )))
            .await?;
        Ok(Some(Self { data, log }))
    }

    /// Makes room again on both.
    pub(crate) fn clear(&self) -> Outcome<()> {
        self.data.clear()?;
        self.log.clear()
    }
}

/// A disk. Dropping it takes it away, once nobody has files on it.
pub(crate) struct Disk {
    place: PathBuf,
}

impl Disk {
    fn mount(what: &str, owner: &Metadata) -> Outcome<Option<Self>> {
        let name = format!("{NAME}{what}-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&place)?;
        if let Err(why) = run("mount", &["-t", "tmpfs", "-o", ROOM, "tmpfs"], &place) {
            say(&format!("no disk will become full: {why}"));
            return Ok(None);
        }
        chown(&place, Some(owner.uid()), Some(owner.gid()))?;
        // As Postgres wants the folder of its log.
        std::fs::set_permissions(&place, Permissions::from_mode(0o700))?;
        Ok(Some(Self { place }))
    }

    /// Leaves no room beyond what is used.
    pub(crate) fn fill(&self) -> Outcome<()> {
        // What is used grows meanwhile, and it can't be made smaller than that.
        for _ in 0..ATTEMPTS {
            let size = format!("remount,size={}", self.used()? + SLACK);
            if run("mount", &["-o", &size], &self.place).is_ok() {
                return Ok(());
            }
        }
        Err("the disk can't be filled".into())
    }

    /// Bytes.
    fn used(&self) -> Outcome<u64> {
        let used = Command::new("df")
            .args(["--output=used", "-B1"])
            .arg(&self.place)
            .output()?;
        let used = String::from_utf8(used.stdout)?;
        let used = used.lines().last().unwrap_or_default();
        Ok(used.trim().parse()?)
    }

    /// Makes room again.
    pub(crate) fn clear(&self) -> Outcome<()> {
        run("mount", &["-o", &format!("remount,{ROOM}")], &self.place)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        remove(&self.place);
    }
}

/// Takes away those of runs that were killed.
fn remove_leftovers() -> Outcome<()> {
    for entry in std::fs::read_dir(std::env::temp_dir())? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|name| name.strip_prefix(NAME));
        let process = name
            .and_then(|name| name.rsplit_once('-'))
            .map(|(_, process)| process);
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            remove(&entry.path());
        }
    }
    Ok(())
}

/// It stays until the last file on it is closed.
fn remove(place: &Path) {
    _ = run("umount", &["--lazy"], place);
    _ = std::fs::remove_dir(place);
}

fn run(program: &str, arguments: &[&str], place: &Path) -> Outcome<()> {
    let done = Command::new(program)
        .args(arguments)
        .arg(place)
        .stdin(Stdio::null())
        .output()?;
    match done.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().into()),
    }
}
