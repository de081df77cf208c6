//! The place where an archive's profiles are kept until a report is made of them: one temporary file, for their size
//! grows with the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use indexmap::map::Entry;
use indexmap::{IndexMap, IndexSet};

use super::findings::{Part, Unread};
use super::path::{Of, Wanted, profile_path};
use super::section::{Section, Written};
use crate::component::Component;
use crate::file::is_full;
use crate::pprof::{Kind, ProfileReader};

/// The most bytes that a profile may have.
const MOST_OF_PROFILE: u64 = 32 << 20;

/// The most profiles that are kept.
const MOST_PROFILES: usize = 200_000;

/// The most things that could not be read and are named.
const MOST_UNREAD: usize = 100;

/// Profiles that add up: those of a component of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// The component.
    pub component: Component,
    /// The kind.
    pub kind: Kind,
    /// Which part of it.
    pub part: Part,
}

/// Profiles of a component and a kind in one snapshot, by its name.
pub(super) type SnapshotGroup = (String, Component, Kind);

/// Profiles by the index of their pod's name, in the order in which they came.
pub(super) type Profiles = IndexMap<usize, Stored, hashbrown::DefaultHashBuilder>;

/// A profile's place in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// The index of its pod's name.
    pod: usize,
    offset: u64,
    bytes: u64,
}

/// Profiles in a temporary file.
#[derive(Debug)]
pub struct ProfileStore {
    file: File,
    /// The directory of the file.
    temporary: PathBuf,
    pub(super) wanted: Wanted,
    bytes: u64,
    most_bytes: u64,
    count: usize,
    pub(super) pods: IndexSet<String, hashbrown::DefaultHashBuilder>,
    pub(super) groups: BTreeMap<Group, Profiles>,
    snapshots: BTreeMap<SnapshotGroup, Profiles>,
    /// Pods of which something did not find room.
    pub(super) left_out: BTreeSet<String>,
    /// Why nothing more is kept.
    failed: Option<String>,
    unread: Vec<Unread>,
    pub(super) unnamed: usize,
}

