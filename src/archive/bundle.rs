//! The pod is the unit of commit: all its entries go into the archive, or none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::entry::{Entry, EntryWriter};
use super::framing::{PathError, check_path};
use super::gzip::Compressors;
use crate::pprof::Kind;
use crate::pprof::proto::Summary;

/// Where a run's entries are made.
#[derive(Debug, Clone)]
pub struct Spool {
    root: String,
    temporary: PathBuf,
    keep_originals: bool,
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
    /// outgrows memory goes to files in `temporary`. Whether the texts of converted profiles are
    /// kept is the run's to say.
    pub fn new(root: String, temporary: PathBuf, keep_originals: bool) -> Self {
        Self {
            root,
            temporary,
            keep_originals,
            compressors: Compressors::default(),
        }
    }

    /// Where temporary files go.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Whether the texts of converted profiles are kept.
    pub fn keep_originals(&self) -> bool {
        self.keep_originals
    }

    /// Begins an entry.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn begin(&self) -> io::Result<EntryWriter> {
        EntryWriter::new(&self.temporary, &self.compressors)
    }

    /// Ends an entry, at a path below the archive's top directory.
    ///
    /// # Errors
    /// The path does not fit a ustar header, or the temporary file cannot be written.
    pub fn finish(&self, entry: EntryWriter, path: &str) -> Result<Entry, EntryError> {
        let path = format!("{}/{path}", self.root);
        check_path(&path)?;
        Ok(entry.finish(path)?)
    }
}

/// One pod's finished entries.
#[derive(Debug, Default)]
pub struct PodBundle {
    /// The profiles, by kind.
    pub entries: BTreeMap<Kind, Entry>,
    /// The texts of those that were converted.
    pub originals: Vec<Entry>,
    /// What the cpu profile says of itself, if it is one.
    pub cpu: Option<Summary>,
    /// `runtime.MemStats`, by name.
    pub mem_stats: BTreeMap<String, String>,
}

impl PodBundle {
    /// The profiles that are not there.
    pub fn lacking(&self) -> Vec<Kind> {
        let lacks = |kind: &Kind| !self.entries.contains_key(kind);
        Kind::ALL.into_iter().filter(lacks).collect()
    }

    /// What is wrong with its profiles.
    pub fn damage(&self) -> impl Iterator<Item = String> {
        self.entries.iter().filter_map(|(kind, entry)| {
            let damage = entry.file.damage.as_ref()?;
            Some(format!("{}: {damage}", kind.file_name()))
        })
    }
}
