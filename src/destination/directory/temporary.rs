//! Files under temporary names, which are locked while their writer lives, as far as the file system locks
//! anything.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use crate::config::{RunFile, RunId};
use crate::destination::error::DestinationError;
use crate::errors::plain;
use crate::file;
use crate::limits::ABANDONED;

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

/// Writes a whole file, or none.
pub(super) fn write_durably(target: &Path, content: &[u8]) -> Result<(), DestinationError> {
    let (temporary, mut file) = Temporary::beside(target)?;
    match file.write_all(content) {
        Ok(()) => temporary.publish(&file),
        Err(error) => {
            let fault = DestinationError::io("write", temporary.path(), &error);
            temporary.remove();
            Err(fault)
        }
    }
}

/// Creates a file and locks it. If another run removes what dead ones left between the two, the name counts
/// as taken, and another one is tried.
fn create_locked(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(io::ErrorKind::AlreadyExists.into()),
        // On a file system without locks the file works, and nothing tells that its writer lives.
        Err(TryLockError::Error(_)) => Ok(file),
        Ok(()) if !path.exists() => Err(io::ErrorKind::AlreadyExists.into()),
        Ok(()) => Ok(file),
    }
}

/// Whether something is left under a temporary name of a run's files.
pub(super) fn is_left_of(directory: &Path, run: &RunId) -> bool {
    let files = &files_of(run);
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| is_of(&name.to_string_lossy(), files))
}

/// Removes what dead writers left under temporary names: of the files of this run, which has the cluster's lock, and whatever is older than a day. Others' may be alive: on file systems that are
/// shared a lock tells one node nothing of another's. One that cannot be removed is in nobody's way but for
/// its size: it is warned of.
pub(super) fn remove_abandoned(directory: &Path, run: &RunId) {
    let files = &files_of(run);
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if !is_temporary(&name) || !(is_of(&name, files) || file::is_older_than(&entry, ABANDONED))
        {
            continue;
        }
        // Opened for writing, for some file systems lock nothing else.
        let Ok(file) = OpenOptions::new().write(true).open(&path) else {
            continue;
        };
        // Where nothing is locked, nothing tells of a writer that lives: the cluster's lock does.
        let is_alive = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        if !is_alive && remove(&path) {
            let path = plain(&path.display().to_string());
            tracing::info!(path, "removed what a dead run left");
        }
    }
}

fn files_of(run: &RunId) -> Vec<String> {
    RunFile::ALL.map(|file| run.file_name(file)).into()
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Whether this is a temporary name of one of these files.
fn is_of(name: &str, files: &[String]) -> bool {
    let middle = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_suffix(SUFFIX));
    let target = middle.and_then(|middle| middle.rsplit_once('.'));
    target.is_some_and(|(target, _)| files.iter().any(|file| file == target))
}

/// Removes a temporary file; says whether it could be.
fn remove(path: &Path) -> bool {
    let removed = fs::remove_file(path);
    if let Err(error) = &removed {
        tracing::warn!(path = plain(&path.display().to_string()), %error, "an unfinished file stays");
    }
    removed.is_ok()
}
