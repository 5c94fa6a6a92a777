//! The lock on a data folder: one process at a time, and the next one learns who holds it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::error::DevError;

/// Held as long as it lives; the kernel releases it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl Lock {
    /// Takes the lock of the data folder `root`.
    ///
    /// # Errors
    /// [`DevError::InUse`] when another process has it.
    pub(super) fn take(root: &Path) -> Result<Self, DevError> {
        let path = root.join("lock");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(DevError::file("open", &path))?;
        let mut held =
            Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(mut file, refusal)| {
                match refusal {
                    Errno::EWOULDBLOCK => DevError::InUse {
                        path: root.to_owned(),
                        holder: holder(&mut file),
                    },
                    other => DevError::file("lock", &path)(other.into()),
                }
            })?;
        held.set_len(0)
            .and_then(|()| write!(held, "{}", std::process::id()))
            .map_err(DevError::file("write", &path))?;
        Ok(Self(held))
    }
}

/// The process that has the lock, as it noted itself.
fn holder(file: &mut File) -> String {
    let mut pid = String::new();
    let known = file.take(20).read_to_string(&mut pid).is_ok() && pid.parse::<u32>().is_ok();
    if known {
        format!("process {pid}")
    } else {
        "of unknown process".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let root = std::env::temp_dir().join(format!("dealgraph-lock-{}", std::process::id()));
        std::fs::create_dir_all(&root).unwrap();

        let first = Lock::take(&root).unwrap();
        let refusal = Lock::take(&root).unwrap_err().to_string();
        assert!(
            refusal.contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );

        drop(first);
        Lock::take(&root).unwrap();
        std::fs::remove_dir_all(&root).unwrap();
    }
}
