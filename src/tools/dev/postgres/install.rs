//! Finds the PostgreSQL programs of this machine: new enough, and of the version that made the cluster.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::error::DevError;
use super::super::path::search_path;

/// The oldest major version the product supports.
const OLDEST: u32 = 15;
/// Folders that hold one folder per version, with the rest of the way to its programs.
const VERSIONED: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"),
];
const REMEDY: &str = "install PostgreSQL 15 or newer (Debian: `apt-get install postgresql`), or name the \
                      folder of its programs in DEALGRAPH_PG_BIN";

/// The programs of one PostgreSQL version.
#[derive(Debug, Clone)]
pub(super) struct Install {
    bin: PathBuf,
    major: u32,
    version: String,
}

impl Install {
    /// The programs to run the cluster with: those in `named` if given, else the first that fit.
    /// `made_by` is the version that made the cluster, if there is one.
    ///
    /// # Errors
    /// [`DevError::Missing`], [`DevError::TooOld`] or [`DevError::OtherMajor`].
    pub(super) fn find(named: Option<&Path>, cluster: &Path) -> Result<Self, DevError> {
        let folders = named.map_or_else(candidates, |folder| vec![folder.to_owned()]);
        let found: Vec<Self> = folders.into_iter().filter_map(Self::at).collect();
        let Some(newest) = found.iter().max_by_key(|install| install.major) else {
            return Err(DevError::Missing {
                program: "PostgreSQL (`postgres` with `initdb` beside it)",
                remedy: REMEDY,
            });
        };
        if newest.major < OLDEST {
            return Err(DevError::TooOld {
                found: newest.major,
                path: newest.bin.clone(),
                needed: OLDEST,
            });
        }
        let Ok(made_by) = fs::read_to_string(cluster.join("PG_VERSION")) else {
            let first = found.iter().find(|install| install.major >= OLDEST);
            return Ok(first.unwrap_or(newest).clone());
        };
        let fitting = |install: &&Self| install.major.to_string() == made_by.trim();
        found
            .iter()
            .find(fitting)
            .cloned()
            .ok_or_else(|| DevError::OtherMajor {
                path: cluster.to_owned(),
                made_by: made_by.trim().to_owned(),
            })
    }

    fn at(bin: PathBuf) -> Option<Self> {
        let postgres = bin.join("postgres");
        if !bin.join("initdb").exists() {
            return None;
        }
        let said = output(Command::new(postgres).arg("--version"))?;
        let (major, version) = parse_version(&said)?;
        Some(Self {
            bin,
            major,
            version: version.to_owned(),
        })
    }

    /// A program of this version.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// The full version, such as `15.18`.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Whether the server can load the library `name`.
    pub(super) fn has_library(&self, name: &str) -> bool {
        let asked = output(Command::new(self.program("pg_config")).arg("--pkglibdir"));
        let folder = asked.map_or_else(
            || self.bin.join("../lib"),
            |folder| PathBuf::from(folder.trim()),
        );
        ["so", "dylib"]
            .iter()
            .any(|kind| folder.join(format!("{name}.{kind}")).exists())
    }
}

/// Folders that may hold the programs, the likeliest first.
fn candidates() -> Vec<PathBuf> {
    let on_path = search_path().into_iter().filter_map(|folder| {
        // A link on the path leads to the folder where the other programs are too.
        let postgres = fs::canonicalize(folder.join("postgres")).ok()?;
        postgres.parent().map(Path::to_owned)
    });
    let mut folders: Vec<PathBuf> = on_path.collect();
    folders.extend(versioned());
    let configured = output(Command::new("pg_config").arg("--bindir"));
    folders.extend(configured.map(|folder| PathBuf::from(folder.trim())));
    folders
}

/// The folders of all versions that packagers put side by side, the newest first.
fn versioned() -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (above, prefix, below) in VERSIONED {
        for entry in fs::read_dir(above).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix));
            if let Some(major) = version.and_then(|version| version.parse().ok()) {
                found.push((major, entry.path().join(below)));
            }
        }
    }
    found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn output(command: &mut Command) -> Option<String> {
    let run = command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    run.status
        .success()
        .then(|| String::from_utf8_lossy(&run.stdout).into_owned())
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`, also `18beta1` and `19devel`.
fn parse_version(said: &str) -> Option<(u32, &str)> {
    let version = said
        .split_once("(PostgreSQL) ")?
        .1
        .split_whitespace()
        .next()?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    Some((version[..digits].parse().ok()?, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_server_prints_them() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(parse_version(debian), Some((15, "15.18")));
        assert_eq!(
            parse_version("postgres (PostgreSQL) 19devel\n"),
            Some((19, "19devel"))
        );
        assert_eq!(
            parse_version("postgres (PostgreSQL) 9.6.24\n"),
            Some((9, "9.6.24"))
        );
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn a_folder_without_the_programs_is_told_to_be_missing() {
        let empty = std::env::temp_dir().join("dealgraph-no-such-folder");
        let refusal = Install::find(Some(&empty), &empty).unwrap_err();
        assert!(matches!(refusal, DevError::Missing { .. }), "{refusal}");
    }
}
