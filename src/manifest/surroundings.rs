//! The manifest's types for what surrounded a run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::Component;

/// What surrounded a run, as far as its account may read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Surroundings {
    /// The cluster just before start was sent; none of a window that another attempt opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_start: Option<ClusterState>,
    /// The cluster just after stop was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_stop: Option<ClusterState>,
    /// The nodes that the expected pods run on, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub nodes: BTreeMap<String, Node>,
    /// What is not known of all this, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// A cluster at one moment. What is not known is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterState {
    /// How many nodes it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<u64>,
    /// How many virtual machine instances it has, in whatever phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_machine_instances: Option<u64>,
    /// The pod that leads, of each component that elects one, as its Lease says.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leaders: BTreeMap<Component, String>,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// What its pods may have together.
    pub allocatable: Allocatable,
    /// Its architecture, such as `amd64` or `arm64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
}

/// Resources of a node, as Kubernetes quantities.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Allocatable {
    /// Processors, such as `7910m`.
    pub cpu: String,
    /// Memory, such as `31896880Ki`.
    pub memory: String,
}
