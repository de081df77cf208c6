//! The journal: what a run leaves in its Lease for whoever comes after it. It says how far the run got
//! and what it changed in the cluster.
//!
//! A run may be resumed by another version of this program, so what is written is part of its
//! interface: names in the code may change, names in the annotations may not.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::profiler_switch::Change;
use crate::manifest::{EndedBy, ExpectedPod};

/// The annotations that hold a journal. All of an object's may have 256 KiB; the pods of the
/// largest clusters need a fifth of it, packed.
const JOURNAL: &str = "cluster-profiler-job/record";
const PODS: &str = "cluster-profiler-job/pods";
const UNSTOPPED: &str = "cluster-profiler-job/unstopped";

/// The most that a journal's pods may be once unpacked, in bytes: those of 50,000. In memory they take twenty times as
/// much where somebody wrote them to do harm.
const MOST_BYTES: u64 = 2 << 20;

/// The run id of a journal that cannot be read.
const UNKNOWN: &str = "(unknown)";

/// How many characters of a uid are kept: enough to tell pods of one name apart.
const UID_PREFIX: usize = 8;

/// How far a run got with profiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing was started.
    Begun,
    /// Pods may be profiling.
    Started,
    /// No pod is profiling any more, but their data may not be shipped.
    Stopped,
}

/// The journal of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The run.
    pub run_id: String,
    /// How far it got.
    pub stage: Stage,
    /// Its changes of the profiler's switch, to be undone from the last to the first. There are
    /// several where somebody turned the profiler off in between.
    #[serde(rename = "gate")]
    pub changes: Vec<Change>,
    /// When start was sent.
    pub started: Option<Timestamp>,
    /// When stop was first sent.
    pub stopped: Option<Timestamp>,
    /// Why the window ended.
    pub ended_by: Option<EndedBy>,
    /// The workload's exit code.
    pub workload_exit_code: Option<u8>,
    /// A pod that could not be started, and why.
    pub start_failed: Option<(String, String)>,
    /// The engine that is dumping, of those that may take more memory than there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dumping: Option<String>,
    /// Whether the run is making its page, which may take more memory than there is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reporting: bool,
    /// The pods that were started.
    #[serde(skip)]
    pub pods: Vec<StartedPod>,
    /// Pods that earlier runs started, that this one did not, and that may still be profiling.
    #[serde(skip)]
    pub unstopped: Vec<StartedPod>,
}

/// A pod that was started. It is written as an array, which is shorter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(String, String, i32)", into = "(String, String, i32)")]
pub struct StartedPod {
    /// Its name.
    pub name: String,
    /// The beginning of its uid.
    pub uid_prefix: String,
    /// How often it had restarted.
    pub restarts: i32,
}

impl From<(String, String, i32)> for StartedPod {
    fn from(written: (String, String, i32)) -> Self {
        let (name, uid_prefix, restarts) = written;
        Self {
            name,
            uid_prefix,
            restarts,
        }
    }
}

impl From<StartedPod> for (String, String, i32) {
    fn from(pod: StartedPod) -> Self {
        (pod.name, pod.uid_prefix, pod.restarts)
    }
}

impl From<&ExpectedPod> for StartedPod {
    fn from(pod: &ExpectedPod) -> Self {
        Self {
            name: pod.name.clone(),
            uid_prefix: pod.uid.chars().take(UID_PREFIX).collect(),
            restarts: pod.restarts,
        }
    }
}

impl Journal {
    /// The journal of a run that has changed nothing yet.
    pub fn new(run_id: String) -> Self {
        Self {
            run_id,
            stage: Stage::Begun,
            changes: Vec::new(),
            started: None,
            stopped: None,
            ended_by: None,
            workload_exit_code: None,
            start_failed: None,
            dumping: None,
            reporting: false,
            pods: Vec::new(),
            unstopped: Vec::new(),
        }
    }

    /// Makes it the journal of a run that has changed nothing yet, but for changes of the switch that are
    /// still to be put back, and pods of earlier runs that are still to be stopped.
    pub fn begin_again(&mut self, run_id: String) {
        let changes = std::mem::take(&mut self.changes);
        let unstopped = std::mem::take(&mut self.unstopped);
        *self = Self::new(run_id);
        self.changes = changes;
        self.unstopped = unstopped;
    }

    /// Takes the last change of the switch out.
    pub fn forget_change(&mut self) {
        self.changes.pop();
    }

    /// Whether a pod may be profiling, of this run or of an earlier one.
    pub fn may_be_profiling(&self) -> bool {
        self.stage == Stage::Started || !self.unstopped.is_empty()
    }

    /// Whether a pod may be profiling, or a change of the switch is to be undone.
    pub fn is_to_be_undone(&self) -> bool {
        self.may_be_profiling() || !self.changes.is_empty()
    }

    /// Whether anything is left for somebody else to do: to undo something, or to ship what the pods
    /// have.
    pub fn is_open(&self) -> bool {
        self.is_to_be_undone() || self.stage == Stage::Stopped
    }

    /// The journal in a Lease's annotations. One that cannot be read is taken for that of a run that
    /// may be profiling.
    pub fn of(annotations: &BTreeMap<String, String>) -> Option<Self> {
        let text = annotations.get(JOURNAL)?;
        let mut journal: Self = serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::warn!(%error, text, "a record in the Lease cannot be read");
            Self {
                stage: Stage::Started,
                ..Self::new(UNKNOWN.to_owned())
            }
        });
        let pods = |name| annotations.get(name).and_then(|packed| unpack(packed));
        journal.pods = pods(PODS).unwrap_or_default();
        journal.unstopped = pods(UNSTOPPED).unwrap_or_default();
        Some(journal)
    }

    /// Whether it could be read. If not, nothing is known of what the run changed.
    pub fn is_known(&self) -> bool {
        self.run_id != UNKNOWN
    }

    /// The journal as a Lease's annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let text = serde_json::to_string(self).unwrap_or_default();
        let mut annotations = BTreeMap::from([
            (JOURNAL.to_owned(), text),
            (PODS.to_owned(), pack(&self.pods)),
        ]);
        if !self.unstopped.is_empty() {
            annotations.insert(UNSTOPPED.to_owned(), pack(&self.unstopped));
        }
        annotations
    }

    /// Takes a journal out of a Lease's annotations.
    pub(super) fn remove(annotations: &mut BTreeMap<String, String>) {
        annotations.remove(JOURNAL);
        annotations.remove(PODS);
        annotations.remove(UNSTOPPED);
    }
}

fn pack(pods: &[StartedPod]) -> String {
    let json = serde_json::to_vec(pods).unwrap_or_default();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let packed = gzip.write_all(&json).and_then(|()| gzip.finish());
    STANDARD.encode(packed.unwrap_or_default())
}

fn unpack(text: &str) -> Option<Vec<StartedPod>> {
    let packed = STANDARD.decode(text).ok()?;
    let mut json = Vec::new();
    let mut gzip = GzDecoder::new(packed.as_slice()).take(MOST_BYTES);
    gzip.read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}
