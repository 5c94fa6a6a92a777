//! The account the servers run as, because PostgreSQL refuses to run as root.
//!
//! As an ordinary user everything runs as that user. As root it is the owner of a cluster that is already
//! there, else `postgres`, else `nobody`.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

use super::error::DevError;

/// Who the servers run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Account {
    uid: u32,
    gid: u32,
    switch: Switch,
}

/// Whether a child has to change its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    Stay,
    Change,
}

impl Account {
    /// The account for the servers whose cluster is, or will be, at `cluster`.
    ///
    /// # Errors
    /// [`DevError::NoAccount`] when we are root and there is nobody else.
    pub(super) fn choose(cluster: &Path) -> Result<Self, DevError> {
        if !Uid::effective().is_root() {
            return Ok(Self {
                uid: Uid::effective().as_raw(),
                gid: nix::unistd::Gid::effective().as_raw(),
                switch: Switch::Stay,
            });
        }
        if let Ok(owner) = fs::symlink_metadata(cluster)
            && owner.is_dir()
            && owner.uid() != 0
        {
            return Ok(Self::other(owner.uid(), owner.gid()));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(|name| User::from_name(name).ok().flatten())
            .map(|user| Self::other(user.uid.as_raw(), user.gid.as_raw()))
            .ok_or(DevError::NoAccount)
    }

    fn other(uid: u32, gid: u32) -> Self {
        Self {
            uid,
            gid,
            switch: Switch::Change,
        }
    }

    /// Makes `command` run as this account.
    pub(super) fn apply(self, command: &mut Command) {
        if self.switch == Switch::Change {
            command.uid(self.uid).gid(self.gid);
        }
    }

    /// Whether this account can enter `folder`: found out by trying, since mode bits do not say it all
    /// (access lists, sandboxes, network file systems).
    pub(super) fn can_enter(self, folder: &Path) -> bool {
        if self.switch == Switch::Stay {
            return true;
        }
        let mut probe = Command::new("/bin/sh");
        probe.args(["-c", "exit 0"]).current_dir(folder);
        probe.stdin(Stdio::null()).stdout(Stdio::null());
        self.apply(&mut probe);
        probe.status().is_ok_and(|status| status.success())
    }

    /// Makes `folder` a private folder of this account, creating it if need be.
    ///
    /// # Errors
    /// [`DevError::File`] when it cannot be made, or is something else than a folder of ours.
    pub(super) fn own(self, folder: &Path) -> Result<(), DevError> {
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Ok(()) => {}
            Err(exists) if exists.kind() == io::ErrorKind::AlreadyExists => {}
            Err(other) => return Err(DevError::file("create", folder)(other)),
        }
        let found = fs::symlink_metadata(folder).map_err(DevError::file("read", folder))?;
        if !found.is_dir() {
            let cause = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(DevError::file("use", folder)(cause));
        }
        if found.uid() != self.uid {
            lchown(folder, Some(self.uid), Some(self.gid))
                .map_err(DevError::file("take ownership of", folder))?;
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
                .map_err(DevError::file("close to others", folder))?;
        }
        Ok(())
    }

    /// The user id, to name things that are shared between users.
    pub(super) fn uid(self) -> u32 {
        self.uid
    }
}
