//! Where the system looks for programs. Not configuration of ours, so `config.rs` does not know it.

use std::path::PathBuf;

/// The folders of the search path, in order.
pub(super) fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default()
}

/// The first of `names` that is on the search path.
pub(super) fn find_program(names: &[&str]) -> Option<PathBuf> {
    let folders = search_path();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
}
