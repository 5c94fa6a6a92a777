//! Files that are compiled in as a folder: a new one has to be seen.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
    println!("cargo::rerun-if-changed=policies");
}
