//! The output directory of upstream's program: which pods in it are whole, and their profiles.
//!
//! The program makes a pod's directory, writes the pod's files and goes on to the next; after every page it
//! tells how many it has written. It may be writing on by the time that is read, so the directories that are
//! there are counted: a directory is whole once the program has told of as many as there were when it was
//! seen.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::archive::{PodBundle, ProfileError, Spool};
use crate::engine::pod_dump::note_unexpected_name;
use crate::manifest::UnexpectedName;
use crate::pprof::Kind;

/// The output directory of one call of the program.
#[derive(Debug)]
pub(super) struct OutputDirectory {
    path: PathBuf,
    /// How many names were deleted.
    deleted: usize,
    /// What was there and may not be whole.
    unsure: Seen,
}

/// The names that were there at some moment.
#[derive(Debug, Default)]
struct Seen {
    names: BTreeSet<OsString>,
    /// How many names were made until then, at the most; those that were deleted count.
    count: usize,
}

/// A pod that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// Its directory cannot be read.
    #[error(transparent)]
    Directory(#[from] io::Error),
    /// One of its profiles cannot be kept.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl OutputDirectory {
    /// The directory at this path, which the program makes.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            deleted: 0,
            unsure: Seen::default(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names that are whole when the program has told of so many pods.
    pub(super) fn whole(&mut self, written: usize) -> io::Result<BTreeSet<OsString>> {
        let mut seen = self.look()?;
        if seen.count <= written {
            return Ok(seen.names);
        }
        let mut whole = BTreeSet::new();
        if self.unsure.count <= written {
            whole = std::mem::take(&mut self.unsure.names);
            seen.names.retain(|name| !whole.contains(name));
        }
        self.unsure = seen;
        Ok(whole)
    }

    /// Looks twice: a look beside the writer may miss one directory and see a later one, but the second look
    /// misses none that was made before what the first one saw.
    fn look(&self) -> io::Result<Seen> {
        let names = names_in(&self.path)?;
        let count = self.deleted + names_in(&self.path)?.len();
        Ok(Seen { names, count })
    }

    /// A pod's profiles, and the unexpected names in its directory.
    pub(super) fn read(
        &self,
        pod: &str,
        spool: &Spool,
    ) -> Result<(PodBundle, Vec<UnexpectedName>), ReadError> {
        let mut unexpected_names = Vec::new();
        let directory = self.path.join(pod);
        let names = names_in(&directory)?;
        let mut bundle = PodBundle::new(first_written(&directory, &names)?);
        for file_name in names {
            let path = directory.join(&file_name);
            let name = file_name.to_string_lossy();
            match Kind::from_file_name(&name) {
                None => {
                    let why = "no profile has this file name";
                    note_unexpected_name(&mut unexpected_names, pod, &name, why);
                }
                Some(_) if !fs::symlink_metadata(&path)?.is_file() => {
                    let why = "it is no regular file";
                    note_unexpected_name(&mut unexpected_names, pod, &name, why);
                }
                Some(kind) => bundle.add_profile(pod, kind, File::open(&path)?, spool)?,
            }
        }
        Ok((bundle, unexpected_names))
    }

    /// Whether a name is a directory itself, and no link to one.
    pub(super) fn is_directory(&self, name: &OsStr) -> bool {
        fs::symlink_metadata(self.path.join(name)).is_ok_and(|metadata| metadata.is_dir())
    }

    /// Deletes a name and what is in it.
    pub(super) fn delete(&mut self, name: &OsStr) -> io::Result<()> {
        let path = self.path.join(name);
        if self.is_directory(name) {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
        self.deleted += 1;
        Ok(())
    }
}

/// The time at which the program wrote the first of these files in a directory.
fn first_written(directory: &Path, names: &BTreeSet<OsString>) -> io::Result<Timestamp> {
    let mut first = Timestamp::now();
    for name in names {
        let written = fs::symlink_metadata(directory.join(name))?.modified()?;
        first = first.min(Timestamp::try_from(written).map_err(io::Error::other)?);
    }
    Ok(first)
}

/// The names in a directory; none where there is no directory.
fn names_in(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::symlink_metadata(directory) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    }
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}
