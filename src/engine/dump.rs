//! What a dump is asked for, and what it brings.

use crate::archive::{PodBundle, Spool};
use crate::cluster::call::Connection;
use crate::manifest::{ExpectedPod, Uncounted, UnexpectedName};

/// The engine that fetches pods one at a time, by its name in the log and the manifest.
pub const NATIVE: &str = "native";

/// The engine that runs upstream's program.
pub const CLUSTER_PROFILER: &str = "cluster-profiler";

/// Everything an engine needs to know.
#[derive(Debug, Clone)]
pub struct DumpPlan {
    /// The API server.
    pub connection: Connection,
    /// KubeVirt's install namespace.
    pub namespace: String,
    /// The pods to dump.
    pub pods: Vec<ExpectedPod>,
    /// Where their entries are made.
    pub spool: Spool,
}

/// What came of one pod.
#[derive(Debug)]
pub enum PodDump {
    /// An expected pod.
    Expected {
        /// The pod's name.
        pod: String,
        /// Its profiles, or why there are none.
        result: Result<PodBundle, String>,
        /// Names in its page that nobody asked for.
        refused: Vec<UnexpectedName>,
        /// The engine that brought it.
        engine: &'static str,
    },
    /// A component pod that was not expected; it was not dumped.
    Uncounted(Uncounted),
    /// Names that nobody asked for, in no pod's page alone.
    Refused(Vec<UnexpectedName>),
}
