//! The baseline: what each pod's profiles were before the window. It lies in the temporary directory, for its size
//! grows with the cluster, and is known by the run's name, for the next attempt of a run that was killed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bundle::PodBundle;
use super::spool::Spool;
use crate::manifest::ExpectedPod;
use crate::pprof::{Kind, ProfileReader};

/// The beginning of a directory's name, before the run's.
const PREFIX: &str = "cluster-profiler-baseline-";

/// The file that makes a pod's baseline whole.
const RECORD: &str = "baseline.json";

/// The file that says why a pod has none.
const MISSING: &str = "missing";

/// The baseline of a run.
#[derive(Debug, Clone)]
pub struct Baseline {
    directory: PathBuf,
    /// Why no pod has one.
    missing: Option<String>,
}

/// What there is of a pod from before the window.
#[derive(Debug)]
pub enum Before {
    /// Its baseline.
    Kept(PodBaseline),
    /// Nothing, for this reason.
    Missing(String),
}

/// A pod's baseline.
#[derive(Debug)]
pub struct PodBaseline {
    directory: PathBuf,
    record: Record,
}

/// What is kept of a pod beside its profiles.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    uid: String,
    restarts: i32,
    dumped_at: Timestamp,
    mem_stats: BTreeMap<String, String>,
}

impl Baseline {
    /// An empty baseline, in the place of what an earlier attempt of the run left.
    ///
    /// # Errors
    /// Its directory cannot be made.
    pub fn begin(spool: &Spool) -> io::Result<Self> {
        Self::remove(spool)?;
        let directory = spool.run_directory(PREFIX);
        fs::create_dir(&directory)?;
        Ok(Self {
            directory,
            missing: None,
        })
    }

    /// The baseline that an earlier attempt of the run left, or that it is gone.
    pub fn left(spool: &Spool) -> Self {
        let directory = spool.run_directory(PREFIX);
        if !directory.is_dir() {
            let why = "the attempt that took it died, and its temporary directory is gone";
            return Self::missing(why.to_owned());
        }
        Self {
            directory,
            missing: None,
        }
    }

    /// A baseline that no pod has, for this reason.
    pub fn missing(why: String) -> Self {
        Self {
            directory: PathBuf::new(),
            missing: Some(why),
        }
    }

    /// Why no pod has one, where that is so for one reason.
    pub fn why_missing(&self) -> Option<&str> {
        self.missing.as_deref()
    }

    /// Removes the run's baseline, if there is one, and those of other runs that are older than a day.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(spool: &Spool) -> io::Result<()> {
        spool.remove_run_directory(PREFIX)
    }

    /// Keeps the profiles that a pod was dumped with.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn keep(&self, pod: &ExpectedPod, bundle: PodBundle, spool: &Spool) -> io::Result<()> {
        let directory = self.directory.join(&pod.name);
        fs::create_dir_all(&directory)?;
        for (kind, mut entry) in bundle.entries {
            // A cpu profile that comes along is of an earlier window.
            if kind == Kind::Cpu || entry.file.damage.is_some() {
                continue;
            }
            entry.copy_content(spool.temporary(), &directory.join(kind.file_name()))?;
        }
        let record = Record {
            uid: pod.uid.clone(),
            restarts: pod.restarts,
            dumped_at: bundle.dumped_at,
            mem_stats: bundle.mem_stats,
        };
        fs::write(directory.join(RECORD), serde_json::to_vec(&record)?)
    }

    /// Notes why a pod has none.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note_missing(&self, pod: &str, why: &str) -> io::Result<()> {
        let directory = self.directory.join(pod);
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(MISSING), why)
    }

    /// What there is of a pod.
    pub fn of(&self, pod: &ExpectedPod) -> Before {
        if let Some(why) = &self.missing {
            return Before::Missing(why.clone());
        }
        let directory = self.directory.join(&pod.name);
        match read_record(&directory) {
            Ok(record) if record.uid != pod.uid => {
                let why = "its baseline is of an earlier pod of the same name";
                Before::Missing(why.to_owned())
            }
            Ok(record) => Before::Kept(PodBaseline { directory, record }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = fs::read_to_string(directory.join(MISSING));
                Before::Missing(why.unwrap_or_else(|_| "it came after the baseline".to_owned()))
            }
            Err(error) => Before::Missing(format!("its baseline cannot be read: {error}")),
        }
    }
}

impl PodBaseline {
    /// When its profiles began to arrive.
    pub fn dumped_at(&self) -> Timestamp {
        self.record.dumped_at
    }

    /// How often its containers had restarted.
    pub fn restarts(&self) -> i32 {
        self.record.restarts
    }

    /// `runtime.MemStats`, by name.
    pub fn mem_stats(&self) -> &BTreeMap<String, String> {
        &self.record.mem_stats
    }

    /// One of its profiles, if it could be understood.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn profile(&self, kind: Kind) -> io::Result<Option<ProfileReader<File>>> {
        match File::open(self.directory.join(kind.file_name())) {
            Ok(file) => ProfileReader::open(file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read_record(directory: &Path) -> io::Result<Record> {
    let json = fs::read(directory.join(RECORD))?;
    Ok(serde_json::from_slice(&json)?)
}
