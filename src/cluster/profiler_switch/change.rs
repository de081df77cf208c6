//! A change of the profiler's switch: which one was made, and why one was not.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::annotation::{ANNOTATION, NotAPatch};
use super::mechanism::{Lacking, Mechanism};
use crate::cluster::call::CallError;
use crate::cluster::install::Install;
use crate::cluster::retry::Outlook;

/// One change, as a run's journal keeps it. Nothing in it is ever put into the cluster: it says which
/// of the few changes that this program makes was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The object that was written.
    pub owner: Owner,
    /// What turns the profiler on there.
    #[serde(rename = "switch")]
    pub mechanism: Mechanism,
    /// What was not there before.
    pub lacking: Lacking,
    /// What the field said before, of a KubeVirt object.
    #[serde(rename = "was")]
    pub field: Option<bool>,
    /// Whether HyperConverged had no annotation.
    pub annotation_is_ours: bool,
}

/// The object that decides KubeVirt's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owner {
    /// The KubeVirt object itself.
    KubeVirt,
    /// HyperConverged, which overwrites the KubeVirt object.
    HyperConverged,
}

/// The reason that a change was not made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SwitchError {
    /// An admission webhook, such as HyperConverged's, or a policy did not accept the change.
    #[error(
        "{object}: the change was denied on admission, and not for want of a right: {message}; \
         correct what it says"
    )]
    Refused {
        /// The object.
        object: String,
        /// What the webhook said.
        message: String,
    },
    /// RBAC does not allow it.
    #[error("{object}: this account may not change it: {message}; add deploy/components/gate")]
    Denied {
        /// The object.
        object: String,
        /// What kube-apiserver said.
        message: String,
    },
    /// The annotation holds something else than a patch.
    #[error("{object}: its annotation {ANNOTATION} cannot be added to: {fault}; correct it")]
    NoPatch {
        /// The object.
        object: String,
        /// What is wrong with it.
        fault: NotAPatch,
    },
    /// Others write the object all the time.
    #[error("{object}: somebody else writes it all the time")]
    Busy {
        /// The object.
        object: String,
    },
    /// The API server failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Change {
    /// The object that was changed, by kind and name.
    pub fn object(&self, install: &Install) -> String {
        self.owner.object(install)
    }

    /// The operation that was added to HyperConverged's annotation.
    pub(super) fn operation(&self) -> Value {
        self.mechanism.operation(self.lacking)
    }
}

impl Owner {
    /// The object that decides in this installation.
    pub(super) fn of(install: &Install) -> Self {
        if install.is_hyperconverged() {
            Self::HyperConverged
        } else {
            Self::KubeVirt
        }
    }

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

impl SwitchError {
    /// What it says of the same change a little later.
    pub fn outlook(&self) -> Outlook {
        match self {
            Self::Busy { .. } => Outlook::MayPass,
            Self::Refused { .. } | Self::Denied { .. } => Outlook::Refused,
            Self::NoPatch { .. } => Outlook::Final,
            Self::Call(error) => error.outlook(),
        }
    }

    /// The error of a write: who refused it is told apart by the text, for both answer 403.
    pub(super) fn of_write(object: &str, error: CallError) -> Self {
        let object = object.to_owned();
        match error {
            CallError::Answer {
                code: 400 | 403 | 422,
                message,
                ..
            } if message.contains("denied the request") || message.contains("denied request") => {
                Self::Refused { object, message }
            }
            CallError::Answer {
                code: 403,
                status: true,
                message,
                ..
            } => Self::Denied { object, message },
            error @ (CallError::Answer { .. }
            | CallError::Transport { .. }
            | CallError::Unsupported { .. }
            | CallError::Nonsense { .. }) => Self::Call(error),
        }
    }
}
