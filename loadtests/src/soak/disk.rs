//! A disk of the database's own that can become full: a file system in memory, which root can mount and shrink.

use std::{
    os::unix::fs::{MetadataExt as _, chown},
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
/// Begins the name of its folder; the process comes after it.
const NAME: &str = "dealgraph-disk-";

/// The disk of the database. Dropping it takes it away, once nobody has files on it.
pub(crate) struct Disk {
    place: PathBuf,
}

impl Disk {
    /// Moves the database to a disk of its own; none where that can't be.
    pub(crate) async fn under(cluster: &Cluster) -> Outcome<Option<Self>> {
        let (sockets, _) = cluster.socket()?;
        remove_leftovers()?;
        let place = std::env::temp_dir().join(format!("{NAME}{}", std::process::id()));
        std::fs::create_dir_all(&place)?;
        if let Err(why) = run("mount", &["-t", "tmpfs", "-o", ROOM, "tmpfs"], &place) {
            say(&format!("the disk will not become full: {why}"));
            return Ok(None);
        }
        let disk = Self { place };
        let owner = std::fs::metadata(&sockets)?;
        chown(&disk.place, Some(owner.uid()), Some(owner.gid()))?;
        let mut database = cluster.superuser_of("postgres").await?;
        let place = disk.place.display();
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
        Ok(Some(disk))
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
        let process = name.to_str().and_then(|name| name.strip_prefix(NAME));
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
