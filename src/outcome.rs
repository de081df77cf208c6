//! How a run ends, told to whoever started it: the exit code and the termination message.

pub mod termination;

use serde::Serialize;

/// Every exit code there is. Deploy manifests decide by these numbers what is worth a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCode {
    /// Shipped, and complete.
    Complete,
    /// The environment or the command line is wrong.
    Usage,
    /// A right is missing, or the profiler is off.
    NotAllowed,
    /// The destination refuses, and would again.
    DestinationRefused,
    /// Shipped, but not every pod is in it.
    Incomplete,
    /// A fault that may pass.
    Retry,
    /// A defect in this program.
    Panic,
    /// Ended by Ctrl-C.
    Interrupted,
    /// Ended by SIGTERM.
    Terminated,
}

impl ExitCode {
    /// Every code, ascending.
    pub const ALL: [Self; 9] = [
        Self::Complete,
        Self::Usage,
        Self::NotAllowed,
        Self::DestinationRefused,
        Self::Incomplete,
        Self::Retry,
        Self::Panic,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the process exits with.
    pub fn number(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Usage => 2,
            Self::NotAllowed => 3,
            Self::DestinationRefused => 4,
            Self::Incomplete => 5,
            Self::Retry => 75,
            Self::Panic => 101,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the code says, as the README's table has it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "shipped, every expected pod complete",
            Self::Usage => "the environment or the command line is wrong",
            Self::NotAllowed => "a right is missing, there is no KubeVirt, or the profiler is off",
            Self::DestinationRefused => "the destination refuses for good",
            Self::Incomplete => "shipped, but incomplete: the manifest says what is missing",
            Self::Retry => "a fault that may pass: worth retrying",
            Self::Panic => "a defect in this program; profiling was stopped",
            Self::Interrupted => "ended by Ctrl-C; profiling was stopped",
            Self::Terminated => "ended by SIGTERM; profiling was stopped",
        }
    }

    /// The code with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Whether the run's archive is at its destination for good, so that no attempt need follow.
    pub fn is_final(self) -> bool {
        match self {
            Self::Complete | Self::Incomplete => true,
            Self::Usage
            | Self::NotAllowed
            | Self::DestinationRefused
            | Self::Retry
            | Self::Panic
            | Self::Interrupted
            | Self::Terminated => false,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}
