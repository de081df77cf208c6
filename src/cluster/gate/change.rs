//! One change of the gate, as a run's record keeps it. Nothing in it is ever put into the cluster:
//! it says which of the few changes that this program makes was made.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::switch::{Lacking, Switch};
use crate::cluster::install::Install;

/// The annotation by which HyperConverged lets others change the KubeVirt object.
pub(super) const ANNOTATION: &str = "kubevirt.kubevirt.io/jsonpatch";

/// What was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The object that was written.
    pub owner: Owner,
    /// What turns the profiler on there.
    pub switch: Switch,
    /// What was not there before.
    pub lacking: Lacking,
    /// What the field said before, of a KubeVirt object.
    pub was: Option<bool>,
    /// Whether HyperConverged had no annotation.
    pub annotation_is_ours: bool,
}

/// Whose word KubeVirt's configuration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The KubeVirt object's own.
    KubeVirt,
    /// HyperConverged's, which overwrites the KubeVirt object.
    HyperConverged,
}

impl Change {
    /// The object that was changed, by kind and name.
    pub fn object(&self, install: &Install) -> String {
        self.owner.object(install)
    }

    /// The operation that was added to HyperConverged's annotation.
    pub(super) fn operation(&self) -> Value {
        self.switch.operation(self.lacking)
    }
}

impl Owner {
    /// The object, by kind and name.
    pub(super) fn object(self, install: &Install) -> String {
        let namespace = &install.namespace;
        match self {
            Self::KubeVirt => format!("KubeVirt {namespace}/{}", install.name),
            Self::HyperConverged => {
                let name = install.hyperconverged.as_deref().unwrap_or_default();
                format!("HyperConverged {namespace}/{name}")
            }
        }
    }
}
