//! Baseline: every pod is dumped once before start, so that what it did in the window can be told from what it did
//! before.

use crate::archive::{Baseline, PodBundle};
use crate::component::Component;
use crate::errors::joined;
use crate::manifest::ExpectedPod;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::resume;
use crate::run::side_dump::{self, SideDump};

/// Dumps the pods. What cannot be had is noted, and no fault of the run.
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
    let taken = resume::unless_told(context, dump(context, &baseline, pods)).await?;
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
    let (own, spool) = (baseline.clone(), context.spool());
    let keep = move |pod: &ExpectedPod, result: Result<PodBundle, String>| match result {
        Ok(bundle) => own.keep(pod, bundle, &spool),
        Err(why) => own.note_missing(&pod.name, &why),
    };
    let plan = context.plan_beside(pods, Component::VIRT_API_LAST)?;
    Ok(
        match side_dump::dump(plan, context.config.concurrency, keep).await {
            // The dump needs the room more.
            Err(error) => Some(format!("it could not be kept: {error}")),
            Ok(SideDump {
                kept: 0,
                ended: Some(error),
                ..
            }) => Some(error.to_string()),
            Ok(SideDump { kept, ended, .. }) => {
                if let Some(error) = ended {
                    tracing::warn!(%error, "the baseline ended early");
                }
                tracing::info!(pods = kept, of = pods.len(), "the baseline is there");
                None
            }
        },
    )
}
