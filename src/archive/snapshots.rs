//! Snapshots: profiles of the pods from within the window. They lie in the temporary directory until the archive is
//! written, in a directory for each, with one for each pod, and are known by the run's name.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufReader};
use std::path::PathBuf;

use jiff::Timestamp;

use super::bundle::PodBundle;
use super::entry::Entry;
use super::framing::LARGEST_MEMBER;
use super::spool::{EntryError, Spool};
use crate::file::write_whole;
use crate::manifest::{ExpectedPod, Snapshot};
use crate::pprof::{Kind, proto};

/// The beginning of a directory's name, before the run's.
const PREFIX: &str = "cluster-profiler-snapshots-";

/// The file that says what a snapshot is.
const RECORD: &str = "snapshot.json";

/// The snapshots of a run.
#[derive(Debug, Clone)]
pub struct Snapshots {
    directory: PathBuf,
    spool: Spool,
}

/// A profile of a pod from within the window.
#[derive(Debug)]
pub struct SnapshotProfile {
    /// Its path below the pod's directory in the archive.
    path: String,
    file: PathBuf,
    bytes: u64,
}

impl Snapshots {
    /// Those of the run: none yet, or those of an earlier attempt.
    pub fn of_run(spool: &Spool) -> Self {
        Self {
            directory: spool.run_directory(PREFIX),
            spool: spool.clone(),
        }
    }

    /// Removes the run's snapshots, if there are any, and those of other runs that are older than a day.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn remove(&self) -> io::Result<()> {
        self.spool.remove_run_directory(PREFIX)
    }

    /// Notes what a snapshot is, at its begin and once more at its end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&self, snapshot: &Snapshot) -> io::Result<()> {
        let directory = self.directory.join(&snapshot.name);
        fs::create_dir_all(&directory)?;
        write_whole(&directory.join(RECORD), &serde_json::to_vec(snapshot)?)
    }

    /// Keeps some kinds of a pod's profiles.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn keep(
        &self,
        snapshot: &str,
        pod: &ExpectedPod,
        bundle: PodBundle,
        kinds: &BTreeSet<Kind>,
    ) -> io::Result<()> {
        let directory = self.directory.join(snapshot).join(&pod.name);
        fs::create_dir_all(&directory)?;
        for (kind, mut entry) in bundle.entries {
            if kinds.contains(&kind) && entry.file.damage.is_none() {
                entry.copy_content(self.spool.temporary(), &directory.join(kind.file_name()))?;
            }
        }
        Ok(())
    }

    /// Removes the profiles of a snapshot.
    ///
    /// # Errors
    /// They cannot be removed.
    pub fn abandon(&self, snapshot: &str) -> io::Result<()> {
        fs::remove_dir_all(self.directory.join(snapshot))
    }

    /// How many profiles there are, and their bytes.
    pub fn size(&self) -> (u64, u64) {
        let below = |path: &PathBuf| fs::read_dir(path).into_iter().flatten().flatten();
        let snapshots = below(&self.directory).map(|entry| entry.path());
        let pods =
            snapshots.flat_map(|path| below(&path).map(|entry| entry.path()).collect::<Vec<_>>());
        let profiles = pods.flat_map(|path| below(&path).collect::<Vec<_>>());
        let sizes = profiles.filter_map(|profile| Some(profile.metadata().ok()?.len()));
        sizes.fold((0, 0), |(files, bytes), size| (files + 1, bytes + size))
    }

    /// What each snapshot is, in order. One whose record cannot be read is none.
    pub fn all(&self) -> Vec<Snapshot> {
        let records = self.names().into_iter().filter_map(|name| {
            let json = fs::read(self.directory.join(name).join(RECORD)).ok()?;
            serde_json::from_slice(&json).ok()
        });
        records.collect()
    }

    /// Whether any has a profile.
    pub fn any(&self) -> bool {
        self.all()
            .iter()
            .any(|of| of.pods.is_some_and(|pods| pods > 0))
    }

    /// The names of all snapshots, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names
    }

    /// A pod's profiles, in the order in which they were taken.
    pub fn of_pod(&self, pod: &str) -> Vec<SnapshotProfile> {
        let profile = |snapshot: &str, kind: Kind| {
            let file = self
                .directory
                .join(snapshot)
                .join(pod)
                .join(kind.file_name());
            let bytes = file.metadata().ok()?.len();
            let path = profile_path(snapshot, kind.file_name());
            Some(SnapshotProfile { path, file, bytes })
        };
        let names = self.names();
        let all = names.iter().flat_map(|snapshot| {
            let kinds = Kind::ALL.into_iter();
            kinds.filter_map(move |kind| profile(snapshot, kind))
        });
        all.collect()
    }

    /// The entry of one, and the time that it bears.
    ///
    /// # Errors
    /// It cannot be read, or its entry not be made.
    pub fn entry(
        &self,
        pod: &str,
        profile: &SnapshotProfile,
    ) -> Result<(Entry, Timestamp), EntryError> {
        let summary = proto::summary(BufReader::new(fs::File::open(&profile.file)?))?;
        let mut writer = self.spool.begin_packed()?;
        io::copy(&mut fs::File::open(&profile.file)?, &mut writer)?;
        let path = format!("{pod}/{}", profile.path);
        let mut entry = self.spool.finish(writer, &path)?;
        entry.file.samples = Some(summary.samples);
        let time = Timestamp::from_nanosecond(summary.time_nanos.into());
        Ok((entry, time.unwrap_or(Timestamp::UNIX_EPOCH)))
    }
}

/// The path of a snapshot's profile below its pod's directory in the archive.
pub fn profile_path(snapshot: &str, file: &str) -> String {
    format!("snapshots/{snapshot}/{file}")
}

impl SnapshotProfile {
    /// More than it takes of an archive.
    pub fn most_bytes(&self) -> u64 {
        self.bytes + LARGEST_MEMBER
    }
}
