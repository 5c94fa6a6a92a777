//! Where a PgBouncer to put in front of the cluster comes from.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
};

use dealgraph::tools::dev::{
    datadir::DataDir,
    pgbouncer::{PgBouncer, PgBouncerOptions},
};

/// Names the socket of the first one; the folder is nobody else's.
static PORTS: AtomicU16 = AtomicU16::new(6432);

/// The program, fetched if need be. Says why when there is none.
pub(super) fn fetch() -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/pgbouncer");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("pgbouncer");
    let fetched = Command::new("sh").arg(script).arg(folder).output();
    let fetched = fetched.expect("there is a shell");
    if fetched.status.success() {
        let path = String::from_utf8(fetched.stdout).expect("a path in UTF-8");
        return Some(PathBuf::from(path.trim_end()));
    }
    let why = String::from_utf8_lossy(&fetched.stderr);
    eprintln!("SKIPPED, there is no PgBouncer: {}", why.trim_end());
    None
}

/// Starts one with so many connections to Postgres for each login.
pub(super) async fn start(data: &DataDir, program: PathBuf, servers: u32) -> PgBouncer {
    let options = PgBouncerOptions {
        program,
        servers,
        port: PORTS.fetch_add(1, Ordering::Relaxed),
    };
    let started = PgBouncer::start(data, &options).await;
    started.expect("a private PgBouncer starts")
}
