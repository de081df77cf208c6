//! How a run ends: its exit code, and the reason in words. No other file of a run picks an exit code.

use std::io;

use super::shutdown::ShutdownRequest;
use crate::archive::{EntryError, PathError};
use crate::cluster::call::CallError;
use crate::cluster::connect::ConnectError;
use crate::cluster::install::InstallError;
use crate::cluster::lease::LeaseError;
use crate::cluster::profiler_switch::SwitchError;
use crate::cluster::retry::Outlook;
use crate::cluster::rights::RightsError;
use crate::destination::DestinationError;
use crate::manifest::RunComparison;
use crate::outcome::ExitCode;

/// What decides on the exit code of a run that has shipped its archive.
#[derive(Debug)]
pub(super) struct Shipped<'a> {
    /// How many of the expected pods are complete, in words.
    pub(super) completeness: String,
    /// Whether that is enough, by PROFILER_MIN_COMPLETE.
    pub(super) is_enough: bool,
    /// What is left in the cluster, for a person; what matters most comes first.
    pub(super) left_behind: Vec<String>,
    /// That the run was told to stop.
    pub(super) shutdown: Option<ShutdownRequest>,
    /// The workload's exit code, if it told.
    pub(super) workload_exit_code: Option<u8>,
    /// Why the run is at the fallback, if it is.
    pub(super) fallback_reason: Option<&'a str>,
}

impl Shipped<'_> {
    /// The exit code, and the reason.
    ///
    /// A run that was told to stop says so whatever it shipped. No run that leaves something in the cluster is
    /// complete. A workload that failed is told of only where the run gives no other reason to look.
    pub(super) fn outcome(&self) -> (ExitCode, String) {
        let mut code = ExitCode::Incomplete;
        if self.is_enough && self.left_behind.is_empty() {
            code = ExitCode::Complete;
        }
        let mut reason = self.completeness.clone();
        for left in self.left_behind.iter().rev() {
            reason = format!("{left}; {reason}");
        }
        if let Some(request) = self.shutdown {
            code = request.code;
            reason = format!("{}; {reason}", request.why());
        } else if let (ExitCode::Complete, Some(failure @ 1..)) = (code, self.workload_exit_code) {
            code = ExitCode::Workload;
            reason = format!("the workload exited with {failure}; {reason}");
        }
        if let Some(why) = self.fallback_reason {
            // First, since the message of a run's end is cut at its own end.
            reason = format!("at PROFILER_FALLBACK, for the destination failed ({why}): {reason}");
        }
        (code, reason)
    }
}

/// The exit code and the reason of a run that was compared with those before it. A regression that is confirmed comes
/// first, for messages are cut at their end. It is the exit code only where the run gives no other reason to look, and
/// where `fails` says that it is to be one.
pub(super) fn after_comparison(
    code: ExitCode,
    reason: &str,
    comparison: &RunComparison,
    fails: bool,
) -> (ExitCode, String) {
    let summary = &comparison.summary;
    if !comparison.is_confirmed_regression() {
        return (code, format!("{reason}; {summary}"));
    }
    let is_other = code != ExitCode::Complete || !fails;
    let code = if is_other { code } else { ExitCode::Regression };
    (code, format!("{summary}; {reason}"))
}

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
    /// What it says of another try.
    pub(super) outlook: Outlook,
}

