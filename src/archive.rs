//! The archive: a tar.gz with the profiles of each pod. The pod is the unit of commit: all its entries go
//! into the archive, or none.
//!
//! Entries are ustar (POSIX.1-1988), each in gzip members (RFC 1952) of its own. Members that follow each
//! other are one valid gzip file, so an entry's data can be compressed before its size, and so its header,
//! is known.

mod entry;
mod framing;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use entry::Compressors;
pub use entry::{Entry, EntryWriter};
use framing::LARGEST_MEMBER;
pub use framing::{Framing, PathError, check_path};

use jiff::Timestamp;

use crate::manifest::Partial;
use crate::pprof::proto::Summary;
use crate::pprof::{self, Kind, Profile, Served};

/// The place where a run's entries are made.
#[derive(Debug, Clone)]
pub struct Spool {
    root: String,
    temporary: PathBuf,
    keep_originals: bool,
    compressing: Compressors,
    storing: Compressors,
}

/// An entry that cannot be made.
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
    /// A spool for the entries below `root`, the archive's one top directory; what outgrows memory goes to
    /// files in `temporary`. `keep_originals` says whether the texts of converted profiles are kept.
    pub fn new(root: String, temporary: PathBuf, keep_originals: bool) -> Self {
        Self {
            root,
            temporary,
            keep_originals,
            compressing: Compressors::compressing(),
            storing: Compressors::storing(),
        }
    }

    /// The archive's one top directory, which has the run's name.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The directory for temporary files.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Begins an entry.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn begin(&self) -> io::Result<EntryWriter> {
        EntryWriter::new(&self.temporary, &self.compressing)
    }

    /// Begins an entry whose content is packed already, and so is stored as it is.
    fn begin_packed(&self) -> io::Result<EntryWriter> {
        EntryWriter::new(&self.temporary, &self.storing)
    }

    /// Ends an entry, at a path below the archive's top directory.
    ///
    /// # Errors
    /// The path does not fit a ustar header, or the temporary file cannot be written.
    pub fn finish(&self, entry: EntryWriter, path: &str) -> Result<Entry, EntryError> {
        let full_path = format!("{}/{path}", self.root);
        check_path(&full_path)?;
        Ok(entry.finish(full_path)?)
    }
}

/// One pod's finished entries.
#[derive(Debug)]
pub struct PodBundle {
    /// When the pod's profiles began to arrive. All of them bear this time.
    pub dumped_at: Timestamp,
    /// The profiles, by kind.
    pub entries: BTreeMap<Kind, Entry>,
    /// The texts of those that were converted.
    pub originals: Vec<Entry>,
    /// What the cpu profile says of itself, if it can be read.
    pub cpu: Option<Summary>,
    /// `runtime.MemStats`, by name, without the last pauses.
    pub mem_stats: BTreeMap<String, String>,
}

/// A profile that cannot be added to a bundle.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is no room for it, or its path does not fit the archive.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It cannot be read or kept.
    #[error("{file}: {source}")]
    Content {
        /// The profile's file name.
        file: &'static str,
        /// The error of the stream, the base64 or the temporary file.
        source: io::Error,
    },
    /// The pod has it already.
    #[error("{0} is there twice")]
    Twice(&'static str),
}

impl PodBundle {
    /// An empty bundle of a pod that was dumped at this time.
    pub fn new(dumped_at: Timestamp) -> Self {
        Self {
            dumped_at,
            entries: BTreeMap::new(),
            originals: Vec::new(),
            cpu: None,
            mem_stats: BTreeMap::new(),
        }
    }

    /// Reads a profile of a pod to its end, and adds it: hashed, compressed, and converted as it passes. What
    /// cannot be understood is kept as it came.
    ///
    /// # Errors
    /// The profile cannot be read or kept, or is there already. The bundle is not to be used any more.
    pub fn add_profile(
        &mut self,
        pod: &str,
        kind: Kind,
        content: impl Read,
        spool: &Spool,
    ) -> Result<(), ProfileError> {
        let file = kind.file_name();
        let path = format!("{pod}/{file}");
        if self.entries.contains_key(&kind) {
            return Err(ProfileError::Twice(file));
        }
        let mut as_served = spool.begin().map_err(EntryError::from)?;
        let read = pprof::read(kind, content, &mut as_served);
        let entry = match read.map_err(|source| ProfileError::Content { file, source })? {
            Served::Profile(summary) => {
                if kind == Kind::Cpu {
                    self.cpu = Some(summary);
                }
                let mut entry = spool.finish(as_served, &path)?;
                entry.file.samples = Some(summary.samples);
                entry
            }
            Served::Damaged(why) => {
                let mut entry = spool.finish(as_served, &path)?;
                entry.file.damage = Some(why);
                entry
            }
            Served::Text {
                profile,
                notes,
                partial,
                mem_stats,
            } => {
                // What the profile lacks is in the text alone.
                let is_kept = spool.keep_originals || partial.is_some();
                if let Some(name) = kind.original_name().filter(|_| is_kept) {
                    let original = spool.finish(as_served, &format!("{pod}/{name}"))?;
                    self.originals.push(original);
                }
                if kind == Kind::Heap {
                    self.mem_stats = mem_stats;
                    // Thousands of characters a pod, for nobody to read.
                    self.mem_stats.remove(pprof::LAST_STOPS);
                }
                let mut entry = self.converted(&profile, &path, spool)?;
                entry.file.notes = notes;
                entry.file.partial = partial.map(Partial::from);
                entry
            }
        };
        self.entries.insert(kind, entry);
        Ok(())
    }

    /// The entry of a profile that was made out of a text.
    fn converted(&self, profile: &Profile, path: &str, spool: &Spool) -> Result<Entry, EntryError> {
        let mut writer = spool.begin_packed()?;
        profile.write(self.dumped_at, &mut writer)?;
        let mut entry = spool.finish(writer, path)?;
        entry.file.samples = Some(profile.samples());
        Ok(entry)
    }

    /// More than the bundle takes of an archive, with the framing of its entries and the archive's end.
    pub fn most_bytes(&self) -> u64 {
        let entries = self.entries.values().chain(&self.originals);
        let bytes = entries.map(|entry| entry.compressed_bytes + LARGEST_MEMBER);
        bytes.sum::<u64>() + LARGEST_MEMBER
    }

    /// The kinds of profile that are not there.
    pub fn lacking(&self) -> Vec<Kind> {
        let lacks = |kind: &Kind| !self.entries.contains_key(kind);
        Kind::ALL.into_iter().filter(lacks).collect()
    }

    /// What is wrong with its profiles: they are damaged, or lack too much.
    pub fn damage(&self) -> impl Iterator<Item = String> {
        self.entries.iter().filter_map(|(kind, entry)| {
            let file = kind.file_name();
            let partial = entry
                .file
                .partial
                .as_ref()
                .filter(|partial| !partial.slight);
            let partial = partial.map(|partial| format!("{file} is partial: {}", partial.why));
            let damage = entry.file.damage.as_ref();
            partial.or_else(|| damage.map(|why| format!("{file}: {why}")))
        })
    }
}
