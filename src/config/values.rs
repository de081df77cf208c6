//! What the configuration is once it is checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::destination::DestinationConfig;
use super::run_id::RunId;
use crate::component::Component;

/// What a run does, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the archive goes.
    pub destination: DestinationConfig,
    /// The components whose pods are dumped. Start and stop reach all of them regardless.
    pub components: BTreeSet<Component>,
    /// How long profiling stays on.
    pub settle: Duration,
    /// How the dump is fetched.
    pub engine: EngineName,
    /// KubeVirt's install namespace; `None` means look in the usual ones.
    pub namespace: Option<String>,
    /// The run's id.
    pub run_id: RunId,
    /// Pods fetched at once.
    pub concurrency: usize,
    /// Labels for the manifest.
    pub labels: BTreeMap<String, String>,
    /// Where bundles that outgrow memory are kept until they are shipped.
    pub temporary: PathBuf,
    /// The kubeconfig files of KUBECONFIG, if it is set.
    pub kubeconfig: Vec<PathBuf>,
}

/// How the dump is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineName {
    /// By this program, a pod at a time.
    Native,
}

impl EngineName {
    /// The name in the environment and in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
        }
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

/// What is known even when the configuration as a whole is faulty: how to tell of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// `None` where the variable itself is faulty.
    pub termination_log: Option<TerminationLog>,
    /// The log's format; `None` means by whether there is a terminal.
    pub log: Option<LogFormat>,
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
