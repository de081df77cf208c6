//! Files under temporary names, which are locked while their writer lives: one that is not locked was left
//! by a writer that is dead.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use crate::destination::error::DestinationError;
use crate::errors::plain;

const PREFIX: &str = ".cluster-profiler-job.";
const SUFFIX: &str = ".partial";

/// Random characters in a temporary name.
const RANDOM: usize = 8;

/// A file under a temporary name in the directory of its final one.
#[derive(Debug)]
pub(super) struct Temporary {
    path: TempPath,
    target: PathBuf,
}

impl Temporary {
    /// Creates and locks a file that is to become `target`.
    pub(super) fn beside(target: &Path) -> Result<(Self, File), DestinationError> {
        let directory = target.parent().unwrap_or(Path::new("/"));
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let created = Builder::new()
            .prefix(&format!("{PREFIX}{name}."))
            .suffix(SUFFIX)
            .rand_bytes(RANDOM)
            // A volume that hangs may not hang the thread that drops this.
            .disable_cleanup(true)
            .make_in(directory, create_locked);
        let (file, path) = created
            .map_err(|error| DestinationError::io("create", target, &error))?
            .into_parts();
        let temporary = Self {
            path,
            target: target.to_owned(),
        };
        Ok((temporary, file))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name, after its content and before anybody relies on it.
    pub(super) fn publish(self, file: &File) -> Result<(), DestinationError> {
        let Self { path, target } = self;
        if let Err(error) = file.sync_all() {
            let fault = DestinationError::io("write", &path, &error);
            remove(&path);
            return Err(fault);
        }
        if let Err(failed) = path.persist(&target) {
            remove(&failed.path);
            return Err(DestinationError::io("rename to", &target, &failed.error));
        }
        let directory = target.parent().unwrap_or(Path::new("/"));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| DestinationError::io("write", directory, &error))
    }

    /// Removes the file, because its content could not be written.
    pub(super) fn remove(&self) {
        remove(&self.path);
    }
}

/// Creates a file and locks it. If another run removes what dead ones left between the two, the name counts
/// as taken, and another one is tried.
fn create_locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::AlreadyExists.into()),
        // On a file system without locks the file works; only what is left of it is never removed.
        Err(TryLockError::Error(_)) => Ok(file),
        Ok(()) if !path.exists() => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(()) => Ok(file),
    }
}

/// Removes the temporary files whose writers are dead. One that cannot be removed is in nobody's way but
/// for its size: it is warned of.
pub(super) fn remove_abandoned(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(PREFIX) || !name.ends_with(SUFFIX) {
            continue;
        }
        // Opened for writing, for some file systems lock nothing else.
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        if file.try_lock().is_ok() && remove(&path) {
            tracing::info!(
                path = plain(&path.display().to_string()),
                "removed what a dead run left"
            );
        }
    }
}

/// Removes a temporary file; says whether it could be.
fn remove(path: &Path) -> bool {
    let removed = fs::remove_file(path);
    if let Err(error) = &removed {
        tracing::warn!(path = plain(&path.display().to_string()), %error, "an unfinished file stays");
    }
    removed.is_ok()
}
