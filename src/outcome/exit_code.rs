//! The exit codes. Deploy manifests decide by them.

use serde::{Serialize, Serializer};

/// Every exit code there is. Deploy manifests decide by these numbers what is worth a retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// Shipped, and complete.
    Complete,
    /// What a subcommand looked for is not so.
    Finding,
    /// The environment or the command line is wrong.
    Usage,
    /// A right is missing, or the profiler is off.
    NotAllowed,
    /// The destination refuses, and would again.
    DestinationRefused,
    /// Shipped, but not every pod is in it, or something of the run is left in the cluster.
    Incomplete,
    /// Shipped, and the workload had failed.
    Workload,
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
    pub const ALL: [Self; 11] = [
        Self::Complete,
        Self::Finding,
        Self::Usage,
        Self::NotAllowed,
        Self::DestinationRefused,
        Self::Incomplete,
        Self::Workload,
        Self::Retry,
        Self::Panic,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The number that the process exits with.
    pub fn number(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Finding => 1,
            Self::Usage => 2,
            Self::NotAllowed => 3,
            Self::DestinationRefused => 4,
            Self::Incomplete => 5,
            Self::Workload => 6,
            Self::Retry => 75,
            Self::Panic => 101,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What the code says, as the README's table has it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "shipped, and complete enough (PROFILER_MIN_COMPLETE)",
            Self::Finding => {
                "a subcommand's finding: not ready, nobody to stop, damaged profiles, no such run"
            }
            Self::Usage => "the environment or the command line is wrong",
            Self::NotAllowed => "a right is missing, there is no KubeVirt, or the profiler is off",
            Self::DestinationRefused => "the destination refuses for good",
            Self::Incomplete => {
                "shipped, but incomplete: the manifest says what is missing, or what is left in the cluster"
            }
            Self::Workload => {
                "shipped, and the workload had failed: the manifest has its exit code"
            }
            Self::Retry => "a fault that may pass: worth retrying",
            Self::Panic => "a defect in this program",
            Self::Interrupted => "ended by Ctrl-C: what there was is shipped",
            Self::Terminated => {
                "told to stop (SIGTERM, SIGHUP, PROFILER_DEADLINE): what there was is shipped"
            }
        }
    }

    /// Whether a run with this code is over for good: no other attempt can bring what it lacks.
    pub fn is_final(self) -> bool {
        match self {
            Self::Complete | Self::Incomplete | Self::Workload => true,
            Self::Finding
            | Self::Usage
            | Self::NotAllowed
            | Self::DestinationRefused
            | Self::Retry
            | Self::Panic
            | Self::Interrupted
            | Self::Terminated => false,
        }
    }

    /// The code with this number.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The code as a word, for whoever reads no numbers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Finding => "finding",
            Self::Usage => "usage",
            Self::NotAllowed => "not-allowed",
            Self::DestinationRefused => "destination-refused",
            Self::Incomplete => "incomplete",
            Self::Workload => "workload-failed",
            Self::Retry => "retry",
            Self::Panic => "panic",
            Self::Interrupted => "interrupted",
            Self::Terminated => "terminated",
        }
    }
}

impl Serialize for ExitCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        code.number().into()
    }
}
