//! The four KubeVirt control plane components and how their pods are told apart.

use std::collections::BTreeSet;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The label that names a KubeVirt pod's component.
pub const COMPONENT_LABEL: &str = "kubevirt.io";

/// A component of the KubeVirt control plane.
///
/// The order is the order of the dump: few and telling pods first, the many handlers last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// The controller that turns VirtualMachines into pods.
    VirtController,
    /// The aggregated API server, which also serves the profiler's endpoints.
    VirtApi,
    /// The operator that installs the other three.
    VirtOperator,
    /// The daemon on every node.
    VirtHandler,
}

impl Component {
    /// Every component, in the order of the dump.
    pub const ALL: [Self; 4] = [
        Self::VirtController,
        Self::VirtApi,
        Self::VirtOperator,
        Self::VirtHandler,
    ];

    /// Every component, with virt-api, which serves every dump, before those that it serves.
    pub const VIRT_API_FIRST: [Self; 4] = [
        Self::VirtApi,
        Self::VirtController,
        Self::VirtOperator,
        Self::VirtHandler,
    ];

    /// Every component, with virt-api after those that it serves.
    pub const VIRT_API_LAST: [Self; 4] = [
        Self::VirtController,
        Self::VirtOperator,
        Self::VirtHandler,
        Self::VirtApi,
    ];

    /// The component's name, which is also the value of its pods' label.
    pub fn name(self) -> &'static str {
        match self {
            Self::VirtController => "virt-controller",
            Self::VirtApi => "virt-api",
            Self::VirtOperator => "virt-operator",
            Self::VirtHandler => "virt-handler",
        }
    }

    /// The component of a pod with this label and name; `None` if they do not agree, for virt-api looks
    /// at both.
    pub fn of_pod(label: &str, pod: &str) -> Option<Self> {
        let component: Self = label.parse().ok()?;
        let rest = pod.strip_prefix(component.name())?;
        rest.starts_with('-').then_some(component)
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Component {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|c| c.name() == name).ok_or(())
    }
}

/// The label selector for pods of these components.
pub fn selector(components: &BTreeSet<Component>) -> String {
    let names: Vec<_> = components.iter().map(|c| c.name()).collect();
    format!("{COMPONENT_LABEL} in ({})", names.join(","))
}
