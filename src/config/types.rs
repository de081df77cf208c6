//! The types of a checked configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::foreign_settings::{ChecksumsSet, OwnPod};
use super::min_complete::MinComplete;
use super::push_config::PushConfig;
use super::run_id::RunId;
use super::window_config::{SnapshotConfig, VmiConfig, WindowConfig};
use crate::component::Component;
use crate::proxy::Proxies;

/// A run's configuration.
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
    /// The virtual machine instances that are followed, if any are.
    pub vmis: Option<VmiConfig>,
    /// The signal files.
    pub signals: SignalFiles,
    /// How the dump is fetched.
    pub engine: EngineConfig,
    /// KubeVirt's install namespace; `None` means look in the usual ones.
    pub namespace: Option<String>,
    /// The run's id.
    pub run_id: RunId,
    /// Whether the texts of converted profiles are kept.
    pub keep_originals: bool,
    /// Whether pods are dumped before the window, too.
    pub baseline: bool,
    /// The dumps within the window, if there are to be any.
    pub snapshots: Option<SnapshotConfig>,
    /// Whether a page that says what the run found is put beside the archive.
    pub report: bool,
    /// Where the profiles are pushed to once the run is shipped, if they are.
    pub push: Option<PushConfig>,
    /// Pods that the native engine fetches at once.
    pub concurrency: usize,
    /// What is done about a profiler that is off.
    pub enable_policy: EnablePolicy,
    /// The share of the pods that is enough.
    pub min_complete: MinComplete,
    /// The times and tries for waiting and trying again.
    pub patience: Patience,
    /// Which earlier runs the destination keeps.
    pub retention: Retention,
    /// Labels for the manifest.
    pub labels: BTreeMap<String, String>,
    /// The key that the run is compared by, in place of the cluster's identity.
    pub compare_key: Option<String>,
    /// How the run is compared with those before it, if it is.
    pub compare: Option<CompareConfig>,
    /// Whether to prove that the run could succeed, and change nothing.
    pub dry_run: bool,
    /// The pod that the run is in, where POD_NAME, POD_NAMESPACE and POD_UID tell.
    pub pod: Option<OwnPod>,
    /// Where bundles that outgrow memory are kept until they are shipped.
    pub temporary: PathBuf,
    /// The kubeconfig files of KUBECONFIG, if it is set.
    pub kubeconfig: Vec<PathBuf>,
    /// The proxies of the environment.
    pub proxies: Proxies,
}

/// An undo's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoConfig {
    /// KubeVirt's install namespace; `None` means look in the usual ones.
    pub namespace: Option<String>,
    /// How long a run that holds the cluster's lock is waited for.
    pub lock_wait: Duration,
    /// How long stop is sent again while some pod has not seen it.
    pub stop_wait: Duration,
    /// The kubeconfig files of KUBECONFIG, if it is set.
    pub kubeconfig: Vec<PathBuf>,
    /// The proxies of the environment.
    pub proxies: Proxies,
}

/// A place where runs are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationConfig {
    /// A directory, such as a mounted volume.
    Directory(PathBuf),
    /// A bucket.
    Bucket(Box<S3Config>),
}

/// A bucket, and how to reach it. Credentials are not in here: the AWS SDK finds them where it always
/// does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket's name.
    pub bucket: String,
    /// The beginning of every key: empty, or with a slash at its end.
    pub prefix: String,
    /// How the bucket is reached, and what is asked of it.
    pub settings: S3Settings,
}

