//! The directory that upstream's program fills: which pods in it are whole, and their profiles.
//!
//! The program makes a pod's directory, writes the pod's files and goes on to the next; after every
//! page it tells how many it has written. It may be writing on by the time that is read, so the
//! directories that are there are counted: a directory is whole once the program has told of as
//! many as there were when it was seen.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::profile::{self, ProfileError};
use super::refusal::refuse;
use crate::archive::{PodBundle, Spool};
use crate::manifest::UnexpectedName;
use crate::pprof::Kind;

/// The directory of one call of the program.
#[derive(Debug)]
pub(super) struct Landing {
    path: PathBuf,
    /// How many were taken away.
    cleared: usize,
    /// What was there but not surely whole.
    unsure: Seen,
}

/// What was there at some moment.
#[derive(Debug, Default)]
struct Seen {
    names: BTreeSet<OsString>,
    /// No name here was made after so many others.
    count: usize,
}

/// A pod that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum LandingError {
    /// Its directory cannot be read.
    #[error(transparent)]
    Directory(#[from] io::Error),
    /// One of its profiles cannot be kept.
    #[error(transparent)]
    Profile(#[from] ProfileError),
}

impl Landing {
    /// The directory at this path, which the program makes.
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            cleared: 0,
            unsure: Seen::default(),
        }
    }

    /// Where it is.
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

    /// Looks twice: a look beside the writer may miss one directory and see a later one, but the
    /// second look misses none that was made before what the first one saw.
    fn look(&self) -> io::Result<Seen> {
        let names = names_in(&self.path)?;
        let count = self.cleared + names_in(&self.path)?.len();
        Ok(Seen { names, count })
    }

    /// A pod's profiles, and what else is in its directory.
    pub(super) fn read(
        &self,
        pod: &str,
        spool: &Spool,
    ) -> Result<(PodBundle, Vec<UnexpectedName>), LandingError> {
        let (mut bundle, mut refused) = (PodBundle::default(), Vec::new());
        let directory = self.path.join(pod);
        for name in names_in(&directory)? {
            let path = directory.join(&name);
            let name = name.to_string_lossy();
            match Kind::from_file_name(&name) {
                None => refuse(&mut refused, pod, &name, "no profile has this file name"),
                Some(_) if !fs::symlink_metadata(&path)?.is_file() => {
                    refuse(&mut refused, pod, &name, "it is no regular file");
                }
                Some(kind) => profile::take(File::open(&path)?, pod, kind, spool, &mut bundle)?,
            }
        }
        Ok((bundle, refused))
    }

    /// Whether a name is a directory itself, and no link to one.
    pub(super) fn is_directory(&self, name: &OsStr) -> bool {
        fs::symlink_metadata(self.path.join(name)).is_ok_and(|found| found.is_dir())
    }

    /// Deletes a name and what is in it.
    pub(super) fn clear(&mut self, name: &OsStr) -> io::Result<()> {
        let path = self.path.join(name);
        if self.is_directory(name) {
            fs::remove_dir_all(path)?;
        } else {
            fs::remove_file(path)?;
        }
        self.cleared += 1;
        Ok(())
    }
}

/// The names in a directory; none where there is no directory.
fn names_in(directory: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::symlink_metadata(directory) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(error),
    }
    fs::read_dir(directory)?
        .map(|entry| Ok(entry?.file_name()))
        .collect()
}
