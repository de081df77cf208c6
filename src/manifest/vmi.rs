//! The manifest's types for the latencies of virtual machine instances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How fast the virtual machine instances (VMIs) came up that were created in the window. Names and zero are those
/// of kube-burner's vmiLatency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VmiLatencies {
    /// The namespace of the VMIs; all if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The label selector of the VMIs; all if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// What latencies count from.
    pub counted_from: CountedFrom,
    /// VMIs that were created between start and stop. The others are about these.
    pub created: u64,
    /// Those whose VirtualMachine was created in the window, too, so that theirs count from its creation.
    pub owned: u64,
    /// Those that have been Running, whatever became of them.
    pub running: u64,
    /// Those that have not: they are in no quantile of VMIRunning.
    pub not_running: u64,
    /// Those whose phase is Failed, whether they have been Running or not.
    pub failed: u64,
    /// Those that are deleted or being deleted, whether they have been Running or not.
    pub deleted: u64,
    /// Times that lie before the creation, because clocks differ. They are in no quantile.
    pub negative: u64,
    /// The resolution of the times: a latency may be off by nearly so much.
    pub resolution_milliseconds: u32,
    /// The quantiles of each condition that any VMI has reached.
    pub quantiles_milliseconds: Vec<VmiQuantiles>,
    /// Whether they were watched in the window. Else all of this is from one LIST after it.
    #[serde(default)]
    pub watched: bool,
    /// What may be missing, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<String>,
}

/// The beginning of a latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedFrom {
    /// The creation of the VirtualMachine, of a VMI that has one that was created in the window; else the VMI's.
    VirtualMachine,
    /// The creation of the VMI, for VirtualMachines cannot be read.
    VirtualMachineInstance,
}

/// The latencies of one condition in milliseconds. Quantiles are nearest-rank: each is one that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VmiQuantiles {
    /// The condition by kube-burner's name, such as `VMIRunning` or `VMReady`.
    #[serde(rename = "quantileName")]
    pub name: String,
    /// How many VMIs have reached it.
    pub count: u64,
    /// Half of them were not slower.
    #[serde(rename = "P50")]
    pub p50: u64,
    /// 95 of 100 were not slower.
    #[serde(rename = "P95")]
    pub p95: u64,
    /// 99 of 100 were not slower.
    #[serde(rename = "P99")]
    pub p99: u64,
    /// The fastest.
    pub min: u64,
    /// The slowest.
    pub max: u64,
    /// The mean, without its fraction.
    pub avg: u64,
}
