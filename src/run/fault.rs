//! Why a run failed, and so its exit code. Only here are the layers' errors gathered.

use std::io;

use crate::archive::{EntryError, PathError};
use crate::cluster::call::CallError;
use crate::cluster::connect::ConnectError;
use crate::cluster::install::InstallError;
use crate::cluster::lease::LeaseError;
use crate::cluster::profiler_switch::SwitchError;
use crate::cluster::rights::RightsError;
use crate::destination::fault::DestinationError;
use crate::outcome::ExitCode;

/// A run's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// What the process exits with.
    pub code: ExitCode,
    /// What failed, on which object, and what to do.
    pub message: String,
    /// Whether it was the destination that failed.
    pub(super) of_destination: bool,
}

impl Fault {
    /// A failure with this exit code.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            of_destination: false,
        }
    }

    /// Says first what somebody has to know besides, if there is anything.
    pub(super) fn preface(&mut self, first: Option<String>) {
        if let Some(first) = first {
            self.message = format!("{first}\nThe run failed: {}", self.message);
        }
    }
}

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        Self::new(ExitCode::Usage, error.to_string())
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        let code = if error.is_definite() {
            ExitCode::NotAllowed
        } else {
            ExitCode::Retry
        };
        Self::new(code, error.to_string())
    }
}

impl From<InstallError> for Fault {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::NotFound { .. } => Self::new(ExitCode::NotAllowed, error.to_string()),
            InstallError::Call(error) => error.into(),
        }
    }
}

impl From<LeaseError> for Fault {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held { .. } | LeaseError::Lost(_) => {
                Self::new(ExitCode::Retry, error.to_string())
            }
            LeaseError::Call(error) => error.into(),
        }
    }
}

impl From<SwitchError> for Fault {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Refused { .. }
            | SwitchError::Denied { .. }
            | SwitchError::NoPatch { .. } => Self::new(ExitCode::NotAllowed, error.to_string()),
            SwitchError::Busy { .. } => Self::new(ExitCode::Retry, error.to_string()),
            SwitchError::Call(error) => error.into(),
        }
    }
}

impl From<RightsError> for Fault {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::Missing { .. } => Self::new(ExitCode::NotAllowed, error.to_string()),
            RightsError::Call(error) => error.into(),
        }
    }
}

impl From<DestinationError> for Fault {
    fn from(error: DestinationError) -> Self {
        Self {
            of_destination: true,
            ..Self::new(error.exit_code(), error.to_string())
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::new(ExitCode::Retry, format!("a temporary file: {error}"))
    }
}

impl From<PathError> for Fault {
    fn from(error: PathError) -> Self {
        let message = format!("{error}; use a shorter PROFILER_RUN_ID");
        Self::new(ExitCode::Usage, message)
    }
}

impl From<EntryError> for Fault {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::Path(error) => error.into(),
            EntryError::Temporary(error) => error.into(),
        }
    }
}
