//! The manifest of a run that an earlier attempt has shipped, whole, without coming to its own end: it is brought up to
//! date by the attempt that finds nothing of the run left to undo.

use tokio::time::timeout;

use super::archive_worth::ShippedRun;
use super::context::Context;
use super::outcome::{Fault, Shipped};
use super::pod_results::PodResults;
use crate::config::{EnablePolicy, RunFile};
use crate::destination::{Destination, DestinationError, Found, Summary};
use crate::limits::REMOVAL;
use crate::manifest::Manifest;

/// Has the manifest say what the run has come to: the exit code that it is due to have, and that what turned the profiler
/// on is put back. Whatever fails there is no fault of the run, whose archive is whole.
pub(super) async fn bring_up_to_date(context: &Context, shipped: &Summary) {
    if !shipped.is_unended() {
        return;
    }
    // The caller waits for nothing in a run that is told to stop, and others wait for the lock.
    match timeout(REMOVAL, Box::pin(rewrite(context, shipped))).await {
        Ok(Ok(())) => tracing::info!("the manifest of an earlier attempt is brought up to date"),
        Ok(Err(fault)) => {
            tracing::warn!(%fault, "the manifest stays as an earlier attempt wrote it");
        }
        Err(_) => tracing::warn!(
            "the manifest stays as an earlier attempt wrote it: the destination did not answer in time"
        ),
    }
}

async fn rewrite(context: &Context, shipped: &Summary) -> Result<(), Fault> {
    let Some(mut run) = find(context, shipped).await? else {
        return Ok(());
    };
    end(context, &mut run.manifest);
    let json = serde_json::to_vec_pretty(&run.manifest).map_err(std::io::Error::from)?;
    run.place.put(&run.run_id, RunFile::Manifest, json).await?;
    Ok(())
}

/// Finds the run whose manifest was read, at the place that has it, with all of its manifest.
async fn find(
    context: &Context,
    shipped: &Summary,
) -> Result<Option<ShippedRun>, DestinationError> {
    let own = &context.config.run_id;
    for place in context.destinations() {
        for run_id in [own.clone(), own.beside()] {
            if is_there(place.find(&run_id).await, shipped) {
                let manifest = place.manifest(&run_id, shipped.pods.expected()).await?;
                let place = Destination::clone(place);
                return Ok(Some(ShippedRun {
                    place,
                    run_id,
                    manifest,
                }));
            }
        }
    }
    Ok(None)
}

fn is_there(found: Result<Found, DestinationError>, shipped: &Summary) -> bool {
    matches!(found, Ok(Found::Complete(there)) if there.archive == shipped.archive)
}

/// Ends the run in its manifest as nobody told it to stop.
fn end(context: &Context, manifest: &mut Manifest) {
    let pods = PodResults::of_earlier(manifest, &PodResults::new(Vec::new()));
    let (completeness, is_enough) = pods.completeness(&context.config.min_complete);
    let shipped = Shipped {
        completeness: format!("{completeness}; an earlier attempt shipped that"),
        is_enough,
        left_behind: Vec::new(),
        shutdown: None,
        workload_exit_code: manifest.workload_exit_code,
        fallback_reason: manifest.fallback_reason.as_deref(),
    };
    let (code, reason) = shipped.outcome();
    manifest.exit_code = code.number();
    manifest.reason = reason;
    if manifest.gate.changed.is_some() {
        manifest.gate.after = context.config.enable_policy == EnablePolicy::Enable;
    }
}
