//! What the configuration is once it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::destination::DestinationConfig;
use super::min_complete::MinComplete;
use super::run_id::RunId;
use super::standard::OwnPod;
use crate::component::Component;

/// What a run does, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the archive goes.
    pub destination: DestinationConfig,
    /// Where it goes instead when the destination fails.
    pub fallback: Option<DestinationConfig>,
    /// The components whose pods are dumped. Start and stop reach all of them regardless.
    pub components: BTreeSet<Component>,
    /// When profiling ends.
    pub window: WindowConfig,
    /// The files by which a run and a workload tell each other where they are.
    pub signals: SignalFiles,
    /// How the dump is fetched.
    pub engine: EngineConfig,
    /// KubeVirt's install namespace; `None` means look in the usual ones.
    pub namespace: Option<String>,
    /// The run's id.
    pub run_id: RunId,
    /// Whether the texts of converted profiles are kept.
    pub keep_originals: bool,
    /// Pods that this program itself fetches at once.
    pub concurrency: usize,
    /// What is done about a profiler that is off.
    pub enable_policy: EnablePolicy,
    /// What share of the pods is enough.
    pub min_complete: MinComplete,
    /// How long things may take.
    pub patience: Patience,
    /// Which earlier runs the destination keeps.
    pub retention: Retention,
    /// Labels for the manifest.
    pub labels: BTreeMap<String, String>,
    /// Whether to prove that the run could succeed, and change nothing.
    pub dry_run: bool,
    /// The pod that the run is in, where POD_NAME, POD_NAMESPACE and POD_UID tell.
    pub pod: Option<OwnPod>,
    /// Where bundles that outgrow memory are kept until they are shipped.
    pub temporary: PathBuf,
    /// The kubeconfig files of KUBECONFIG, if it is set.
    pub kubeconfig: Vec<PathBuf>,
}

/// What an undo needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoConfig {
    /// KubeVirt's install namespace; `None` means look in the usual ones.
    pub namespace: Option<String>,
    /// A run that holds the cluster's lock is waited for so long.
    pub lock_wait: Duration,
    /// A stop that not every pod has seen is sent again for so long.
    pub stop_wait: Duration,
    /// The kubeconfig files of KUBECONFIG, if it is set.
    pub kubeconfig: Vec<PathBuf>,
}

/// When profiling ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowConfig {
    /// How long the window stays open: from its beginning, or after the stop file.
    pub settle: Duration,
    /// Whether the settle duration begins with the stop file, because the user named one.
    pub settle_after_stop_file: bool,
    /// The window's longest length, whatever else happens.
    pub max: Duration,
}

/// The files by which a run and a workload tell each other where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalFiles {
    /// The window ends when it appears.
    pub stop: PathBuf,
    /// It is there while profiling runs.
    pub ready: PathBuf,
}

/// How the dump is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineConfig {
    /// By this program, a pod at a time.
    Native,
    /// By upstream's cluster-profiler, and what it does not deliver by this program.
    ClusterProfiler {
        /// The program.
        program: PathBuf,
        /// Pods a page.
        page_size: u32,
    },
}

/// What is done about a profiler that is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnablePolicy {
    /// Nothing: it has to be on.
    Require,
    /// It is turned on, and stays on.
    Enable,
    /// It is turned on for the run.
    EnableAndRestore,
}

impl EnablePolicy {
    /// Whether the run may turn it on.
    pub fn may_enable(self) -> bool {
        match self {
            Self::Require => false,
            Self::Enable | Self::EnableAndRestore => true,
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Passing faults before the start are tried again for so long.
    pub preflight_retry: Duration,
    /// A run that holds the cluster's lock is waited for so long.
    pub lock_wait: Duration,
    /// A stop that not every pod has seen is sent again for so long.
    pub stop_wait: Duration,
    /// How often start is tried.
    pub start_tries: u32,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The whole run's limit.
    pub deadline: Option<Duration>,
}

/// Which runs a destination keeps: those that one of these keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// So many of the newest, the run's own among them; at least 1.
    pub keep: Option<u32>,
    /// Those that are not older.
    pub keep_for: Option<Duration>,
}

impl Retention {
    /// Whether nothing is ever removed.
    pub fn keeps_all(&self) -> bool {
        self.keep.is_none() && self.keep_for.is_none()
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person.
    Text,
}

/// Where the termination message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationLog {
    /// The file.
    pub path: PathBuf,
    /// Whether it is created where it does not exist, as one that the user named is.
    pub create: bool,
}

/// What is known even when the configuration as a whole is faulty: whom to tell of it. `None` is
/// what is not wanted, or has a fault of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The termination message's file.
    pub termination_log: Option<TerminationLog>,
    /// The file that says that the run is over, and how.
    pub done_file: Option<PathBuf>,
    /// The directory of small files for Tekton and Argo.
    pub results_dir: Option<PathBuf>,
    /// The log's format; without one there being a terminal decides.
    pub log: Option<LogFormat>,
    /// RUST_LOG, if it is set.
    pub log_filter: Option<String>,
}

/// Every fault of the environment, in one message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of the environment:\n  {}", count(faults), faults.join("\n  "))]
pub struct ConfigError {
    /// One line a fault: the variable, its value where it can hold no secret, what is accepted.
    pub faults: Vec<String>,
}

fn count(faults: &[String]) -> String {
    match faults.len() {
        1 => "1 fault".to_owned(),
        n => format!("{n} faults"),
    }
}
