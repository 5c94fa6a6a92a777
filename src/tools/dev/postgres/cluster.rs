//! Makes the cluster's files, and tidies them after a crash.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::super::datadir::DataDir;
use super::super::error::DevError;
use super::super::layout::remove;
use super::super::log::Log;
use super::super::process::{Child, Program};
use super::install::Install;
use super::{FAREWELL, PostgresOptions};

/// What texts are compared and folded by. Order is by bytes, so that a prefix search can use an index;
/// letters are those of all languages where the system knows such a locale.
const CHARACTER_TYPES: [&str; 3] = ["C.UTF-8", "en_US.UTF-8", "C"];
const INITDB_PATIENCE: Duration = Duration::from_secs(120);

/// Makes the cluster if there is none. It is made under another name first, so that a run that is cut off
/// leaves nothing that looks like a cluster.
///
/// # Errors
/// [`DevError::Died`] with what `initdb` said, [`DevError::DiskFull`], [`DevError::File`].
pub(super) async fn create(
    data: &DataDir,
    install: &Install,
    options: &PostgresOptions,
) -> Result<(), DevError> {
    let cluster = data.cluster();
    let draft = cluster.with_file_name("postgres.new");
    let mut refusal = None;
    for characters in CHARACTER_TYPES {
        remove(&draft)?;
        data.account().own(&draft)?;
        let command = initdb(install, &draft, characters, options);
        match run(data, command).await {
            Ok(()) => {
                return fs::rename(&draft, &cluster).map_err(DevError::file("create", &cluster));
            }
            Err(DevError::Died { tail, .. }) if tail.contains("invalid locale name") => {}
            Err(other) => {
                refusal = Some(other);
                break;
            }
        }
    }
    remove(&draft)?;
    Err(refusal.expect("the C locale is valid everywhere"))
}

fn initdb(install: &Install, draft: &Path, characters: &str, options: &PostgresOptions) -> Command {
    let mut command = Command::new(install.program("initdb"));
    command
        .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
        .args(["--locale=C", &format!("--lc-ctype={characters}")])
        .arg("--no-instructions")
        .arg("--pgdata")
        .arg(draft)
        .env("LC_ALL", "C");
    if !options.durable {
        command.arg("--no-sync");
    }
    command
}

async fn run(data: &DataDir, command: Command) -> Result<(), DevError> {
    let log = Log::open(data.logs().join("initdb.log"))?;
    let program = Program {
        name: "initdb",
        command,
        folder: data.home().to_owned(),
        farewell: FAREWELL,
    };
    let child = Child::spawn(program, data.account(), log, data.pid_file("initdb")).await?;
    match tokio::time::timeout(INITDB_PATIENCE, child.exited()).await {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(_failed) => Err(child.died().await),
        Err(_elapsed) => {
            let stuck = child.not_ready(INITDB_PATIENCE);
            child.stop().await;
            Err(stuck)
        }
    }
}

/// Removes the lock file of a dead server if its process id belongs to a stranger now, which happens in
/// containers, where ids are few: Postgres would take the stranger for its old self and refuse to start.
/// An id that belongs to nobody is left to Postgres, which then also looks for orphans in shared memory.
///
/// # Errors
/// [`DevError::File`] when the lock file cannot be removed.
pub(super) fn forget_reused_id(cluster: &Path) -> Result<(), DevError> {
    let lock = cluster.join("postmaster.pid");
    let noted = fs::read_to_string(&lock).unwrap_or_default();
    let Some(pid) = noted
        .lines()
        .next()
        .and_then(|pid| pid.trim().parse::<u32>().ok())
    else {
        return Ok(());
    };
    let Ok(command_line) = fs::read(format!("/proc/{pid}/cmdline")) else {
        return Ok(());
    };
    // A server of this cluster names its folder; anybody else does not.
    if String::from_utf8_lossy(&command_line).contains(&*cluster.to_string_lossy()) {
        return Ok(());
    }
    remove(&lock)
}
