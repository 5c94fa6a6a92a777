//! Servers' clocks that go wrong, by libfaketime (<https://github.com/wolfcw/libfaketime>): what a machine without NTP, or one
//! that was frozen, takes for the time. Monotonic time goes on as it is, as it does on such a machine.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::{Outcome, say};

/// The dynamic loader, where the ABI of each architecture has it: by it a server is started with the library before all others
/// (ld.so(8), `--preload`).
const LOADERS: [&str; 2] = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
/// Where distributions have the library: Debian by architecture, others in one folder.
const FOLDERS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu/faketime",
    "/usr/lib/aarch64-linux-gnu/faketime",
    "/usr/lib64/faketime",
    "/usr/lib/faketime",
    "/usr/local/lib/faketime",
];
const RIGHT: &str = "+0";
/// Two minutes ahead, or behind: beyond what tokens allow for.
const WRONG: [&str; 2] = ["+120", "-120"];

/// The clock of a server, which reads from a file how far it is off.
#[derive(Debug, Clone)]
pub(crate) struct FalseClock {
    loader: &'static str,
    faketime: PathBuf,
    offset: PathBuf,
}

impl FalseClock {
    /// One that goes right so far; none where the library is missing.
    pub(crate) fn new(folder: &Path, server: usize) -> Outcome<Option<Self>> {
        let libraries = FOLDERS.map(|folder| Path::new(folder).join("libfaketimeMT.so.1"));
        let library = libraries.into_iter().find(|library| library.exists());
        let loader = LOADERS
            .into_iter()
            .find(|loader| Path::new(loader).exists());
        let Some((library, loader)) = library.zip(loader) else {
            if server == 0 {
                say("clocks will go right: libfaketime is not installed");
            }
            return Ok(None);
        };
        let offset = folder.join(format!("clock-{server}"));
        let clock = Self {
            loader,
            faketime: library,
            offset,
        };
        clock.set_right()?;
        Ok(Some(clock))
    }

    /// What a server that has it is started by.
    pub(crate) fn starter(&self) -> Vec<OsString> {
        vec![
            self.loader.into(),
            "--preload".into(),
            self.faketime.clone().into(),
        ]
    }

    /// The environment of a server that has it.
    pub(crate) fn settings(&self) -> [(&'static str, String); 4] {
        let offset = self.offset.to_string_lossy().into_owned();
        [
            ("FAKETIME_TIMESTAMP_FILE", offset),
            // In seconds: how long it goes on by what it has read.
            ("FAKETIME_CACHE_DURATION", "1".to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("NO_FAKE_STAT", "1".to_owned()),
        ]
    }

    pub(crate) fn set_wrong(&self, dice: &mut fastrand::Rng) -> Outcome<()> {
        self.set(WRONG[dice.usize(..WRONG.len())])
    }

    pub(crate) fn set_right(&self) -> Outcome<()> {
        self.set(RIGHT)
    }

    /// In one step: a file that is half written would be another time.
    fn set(&self, offset: &str) -> Outcome<()> {
        let draft = self.offset.with_extension("draft");
        fs::write(&draft, offset)?;
        Ok(fs::rename(draft, &self.offset)?)
    }
}
