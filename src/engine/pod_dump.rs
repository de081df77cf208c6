//! What an engine is given, what it hands over for each pod, and the unexpected names that it finds.

use crate::archive::{PodBundle, Spool};
use crate::cluster::call::Connection;
use crate::component::Component;
use crate::manifest::{ExpectedPod, Uncounted, UnexpectedName};

/// The name, in the log and the manifest, of the engine that fetches pods one at a time.
pub(super) const NATIVE: &str = "native";

/// The name, in the log and the manifest, of the engine that runs upstream's program.
pub(super) const CLUSTER_PROFILER: &str = "cluster-profiler";

/// Characters of an unexpected name that are shown; the rest is cut.
const SHOWN: usize = 100;

/// Unexpected names of one page that are listed, and logged.
const LISTED: usize = 20;

/// Everything that an engine needs to know.
#[derive(Debug, Clone)]
pub struct DumpPlan {
    /// The API server.
    pub connection: Connection,
    /// KubeVirt's install namespace.
    pub namespace: String,
    /// The pods to dump.
    pub pods: Vec<ExpectedPod>,
    /// The components in the order in which theirs are dumped.
    pub order: [Component; 4],
    /// Where their entries are made.
    pub spool: Spool,
}

/// The result of dumping one pod, or something that was found on the way.
#[derive(Debug)]
pub enum PodDump {
    /// An expected pod.
    Expected {
        /// The pod's name.
        pod: String,
        /// Its profiles, or why there are none.
        result: Result<PodBundle, String>,
        /// Names in its page that nobody asked for.
        unexpected_names: Vec<UnexpectedName>,
        /// The engine that fetched it.
        engine: &'static str,
    },
    /// A component pod that was not expected; it was not dumped.
    Uncounted(Uncounted),
    /// Names that nobody asked for, and that belong to no single pod's page.
    UnexpectedNames(Vec<UnexpectedName>),
}

impl PodDump {
    /// A pod that the native engine could not dump.
    pub(super) fn missing(pod: &str, why: &str) -> Self {
        Self::Expected {
            pod: pod.to_owned(),
            result: Err(why.to_owned()),
            unexpected_names: Vec::new(),
            engine: NATIVE,
        }
    }
}

/// Logs an unexpected name, and lists it, while the list is short. What has the name is not used.
pub(super) fn note_unexpected_name(
    list: &mut Vec<UnexpectedName>,
    page_of: &str,
    name: &str,
    why: &str,
) {
    if list.len() > LISTED {
        return;
    }
    let (shown_name, shown_why) = if list.len() < LISTED {
        (shortened(name), why)
    } else {
        ("…".to_owned(), "and more, which are not listed")
    };
    tracing::warn!(page_of, name = ?shown_name, why = shown_why, "refused a name in a dump");
    list.push(UnexpectedName {
        name: shown_name,
        page_of: page_of.to_owned(),
        why: shown_why.to_owned(),
    });
}

fn shortened(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