/// The settings that all buckets of a run have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// The server's URL, where it is not AWS.
    pub endpoint: Option<String>,
    /// Whether the endpoint's scheme was guessed from an ObjectBucketClaim's port.
    pub scheme_is_guess: bool,
    /// The region, where a variable or an ObjectBucketClaim says it; else the AWS SDK finds it.
    pub region: Option<String>,
    /// Which checksums AWS's own variables decide on.
    pub checksums_set: ChecksumsSet,
    /// Tries of one request, the first included, where AWS_MAX_ATTEMPTS says so.
    pub max_attempts: Option<u32>,
    /// The proxies of the environment.
    pub proxies: Proxies,
    /// Certificates of authorities that are trusted besides the usual ones, as PEM, each with the variable
    /// that names the file.
    pub ca_bundles: Vec<(&'static str, PathBuf)>,
    /// Whether the bucket stands in the path of a URL and not in its host; if unset, it does where there
    /// is an endpoint.
    pub path_style: Option<bool>,
    /// The server-side encryption, such as `AES256` or `aws:kms`.
    pub encryption: Option<String>,
    /// The KMS key for the encryption.
    pub kms_key: Option<String>,
    /// The storage class, such as `STANDARD_IA`.
    pub storage_class: Option<String>,
    /// The objects' tags, encoded as a URL's query.
    pub tags: Option<String>,
}

/// The text for a person to which a run's file names are appended.
impl std::fmt::Display for DestinationConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}/", path.display()),
            Self::Bucket(at) => write!(f, "s3://{}/{}", at.bucket, at.prefix),
        }
    }
}

/// The signal files: by these a run and a workload tell each other where they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalFiles {
    /// The stop file: the window ends when it appears.
    pub stop: PathBuf,
    /// The ready file: it exists while profiling runs.
    pub ready: PathBuf,
}

/// An engine: how the dump is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineConfig {
    /// The native engine: this program, a pod at a time.
    Native,
    /// Upstream's cluster-profiler; what it does not deliver is fetched by this program.
    ClusterProfiler {
        /// The program.
        program: PathBuf,
        /// Pods that it fetches in one page.
        page_size: u32,
    },
}

/// An engine's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineName {
    Native,
    ClusterProfiler,
}

/// The user's policy for a profiler that is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnablePolicy {
    /// The run fails: the profiler has to be on.
    Require,
    /// The run turns it on and leaves it on.
    Enable,
    /// The run turns it on, and puts it back after the dump.
    EnableAndRestore,
}

impl EnablePolicy {
    /// Whether the run may turn the profiler on.
    pub fn may_enable(self) -> bool {
        match self {
            Self::Require => false,
            Self::Enable | Self::EnableAndRestore => true,
        }
    }
}

/// Times and tries for waiting and trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long faults that may pass are tried again before the start.
    pub preflight_retry: Duration,
    /// How long a run that holds the cluster's lock is waited for.
    pub lock_wait: Duration,
    /// How long stop is sent again while some pod has not seen it.
    pub stop_wait: Duration,
    /// Tries of start, the first included.
    pub start_tries: u32,
    /// The time between SIGTERM and SIGKILL.
    pub grace: Duration,
    /// The longest time for the whole run.
    pub deadline: Option<Duration>,
}

/// The runs that a destination keeps: a run stays if one of these keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// The number of the newest that are kept, this run among them; at least 1.
    pub keep: Option<u32>,
    /// The greatest age of those that are kept.
    pub keep_for: Option<Duration>,
}

impl Retention {
    /// Whether nothing is ever removed.
    pub fn keeps_all(&self) -> bool {
        self.keep.is_none() && self.keep_for.is_none()
    }
}

/// The comparison of a run with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompareConfig {
    /// Whether a regression that is confirmed has an exit code of its own.
    pub fail_on_regression: bool,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person.
    Text,
}

/// The file for the termination message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationLog {
    /// The file.
    pub path: PathBuf,
    /// Whether it is created where it does not exist, as one that the user named is.
    pub create: bool,
}

/// Where a run's end is told. This is known even if the rest of the configuration is faulty; `None` means not
/// wanted, or faulty itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// The termination message's file.
    pub termination_log: Option<TerminationLog>,
    /// The done file: it says that the run is over, and how.
    pub done_file: Option<PathBuf>,
    /// The directory of small files for Tekton and Argo.
    pub results_dir: Option<PathBuf>,
    /// The log's format; if `None`, text on a terminal and else JSON.
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
