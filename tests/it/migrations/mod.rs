//! Migrations run while the version before serves, so nothing in `migrations/` may hold up what that does or take away what it
//! needs. `docs/operators/migrations.md` says the rules and what to write instead.

mod controls;
mod lint;
mod own;
mod released;
mod rules;

use std::{collections::BTreeSet, fs, path::Path};

use lint::{Finding, lint};
use released::{LAST_RELEASED, RELEASED};

/// The migrations: the name of each file and its text.
fn files() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| {
            let entry = entry.expect("a file");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).expect("it is text"))
        })
        .collect();
    files.sort();
    files
}

#[test]
fn no_migration_blocks_or_breaks_the_version_before() {
    let files = files();
    assert!(files.len() > 17, "there are {} files", files.len());
    let mut refused = Vec::new();
    let mut excused = BTreeSet::new();
    for (file, text) in &files {
        for Finding {
            rule,
            line,
            message,
        } in lint(file, text)
        {
            match RELEASED
                .iter()
                .position(|(known, excepted, _)| known == file && *excepted == rule)
            {
                Some(at) if file.as_str() < LAST_RELEASED => _ = excused.insert(at),
                _ => refused.push(format!("migrations/{file}:{line}: {rule}: {message}")),
            }
        }
    }
    assert_eq!(refused, [""; 0]);
    let idle: Vec<_> = RELEASED
        .iter()
        .enumerate()
        .filter(|(at, _)| !excused.contains(at))
        .collect();
    assert!(idle.is_empty(), "these excuse nothing: {idle:?}");
}
