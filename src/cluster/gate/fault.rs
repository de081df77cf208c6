//! Why the gate was not changed.

use super::change::ANNOTATION;
use super::splice::NoPatch;
use crate::cluster::call::CallError;

/// What stood in the way.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GateError {
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
    /// RBAC did.
    #[error("{object}: this account may not change it: {message}; add deploy/components/gate")]
    Denied {
        /// The object.
        object: String,
        /// What kube-apiserver said.
        message: String,
    },
    /// The annotation holds something else.
    #[error("{object}: its annotation {ANNOTATION} cannot be added to: {fault}; correct it")]
    NoPatch {
        /// The object.
        object: String,
        /// What is wrong with it.
        fault: NoPatch,
    },
    /// Others write it all the time.
    #[error("{object}: somebody else writes it all the time")]
    Busy {
        /// The object.
        object: String,
    },
    /// The API server failed.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl GateError {
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
            | CallError::Nonsense { .. }) => Self::Call(error),
        }
    }
}
