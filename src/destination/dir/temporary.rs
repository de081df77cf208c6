//! Temporary names: locked while their writer lives, so that what a dead one left can be told.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::destination::fault::DestinationError;

const PREFIX: &str = ".cluster-profiler-job.";
const SUFFIX: &str = ".partial";

/// A file under a temporary name in the directory of its final one.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    target: PathBuf,
}

impl Temporary {
    /// A file that is to become `target`.
    pub(super) fn beside(target: &Path) -> Result<(Self, File), DestinationError> {
        let directory = target.parent().unwrap_or(Path::new("/"));
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        Self::create(directory, &name)
    }

    /// Creates and locks a file. Another run may sweep between the two; then a new name is taken.
    fn create(directory: &Path, name: &str) -> Result<(Self, File), DestinationError> {
        loop {
            let chance = fastrand::u32(..);
            let path = directory.join(format!("{PREFIX}{name}.{chance:08x}{SUFFIX}"));
            let created = OpenOptions::new().write(true).create_new(true).open(&path);
            let file = match created {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(DestinationError::io("create", &path, &error)),
            };
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                // A file system without locks: the file works, only sweeping does not.
                Err(TryLockError::Error(_)) => {}
                Ok(()) if !path.exists() => continue,
                Ok(()) => {}
            }
            let target = directory.join(name);
            return Ok((Self { path, target }, file));
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name, after its content and before anybody relies on it.
    pub(super) fn publish(self, file: &File) -> Result<(), DestinationError> {
        let (path, target) = (&self.path, &self.target);
        let synced = file.sync_all();
        let renamed = synced
            .map_err(|error| DestinationError::io("write", path, &error))
            .and_then(|()| {
                let renamed = fs::rename(path, target);
                renamed.map_err(|error| DestinationError::io("rename to", target, &error))
            });
        if renamed.is_err() {
            self.remove();
            return renamed;
        }
        let directory = target.parent().unwrap_or(Path::new("/"));
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| DestinationError::io("write", directory, &error))
    }

    /// Removes it, for its content failed.
    pub(super) fn remove(&self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished file stays");
        }
    }
}

/// Removes temporary files of writers that are gone. What cannot be removed is in nobody's way but
/// for its size: it is warned of.
pub(super) fn sweep(directory: &Path) {
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
        if file.try_lock().is_ok() {
            match fs::remove_file(&path) {
                Ok(()) => tracing::info!(path = %path.display(), "removed what a dead run left"),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an unfinished file stays")
                }
            }
        }
    }
}
