//! What a run leaves in its Lease for whoever comes after it: how far it got, and what it changed.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cluster::gate::Change;
use crate::manifest::{EndedBy, ExpectedPod};

/// The annotations that a record is kept in. All of an object's may have 256 KiB; the pods of the
/// largest clusters need a fifth of it, packed.
const RECORD: &str = "cluster-profiler-job/record";
const PODS: &str = "cluster-profiler-job/pods";

/// More than a record's pods can be.
const MOST_BYTES: u64 = 16 << 20;

/// The run of a record that cannot be read.
const UNKNOWN: &str = "(unknown)";

/// How much of a uid is kept: enough to tell pods of one name apart.
const UID: usize = 8;

/// How far a run got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing was started.
    Begun,
    /// Pods may be profiling.
    Started,
    /// None is, but their data may not be shipped.
    Stopped,
}

/// A run's record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The run.
    pub run_id: String,
    /// How far it got.
    pub stage: Stage,
    /// Its changes of the gate, to be undone from the last to the first: of several where somebody
    /// closed the gate again.
    pub gate: Vec<Change>,
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
    /// The pods that were started.
    #[serde(skip)]
    pub pods: Vec<StartedPod>,
}

/// A pod that was started: its name, the beginning of its uid, and how often it had restarted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedPod(pub String, pub String, pub i32);

impl From<&ExpectedPod> for StartedPod {
    fn from(pod: &ExpectedPod) -> Self {
        let uid = pod.uid.chars().take(UID).collect();
        Self(pod.name.clone(), uid, pod.restarts)
    }
}

impl Record {
    /// The record of a run that has changed nothing yet.
    pub fn new(run_id: String) -> Self {
        Self {
            run_id,
            stage: Stage::Begun,
            gate: Vec::new(),
            started: None,
            stopped: None,
            ended_by: None,
            workload_exit_code: None,
            start_failed: None,
            pods: Vec::new(),
        }
    }

    /// Takes its last change of the gate out.
    pub fn forget_change(&mut self) {
        self.gate.pop();
    }

    /// Whether a pod may be profiling, or the gate is to be put back.
    pub fn is_to_be_undone(&self) -> bool {
        self.stage == Stage::Started || !self.gate.is_empty()
    }

    /// Whether there is anything for somebody else to do: that, or to ship what the pods have.
    pub fn is_open(&self) -> bool {
        self.is_to_be_undone() || self.stage == Stage::Stopped
    }

    /// The record in a Lease's annotations. One that cannot be read is that of a run that may be
    /// profiling.
    pub fn of(annotations: &BTreeMap<String, String>) -> Option<Self> {
        let text = annotations.get(RECORD)?;
        let mut record: Self = serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::warn!(%error, text, "a record in the Lease cannot be read");
            Self {
                stage: Stage::Started,
                ..Self::new(UNKNOWN.to_owned())
            }
        });
        let pods = annotations.get(PODS).and_then(|pods| unpack(pods));
        record.pods = pods.unwrap_or_default();
        Some(record)
    }

    /// Whether it could be read: else nothing is known of the gate.
    pub fn is_known(&self) -> bool {
        self.run_id != UNKNOWN
    }

    /// The record as annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let text = serde_json::to_string(self).unwrap_or_default();
        BTreeMap::from([
            (RECORD.to_owned(), text),
            (PODS.to_owned(), pack(&self.pods)),
        ])
    }

    /// Takes a record away.
    pub(super) fn remove(annotations: &mut BTreeMap<String, String>) {
        annotations.remove(RECORD);
        annotations.remove(PODS);
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
