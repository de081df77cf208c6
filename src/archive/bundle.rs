//! One pod's profiles, as entries of the archive.

use std::collections::BTreeMap;
use std::io::{self, Read};

use jiff::Timestamp;

use super::entry::Entry;
use super::framing::LARGEST_MEMBER;
use super::spool::{EntryError, Spool};
use crate::manifest::{Partial, WindowNumbers};
use crate::pprof::proto::Summary;
use crate::pprof::{self, Kind, Profile, Served};

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
    /// `runtime.MemStats`, by name.
    pub mem_stats: BTreeMap<String, String>,
    /// The differences to its baseline.
    pub differences: Vec<Entry>,
    /// What the pod did in the window, once it is compared.
    pub in_window: Option<Box<WindowNumbers>>,
    /// The kinds that have no samples though their profiles are whole, and why.
    pub empty: BTreeMap<Kind, &'static str>,
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
            differences: Vec::new(),
            in_window: None,
            empty: BTreeMap::new(),
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
        let mut as_served = spool.begin_as_served().map_err(EntryError::from)?;
        let read = pprof::read(kind, content, &mut as_served);
        let entry = match read.map_err(|source| ProfileError::Content { file, source })? {
            Served::Profile(summary) => {
                if kind == Kind::Cpu {
                    self.cpu = Some(summary);
                }
                let mut entry = spool.finish_as_served(as_served, &path)?;
                if let Some(entry) = &mut entry {
                    entry.file.samples = Some(summary.samples);
                }
                entry
            }
            Served::Damaged(why) => {
                let mut entry = spool.finish_as_served(as_served, &path)?;
                if let Some(entry) = &mut entry {
                    entry.file.damage = Some(why);
                }
                entry
            }
            Served::Text {
                profile,
                notes,
                partial,
                mem_stats,
            } => {
                let is_kept = spool.keeps_text(partial.is_some());
                if let Some(name) = kind.original_name().filter(|_| is_kept) {
                    let original = spool.finish_as_served(as_served, &format!("{pod}/{name}"))?;
                    self.originals.extend(original);
                }
                if kind == Kind::Heap {
                    self.mem_stats = mem_stats;
                }
                let mut entry = self.converted(&profile, &path, spool)?;
                entry.file.notes = notes;
                entry.file.partial = partial.map(Partial::from);
                Some(entry)
            }
        };
        self.entries.extend(entry.map(|entry| (kind, entry)));
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
        let entries = entries.chain(&self.differences);
        let bytes = entries.map(|entry| entry.compressed_bytes + LARGEST_MEMBER);
        bytes.sum::<u64>() + LARGEST_MEMBER
    }

    /// The kinds of profile that are not there.
    pub fn lacking(&self) -> Vec<Kind> {
        let lacks = |kind: &Kind| !self.entries.contains_key(kind);
        Kind::ALL.into_iter().filter(lacks).collect()
    }

    /// The kinds of profile that have samples.
    pub fn sampled(&self) -> Vec<Kind> {
        let entries = self.entries.iter();
        let sampled =
            entries.filter(|(_, entry)| entry.file.samples.is_some_and(|count| count > 0));
        sampled.map(|(kind, _)| *kind).collect()
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
