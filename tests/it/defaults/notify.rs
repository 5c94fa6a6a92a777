//! NOTIFY takes a lock of the whole cluster at commit (6,792 -> 455 inserts per second), so nothing of ours uses it.

use std::{fs, path::Path};

#[test]
fn no_statement_migration_or_policy_notifies() {
    let mut read = 0;
    for folder in ["src", "migrations", "policies"] {
        read += search(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    }
    assert!(read > 100, "the sources are found");
}

/// How many files were read below a folder.
fn search(folder: &Path) -> usize {
    let mut read = 0;
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            read += search(&path);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "rs" || ending == "sql")
        {
            let text = fs::read_to_string(&path).expect("it is text");
            for word in ["pg_notify", "NOTIFY ", "LISTEN "] {
                assert!(!text.contains(word), "{} says {word}", path.display());
            }
            read += 1;
        }
    }
    read
}
