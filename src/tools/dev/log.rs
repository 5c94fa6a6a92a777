//! The log file of a child: appended to, kept from growing for ever, and quoted when the child fails.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::DevError;

/// Beyond this size a log is put aside as `<name>.1` at the next start.
const ROTATE_BYTES: u64 = 10 * 1024 * 1024;
/// How much of its end is looked at for the quotation.
const TAIL_BYTES: u64 = 4 * 1024;
const TAIL_LINES: usize = 10;

/// A log file, and where in it the present run begins.
#[derive(Debug, Clone)]
pub(super) struct Log {
    path: PathBuf,
    begin: u64,
}

impl Log {
    /// Opens the log for a new run.
    ///
    /// # Errors
    /// [`DevError::File`] when an old log is in the way and cannot be put aside.
    pub(super) fn open(path: PathBuf) -> Result<Self, DevError> {
        let begin = fs::metadata(&path).map_or(0, |found| found.len());
        if begin <= ROTATE_BYTES {
            return Ok(Self { path, begin });
        }
        let aside = path.with_added_extension("1");
        fs::rename(&path, &aside).map_err(DevError::file("put aside", &path))?;
        Ok(Self { path, begin: 0 })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle to write at the end, for the streams of a child: so the child needs no access to the folder.
    ///
    /// # Errors
    /// [`DevError::File`] or [`DevError::DiskFull`] when it cannot be opened.
    pub(super) fn writer(&self) -> Result<File, DevError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(DevError::file("open", &self.path))
    }

    /// The last lines of this run, indented; never fails, since it serves to explain another failure.
    pub(super) fn tail(&self) -> String {
        let text = self.read_end().unwrap_or_default();
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        if shown.is_empty() {
            return "  (nothing)".to_owned();
        }
        shown
            .iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    fn read_end(&self) -> std::io::Result<String> {
        let mut file = File::open(&self.path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(
            self.begin.max(end.saturating_sub(TAIL_BYTES)),
        ))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_this_run_are_quoted() {
        let folder = std::env::temp_dir().join(format!("dealgraph-log-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("server.log");
        fs::write(&path, "yesterday\n").unwrap();

        let log = Log::open(path.clone()).unwrap();
        assert_eq!(log.tail(), "  (nothing)");

        use std::io::Write;
        writeln!(log.writer().unwrap(), "today\n\nlast words").unwrap();
        assert_eq!(log.tail(), "  today\n  last words");
        fs::remove_dir_all(&folder).unwrap();
    }
}