impl ProfileStore {
    /// An empty store of at most so many bytes, in a file that has no name.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn new(temporary: &Path, wanted: Wanted, most_bytes: u64) -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile_in(temporary)?,
            temporary: temporary.to_owned(),
            wanted,
            bytes: 0,
            most_bytes,
            count: 0,
            pods: IndexSet::default(),
            groups: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            left_out: BTreeSet::new(),
            failed: None,
            unread: Vec::new(),
            unnamed: 0,
        })
    }

    /// Whether a file is a profile that is kept.
    pub fn wants(&self, path: &str) -> bool {
        profile_path(path).is_some_and(|path| self.wanted.has(&path))
    }

    /// Keeps the content of a file that is wanted.
    ///
    /// # Errors
    /// The content cannot be read to its end; what was read is not kept. It is no error if there is no room for it.
    pub fn keep(&mut self, path: &str, content: impl Read) -> io::Result<()> {
        if self.failed.is_some() || self.count >= MOST_PROFILES {
            self.leave_out(path);
            return Ok(());
        }
        let room = self.most_bytes.saturating_sub(self.bytes);
        let most = room.min(MOST_OF_PROFILE);
        let mut written = Written::new(&mut self.file);
        let copied = io::copy(&mut content.take(most + 1), &mut written);
        match (copied, written.failed) {
            (Ok(bytes), _) if bytes <= most => {
                self.note(path, bytes);
                return Ok(());
            }
            (Ok(_), _) if most < room => {
                self.note_unread(
                    path,
                    "it is larger than 32 MiB, which no profile of a component is",
                );
            }
            (Ok(_), _) => self.leave_out(path),
            (Err(error), true) => {
                self.failed = Some(self.why_unwritable(&error));
                self.leave_out(path);
            }
            (Err(error), false) => {
                self.rewind_to_end();
                return Err(error);
            }
        }
        self.rewind_to_end();
        Ok(())
    }

    /// Why the store takes nothing more, if its file cannot be written.
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Notes that a file could not be read, and why.
    pub fn note_unread(&mut self, path: &str, why: impl ToString) {
        if self.unread.len() >= MOST_UNREAD {
            self.unnamed += 1;
            return;
        }
        self.unread.push(Unread {
            path: path.to_owned(),
            why: why.to_string(),
        });
    }

    /// What could not be read, so far.
    pub fn unread(&self) -> Vec<Unread> {
        let mut all = self.unread.clone();
        if self.unnamed > 0 {
            all.push(Unread {
                path: "…".to_owned(),
                why: format!("{} more, which are not named here", self.unnamed),
            });
        }
        if let Some(first) = self.left_out.first() {
            let count = self.left_out.len();
            let why = match &self.failed {
                Some(failed) => failed.clone(),
                None => format!("only {} MiB of profiles are taken", self.most_bytes >> 20),
            };
            let why = format!("profiles of {count} pods are left out, this one first: {why}");
            all.push(Unread {
                path: first.clone(),
                why,
            });
        }
        all
    }

    /// The groups of profiles that there are, in order.
    pub fn groups(&self) -> Vec<Group> {
        self.groups.keys().copied().collect()
    }

    /// The size of all profiles of a group, as they are stored.
    pub(super) fn bytes_of(&self, group: Group) -> u64 {
        self.of_group(group).map(|stored| stored.bytes).sum()
    }

    /// The profiles of a group, in the order in which they came.
    pub(super) fn of_group(&self, group: Group) -> impl Iterator<Item = &Stored> {
        self.groups
            .get(&group)
            .into_iter()
            .flat_map(Profiles::values)
    }

    /// The profiles of the snapshots.
    pub(super) fn of_snapshots(&self) -> &BTreeMap<SnapshotGroup, Profiles> {
        &self.snapshots
    }

    /// The names of all pods that have a profile.
    pub(super) fn pods(&self) -> impl Iterator<Item = &str> {
        self.pods.iter().map(String::as_str)
    }

    /// The name of a profile's pod.
    pub(super) fn pod(&self, stored: &Stored) -> &str {
        self.pods.get_index(stored.pod).map_or("", String::as_str)
    }

    /// Opens a profile.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn open(&self, stored: &Stored) -> io::Result<ProfileReader<Section<'_>>> {
        ProfileReader::open(Section::new(&self.file, stored.offset, stored.bytes))
    }

    /// Visits every profile of a group that can be read, with its pod's name. Those that cannot be are given with the
    /// reason.
    ///
    /// # Errors
    /// Those of the visit.
    pub fn each_of<E>(
        &self,
        group: Group,
        mut visit: impl FnMut(&str, io::Result<ProfileReader<Section<'_>>>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.of_group(group)
            .try_for_each(|stored| visit(self.pod(stored), self.open(stored)))
    }

    fn why_unwritable(&self, error: &io::Error) -> String {
        let temporary = self.temporary.display();
        if is_full(error) {
            return format!(
                "the temporary directory {temporary} is full: make room there, or set TMPDIR to a directory that has more"
            );
        }
        format!("no temporary file can be written in {temporary}: {error}")
    }

    fn note(&mut self, path: &str, bytes: u64) {
        let offset = self.bytes;
        self.bytes += bytes;
        self.count += 1;
        let Some(profile) = profile_path(path) else {
            return;
        };
        let stored = Stored {
            pod: self.pods.insert_full(profile.pod.to_owned()).0,
            offset,
            bytes,
        };
        let (component, kind) = (profile.component, profile.kind);
        let place = match profile.of {
            Of::Part(part) => {
                let group = Group {
                    component,
                    kind,
                    part,
                };
                self.groups.entry(group).or_default()
            }
            Of::Snapshot(name) => {
                let key = (name.to_owned(), component, kind);
                self.snapshots.entry(key).or_default()
            }
        };
        match place.entry(stored.pod) {
            Entry::Vacant(free) => drop(free.insert(stored)),
            Entry::Occupied(_) => {
                self.note_unread(path, "it is in the archive twice; the first one counts");
            }
        }
    }

    fn leave_out(&mut self, path: &str) {
        if let Some(profile) = profile_path(path) {
            self.left_out.insert(profile.pod.to_owned());
        }
    }

    /// Forgets what was written of a profile that is not kept.
    fn rewind_to_end(&mut self) {
        if let Err(error) = self.file.seek(SeekFrom::Start(self.bytes)) {
            self.failed = Some(self.why_unwritable(&error));
        }
    }
}
