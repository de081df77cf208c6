//! Baseline: every pod is dumped once before start, so that what it did in the window can be told from what it did
//! before.

use std::collections::BTreeMap;
use std::io;

use tokio::sync::mpsc;

use crate::archive::{Baseline, PodBundle};
use crate::component::Component;
use crate::engine::{DumpPlan, Engine, Native, PodDump};
use crate::errors::joined;
use crate::manifest::ExpectedPod;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::resume;

/// Dumps the pods, by the native engine whatever the run's own is: nothing is to take
/// much memory beside the workload. What cannot be had is noted, and no fault of the run.
///
/// # Errors
/// The run was told to stop.
pub(in crate::run) async fn take(
    context: &Context,
    pods: &[ExpectedPod],
) -> Result<Baseline, Fault> {
    let spool = context.spool();
    let begun = tokio::task::spawn_blocking(move || Baseline::begin(&spool));
    let mut baseline = match joined(begun.await) {
        Ok(baseline) => baseline,
        Err(error) => {
            let why = format!("the temporary directory has no room for a baseline: {error}");
            return Ok(Baseline::missing(why));
        }
    };
    let taken = tokio::select! {
        request = context.shutdown.requested() => {
            return Err(resume::told(context, request).await);
        }
        taken = dump(context, &baseline, pods) => taken?,
    };
    if let Some(why) = taken {
        tracing::warn!(why, "there is no baseline");
        context.remove_baseline().await;
        baseline = Baseline::missing(why);
    }
    Ok(baseline)
}

/// Dumps the pods, virt-api's last: it serves all the others' dumps, and that work is none of its window. Gives the
/// reason why there is no baseline at all, if there is none.
async fn dump(
    context: &Context,
    baseline: &Baseline,
    pods: &[ExpectedPod],
) -> Result<Option<String>, Fault> {
    let engine = Native {
        concurrency: context.config.concurrency,
    };
    let plan = DumpPlan {
        connection: context.cluster.connection.clone(),
        namespace: context.install()?.namespace.clone(),
        pods: pods.to_vec(),
        order: Component::VIRT_API_LAST,
        spool: context.spool().without_texts(),
    };
    let (sender, dumps) = mpsc::channel(1);
    let (dumped, kept) = tokio::join!(
        engine.dump(plan, sender),
        keep_all(context, baseline, pods, dumps)
    );
    let why = match (dumped, kept) {
        (_, Err(error)) => format!("it could not be kept: {error}"),
        (Err(error), Ok(0)) => error.to_string(),
        (Err(error), Ok(_)) => {
            tracing::warn!(%error, "the baseline ended early");
            return Ok(None);
        }
        (Ok(()), Ok(count)) => {
            tracing::info!(pods = count, of = pods.len(), "the baseline is there");
            return Ok(None);
        }
    };
    Ok(Some(why))
}

/// Keeps what comes, and gives the number of pods that have a baseline.
///
/// # Errors
/// It cannot be written. There is to be none at all then, for the dump needs the room more.
async fn keep_all(
    context: &Context,
    baseline: &Baseline,
    pods: &[ExpectedPod],
    mut dumps: mpsc::Receiver<PodDump>,
) -> io::Result<usize> {
    let by_name: BTreeMap<_, _> = pods.iter().map(|pod| (pod.name.as_str(), pod)).collect();
    let mut kept = 0;
    while let Some(dump) = dumps.recv().await {
        let PodDump::Expected { pod, result, .. } = dump else {
            continue;
        };
        let Some(pod) = by_name.get(pod.as_str()) else {
            continue;
        };
        kept += usize::from(result.is_ok());
        keep(context, baseline, (*pod).clone(), result).await?;
    }
    Ok(kept)
}

async fn keep(
    context: &Context,
    baseline: &Baseline,
    pod: ExpectedPod,
    result: Result<PodBundle, String>,
) -> io::Result<()> {
    let (baseline, spool) = (baseline.clone(), context.spool());
    let keep = tokio::task::spawn_blocking(move || match result {
        Ok(bundle) => baseline.keep(&pod, bundle, &spool),
        Err(why) => {
            tracing::warn!(pod = pod.name, why, "it has no baseline");
            baseline.note_missing(&pod.name, &why)
        }
    });
    joined(keep.await)
}