impl Fault {
    /// A failure with this exit code.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        let outlook = if code == ExitCode::Retry {
            Outlook::MayPass
        } else {
            Outlook::Final
        };
        Self {
            code,
            message: message.into(),
            of_destination: false,
            outlook,
        }
    }

    /// The environment or the file system is not as the configuration says.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// A right is missing, or the profiler is off and stays so.
    pub(crate) fn not_allowed(message: impl Into<String>) -> Self {
        Self::new(ExitCode::NotAllowed, message)
    }

    /// The same run may succeed a little later.
    pub(crate) fn may_pass(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Retry, message)
    }

    /// The run was told to stop before it started anything, or took up what was left by one that died.
    pub(super) fn before_start(request: ShutdownRequest, left: Option<String>) -> Self {
        let message = format!("{} before this attempt had started anything", request.why());
        let parts: Vec<_> = [Some(message), left].into_iter().flatten().collect();
        Self::new(request.code, parts.join("; "))
    }

    /// The run was told to stop, and has no time to ship.
    pub(super) fn no_time_to_ship(request: ShutdownRequest) -> Self {
        let message = format!(
            "{}, and the run is not shipped: the pods have their data until the next start, and the \
             next attempt of this run ships it",
            request.why()
        );
        Self::new(request.code, message)
    }

    /// The same, of a run that was told to stop: a fault that may pass is no reason to say anything else.
    pub(super) fn of_told(self, request: Option<ShutdownRequest>) -> Self {
        let passing = request.filter(|_| self.is_passing());
        self.unless_told(passing).unwrap_or_else(|told| told)
    }

    /// A fault after which the run goes on, unless it was told to stop.
    pub(super) fn unless_told(mut self, request: Option<ShutdownRequest>) -> Result<Self, Self> {
        let Some(request) = request else {
            return Ok(self);
        };
        self.message = format!("{}; {self}", request.why());
        self.code = request.code;
        Err(self)
    }

    /// This program has a defect.
    pub(super) fn defect(what: &str) -> Self {
        Self::new(ExitCode::Panic, format!("a defect in this program: {what}"))
    }

    /// The stop is asked for before start: a defect.
    pub(super) fn stop_before_start() -> Self {
        Self::defect("nothing was started that could be stopped")
    }

    /// Whether the same run may succeed a little later.
    pub(super) fn is_passing(&self) -> bool {
        self.code == ExitCode::Retry
    }

    /// Whether this program has a defect.
    pub(super) fn is_defect(&self) -> bool {
        self.code == ExitCode::Panic
    }

    /// Whether somebody has to change something in the cluster first.
    pub(super) fn is_not_allowed(&self) -> bool {
        self.code == ExitCode::NotAllowed
    }

    /// Puts what somebody has to know besides, if there is anything, before the message.
    pub(super) fn preface(&mut self, first: Option<String>) {
        if let Some(first) = first {
            self.message = format!("{first}\nThe run failed: {}", self.message);
        }
    }

    /// The failure of both destinations, the fallback's last. What may pass at either is worth a retry.
    pub(super) fn of_both(first: &Self, mut second: Self) -> Self {
        if second.code == ExitCode::DestinationRefused {
            second.code = first.code;
        }
        second.message = format!("{first}; and the fallback failed too: {second}");
        second
    }
}

impl From<ConnectError> for Fault {
    fn from(error: ConnectError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<CallError> for Fault {
    fn from(error: CallError) -> Self {
        let fault = if matches!(error, CallError::Unsupported { .. }) {
            Self::usage
        } else if error.is_definite() {
            Self::not_allowed
        } else {
            Self::may_pass
        };
        let mut fault = fault(error.to_string());
        // What somebody has to change may be said for a moment only, such as by a rule that is not there yet.
        if error.is_definite() && error.outlook() != Outlook::Final {
            fault.outlook = Outlook::Refused;
        }
        fault
    }
}

impl From<InstallError> for Fault {
    fn from(error: InstallError) -> Self {
        match error {
            // One answer that is not believed elsewhere makes it not found.
            InstallError::NotFound { .. } => Self {
                outlook: Outlook::Refused,
                ..Self::not_allowed(error.to_string())
            },
            InstallError::Call(error) => error.into(),
        }
    }
}

impl From<LeaseError> for Fault {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::Held { .. } | LeaseError::Lost(_) => Self::may_pass(error.to_string()),
            LeaseError::Call(error) => error.into(),
        }
    }
}

impl From<SwitchError> for Fault {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Refused { .. } | SwitchError::Denied { .. } => Self {
                outlook: error.outlook(),
                ..Self::not_allowed(error.to_string())
            },
            SwitchError::NoPatch { .. } => Self::not_allowed(error.to_string()),
            SwitchError::Busy { .. } => Self::may_pass(error.to_string()),
            SwitchError::Call(error) => error.into(),
        }
    }
}

impl From<RightsError> for Fault {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::Missing { .. } => Self::not_allowed(error.to_string()),
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
        Self::may_pass(format!("a temporary file: {error}"))
    }
}

impl From<PathError> for Fault {
    fn from(error: PathError) -> Self {
        Self::usage(format!("{error}; use a shorter PROFILER_RUN_ID"))
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
