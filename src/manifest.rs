//! The manifest: the JSON document, written last, that makes an archive trustworthy.
//!
//! Its JSON Schema is `docs/manifest.schema.json`, generated from these types.

mod comparison;
mod lead;
mod mem_stats;
mod pod;
mod surroundings;
mod vmi;
mod window_numbers;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use comparison::{ChangedNumber, RunComparison, Word};
pub use lead::Lead;
pub use mem_stats::{MemStats, Stat};
pub use pod::{
    ContainerBounds, ExpectedPod, File, Partial, Pod, Sha256, State, Uncounted, UnexpectedName,
};
pub use surroundings::{Allocatable, ClusterState, Node, Surroundings};
pub use vmi::{CountedFrom, VmiLatencies, VmiQuantiles};
pub use window_numbers::{Amount, ComponentNumbers, Snapshot, WindowNumbers};

use crate::component::Component;

/// The version of the format that this program writes. A reader refuses a higher one.
pub const SCHEMA_VERSION: u32 = 1;

/// What one run did, and what it brought.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// Version of this format.
    pub schema_version: u32,
    /// The run's id.
    pub run_id: String,
    /// PROFILER_LABELS as given.
    pub labels: BTreeMap<String, String>,
    /// PROFILER_COMPARE_KEY: runs with the same are compared; else those of the same cluster are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_key: Option<String>,
    /// The version of cluster-profiler-job that wrote this.
    pub program_version: String,
    /// How the dump was fetched.
    pub engine: String,
    /// The KubeVirt that was profiled.
    pub kubevirt: KubeVirt,
    /// The components whose pods are in the archive.
    pub components: Vec<Component>,
    /// What the run did to turn the profiler on.
    pub gate: Gate,
    /// Whether the texts of the converted profiles are in the archive, below `POD/original`.
    pub originals_kept: bool,
    /// When profiling was on.
    pub window: Window,
    /// Every pod that was expected when profiling started.
    pub pods: Vec<Pod>,
    /// What the pods of each component did in the window, together.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub in_window: BTreeMap<Component, ComponentNumbers>,
    /// The snapshots of the window.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub snapshots: Vec<Snapshot>,
    /// The profiles that are without samples in every pod, by file name, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub empty_kinds: BTreeMap<String, String>,
    /// Pods that may still be profiling, because no stop is known to have reached them.
    pub unstopped: Vec<String>,
    /// Component pods that were seen but not expected, and why they do not count.
    pub uncounted: Vec<Uncounted>,
    /// `cluster.json` in the archive: KubeVirt's configuration and status, its pods, and what surrounded
    /// the run.
    pub cluster_file: File,
    /// Names in a dump that nobody asked for; their data was dropped.
    pub refused: Vec<UnexpectedName>,
    /// The archive that this manifest vouches for.
    pub archive: StoredFile,
    /// The page beside the archive that says what the run found, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<StoredFile>,
    /// Why there is no such page, if one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_report: Option<String>,
    /// What changed against the comparable runs before, where PROFILER_COMPARE asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<RunComparison>,
    /// Why the run was not compared, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
    /// What was wrong with the destination, if the archive is at the fallback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_reason: Option<String>,
    /// Seconds spent in each phase, in order.
    pub phases: Vec<PhaseSeconds>,
    /// How fast the virtual machine instances came up that were created in the window, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmi_latencies: Option<VmiLatencies>,
    /// What surrounded the run at both ends of its window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub surroundings: Option<Surroundings>,
    /// What went wrong beside the run, such as an earlier run that could not be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The workload's exit code, if the stop file had one.
    pub workload_exit_code: Option<u8>,
    /// The runner's peak memory (VmHWM), in bytes, where the system tells.
    pub peak_memory_bytes: Option<u64>,
    /// The number that the run exited with.
    pub exit_code: u8,
    /// Why, for a person.
    pub reason: String,
}

impl Manifest {
    /// When this pod led its component, if it did and anything tells it.
    pub fn lead(&self, component: Component, pod: &str) -> Option<Lead> {
        Lead::of(self.surroundings.as_ref()?, component, pod)
    }
}

/// The KubeVirt installation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct KubeVirt {
    /// The namespace it is installed in.
    pub namespace: String,
    /// The name of its KubeVirt object.
    pub name: String,
    /// The UID of its KubeVirt object, which is the cluster's identity: no two clusters have the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// The observed KubeVirt version, such as `v1.8.4`.
    pub version: Option<String>,
}

/// What a run did to turn the profiler on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Whether the profiler was on before the run.
    pub before: bool,
    /// Whether the run left it on.
    pub after: bool,
    /// The object that was changed for that, by kind and name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<String>,
}

/// The time between start and stop.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// When start had been answered (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub start: jiff::Timestamp,
    /// When stop was sent (RFC 3339, UTC).
    #[schemars(with = "String")]
    pub stop: jiff::Timestamp,
    /// Why the window ended.
    pub ended_by: EndedBy,
}

/// Why a window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// The settle duration had passed.
    Settle,
    /// The stop file had appeared.
    StopFile,
    /// As many virtual machine instances were Running as it waited for, and the settle duration had passed.
    VmisRunning,
    /// The longest time that a window may last had passed.
    MaxWindow,
    /// A signal told the run to stop.
    Signal,
    /// The run's own deadline was near.
    Deadline,
    /// The attempt that opened it died, and the next one stopped profiling.
    Died,
}

/// One of a run's files at its destination: the archive, or the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredFile {
    /// Where it is.
    pub uri: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Sha256,
}

impl StoredFile {
    /// What is wrong with a file of so many bytes and this SHA-256, after its name; `None` if it is this one.
    pub fn fault_of(&self, bytes: u64, sha256: Sha256) -> Option<String> {
        if (bytes, sha256) == (self.bytes, self.sha256) {
            return None;
        }
        Some(format!(
            "is NOT what its manifest says: {bytes} bytes with SHA-256 {sha256}, where {} bytes with {} should be",
            self.bytes, self.sha256
        ))
    }
}

/// How long a phase took.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PhaseSeconds {
    /// The phase's name.
    pub phase: String,
    /// Seconds, to the millisecond.
    pub seconds: f64,
}
