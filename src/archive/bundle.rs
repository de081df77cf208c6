//! The pod is the unit of commit: all its entries go into the archive, or none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Entry, EntryWriter};
use super::framing::{PathError, check_path};
use super::gzip::Compressors;
use crate::pprof::Kind;
use crate::pprof::proto::Times;

/// Where a run's entries are made.
#[derive(Debug, Clone)]
pub struct Spool {
    root: String,
    temporary: PathBuf,
    compressors: Compressors,
}

/// An entry that cannot be begun.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Its path does not fit the archive.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The temporary file cannot be written.
    #[error("a temporary file: {0}")]
    Temporary(#[from] io::Error),
}

impl Spool {
    /// A place for the entries below the archive's one top directory, `profile-RUN_ID`; what
    /// outgrows memory goes to files in `temporary`.
    pub fn new(root: String, temporary: PathBuf) -> Self {
        Self {
            root,
            temporary,
            compressors: Compressors::default(),
        }
    }

    /// Where temporary files go.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Begins an entry at a path below the archive's top directory.
    ///
    /// # Errors
    /// The path does not fit a ustar header, or the temporary file cannot be written.
    pub fn entry(&self, path: &str) -> Result<EntryWriter, EntryError> {
        let path = format!("{}/{path}", self.root);
        check_path(&path)?;
        Ok(EntryWriter::new(path, &self.temporary, &self.compressors)?)
    }

    /// Begins the entry of one profile of a pod.
    ///
    /// # Errors
    /// As of [`Self::entry`].
    pub fn profile(&self, pod: &str, kind: Kind) -> Result<EntryWriter, EntryError> {
        self.entry(&format!("{pod}/{}", kind.file_name()))
    }
}

/// One pod's finished entries.
#[derive(Debug, Default)]
pub struct PodBundle {
    /// The profiles, by kind.
    pub entries: BTreeMap<Kind, Entry>,
    /// When the cpu profile was taken, by its own account, or why it is none.
    pub cpu_times: Option<Result<Times, String>>,
}

impl PodBundle {
    /// The profiles that are not there.
    pub fn lacking(&self) -> Vec<Kind> {
        let lacks = |kind: &Kind| !self.entries.contains_key(kind);
        Kind::ALL.into_iter().filter(lacks).collect()
    }
}
