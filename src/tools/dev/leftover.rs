//! Finds and stops what an earlier run left behind when it was killed before it could clean up.
//!
//! A process id alone proves nothing, since ids are used again. So the note about a child also holds when
//! the process began, and in which boot: together they name one process for ever.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use super::error::DevError;
use super::process::Farewell;

const POLL: Duration = Duration::from_millis(20);

/// A note of which process is ours.
#[derive(Debug, Clone)]
pub(super) struct PidFile(PathBuf);

impl PidFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Notes that `pid` is ours.
    ///
    /// # Errors
    /// [`DevError::File`] or [`DevError::DiskFull`] when it cannot be written.
    pub(super) fn write(&self, pid: Pid) -> Result<(), DevError> {
        let birth = birth(pid).unwrap_or_default();
        fs::write(&self.0, format!("{pid} {birth}\n")).map_err(DevError::file("write", &self.0))
    }

    /// Stops the process of the note if it still runs, then forgets the note.
    ///
    /// # Errors
    /// [`DevError::Leftover`] when it does not go away.
    pub(super) async fn stop_leftover(&self, farewell: Farewell) -> Result<(), DevError> {
        if let Some((pid, birth)) = self.read() {
            stop(pid, &birth, farewell).await?;
        }
        match fs::remove_file(&self.0) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                Err(DevError::file("remove", &self.0)(cause))
            }
            _ => Ok(()),
        }
    }

    fn read(&self) -> Option<(Pid, String)> {
        let text = fs::read_to_string(&self.0).ok()?;
        let (pid, birth) = text.trim_end().split_once(' ')?;
        // Anything below 2 would signal a group, every process, or init.
        let pid = pid.parse().ok().filter(|&pid: &i32| pid > 1)?;
        Some((Pid::from_raw(pid), birth.to_owned()))
    }
}

async fn stop(pid: Pid, birth_noted: &str, farewell: Farewell) -> Result<(), DevError> {
    let lives = || birth(pid).is_some_and(|birth| birth == birth_noted);
    let mut cause = "it ignores every signal".to_owned();
    for &(signal, patience) in farewell {
        if !lives() {
            return Ok(());
        }
        match kill(pid, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(refusal) => cause = refusal.desc().to_lowercase(),
        }
        let deadline = Instant::now() + patience;
        while lives() && Instant::now() < deadline {
            sleep(POLL).await;
        }
    }
    if lives() {
        return Err(DevError::Leftover {
            pid: pid.as_raw(),
            cause,
        });
    }
    Ok(())
}

/// When `pid` began, in words that no other process shares; `None` when it does not run.
fn birth(pid: Pid) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        birth_from_proc(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    } else {
        birth_from_ps(pid)
    }
}

fn birth_from_proc(stat: &str) -> Option<String> {
    // The name in brackets may itself hold brackets and blanks; after the last one the columns are plain.
    let (_, columns) = stat.rsplit_once(')')?;
    let mut columns = columns.split_whitespace();
    let state = columns.next()?;
    // Column 22 of the whole is the start in ticks since boot; the state was column 3.
    let ticks = columns.nth(18)?;
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    // A zombie is over: where nobody reaps it, it stays for ever.
    (!matches!(state, "Z" | "X")).then(|| format!("{ticks} {}", boot.trim()))
}

fn birth_from_ps(pid: Pid) -> Option<String> {
    let listed = Command::new("ps")
        .args(["-o", "state=", "-o", "lstart=", "-p", &pid.to_string()])
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    let line = String::from_utf8_lossy(&listed.stdout);
    let (state, began) = line.trim().split_once(char::is_whitespace)?;
    (!state.starts_with('Z')).then(|| began.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use nix::sys::signal::Signal;

    use super::*;

    const FAREWELL: Farewell = &[(Signal::SIGTERM, Duration::from_secs(5))];

    fn note(name: &str) -> PidFile {
        PidFile::new(std::env::temp_dir().join(format!("dealgraph-{name}-{}", std::process::id())))
    }

    fn sleeper() -> (std::process::Child, Pid) {
        let child = Command::new("sleep")
            .arg("60")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        (child, pid)
    }

    #[tokio::test]
    async fn a_leftover_is_stopped_and_forgotten() {
        let (mut child, pid) = sleeper();
        let file = note("leftover");
        file.write(pid).unwrap();

        file.stop_leftover(FAREWELL).await.unwrap();

        assert!(!child.wait().unwrap().success());
        assert!(!file.0.exists());
    }

    #[tokio::test]
    async fn a_process_that_took_over_the_id_is_left_alone() {
        let (mut child, pid) = sleeper();
        let file = note("reused");
        fs::write(&file.0, format!("{pid} another-birth\n")).unwrap();

        file.stop_leftover(FAREWELL).await.unwrap();

        assert!(
            child.try_wait().unwrap().is_none(),
            "a stranger was stopped"
        );
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let stat = "7 (a) (b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9 9";
        let birth = birth_from_proc(stat).unwrap();
        assert!(birth.starts_with("4711 "), "{birth}");
        assert_eq!(birth_from_proc(&stat.replace(" S ", " Z ")), None);
    }
}
