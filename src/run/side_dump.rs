//! A dump beside the one that is shipped: the baseline's and the snapshots'. It is made by the native engine whatever
//! the run's own is, for nothing is to take much memory beside the workload, and without texts. What cannot be had is
//! no fault of the run.

use std::collections::BTreeMap;
use std::io;

use tokio::sync::mpsc;

use crate::archive::PodBundle;
use crate::cluster::call::CallError;
use crate::engine::{DumpPlan, Engine, Native, PodDump};
use crate::errors::joined;
use crate::manifest::ExpectedPod;

/// What became of a dump.
#[derive(Debug)]
pub(super) struct SideDump {
    /// Pods that were kept.
    pub(super) kept: usize,
    /// Why a pod was not, of the first.
    pub(super) why_not: Option<String>,
    /// What ended it early.
    pub(super) ended: Option<CallError>,
}

/// Dumps the pods of a plan, so many at once, and keeps what comes of each.
///
/// # Errors
/// That cannot be kept.
pub(super) async fn dump<K>(plan: DumpPlan, concurrency: usize, keep: K) -> io::Result<SideDump>
where
    K: Fn(&ExpectedPod, Result<PodBundle, String>) -> io::Result<()> + Clone + Send + 'static,
{
    let engine = Native { concurrency };
    let pods = plan.pods.clone();
    let (sender, dumps) = mpsc::channel(1);
    let (dumped, kept) = tokio::join!(engine.dump(plan, sender), keep_all(&pods, dumps, keep));
    Ok(SideDump {
        ended: dumped.err(),
        ..kept?
    })
}

async fn keep_all<K>(
    pods: &[ExpectedPod],
    mut dumps: mpsc::Receiver<PodDump>,
    keep: K,
) -> io::Result<SideDump>
where
    K: Fn(&ExpectedPod, Result<PodBundle, String>) -> io::Result<()> + Clone + Send + 'static,
{
    let by_name: BTreeMap<_, _> = pods.iter().map(|pod| (pod.name.as_str(), pod)).collect();
    let mut side_dump = SideDump {
        kept: 0,
        why_not: None,
        ended: None,
    };
    while let Some(dump) = dumps.recv().await {
        let PodDump::Expected { pod, result, .. } = dump else {
            continue;
        };
        let Some(pod) = by_name.get(pod.as_str()).map(|pod| (*pod).clone()) else {
            continue;
        };
        match &result {
            Ok(_) => side_dump.kept += 1,
            Err(why) => {
                tracing::warn!(pod = pod.name, why, "not dumped beside the window");
                side_dump
                    .why_not
                    .get_or_insert_with(|| format!("{}: {why}", pod.name));
            }
        }
        let keep = keep.clone();
        let kept = tokio::task::spawn_blocking(move || keep(&pod, result));
        joined(kept.await)?;
    }
    Ok(side_dump)
}
