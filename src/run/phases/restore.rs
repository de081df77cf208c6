//! Restore: what turned the profiler on is put back, once every pod has stopped.

use crate::config::EnablePolicy;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Dumped, Restored};
use crate::run::profiler_off;

/// Puts back what the run changed to turn the profiler on, and notes how it was left. While a pod may be
/// profiling it stays on, for else nobody could stop that one. A run that is told to stop leaves what does
/// not go at once for later: its manifest comes first.
///
/// # Errors
/// The KubeVirt is not known: a defect.
pub(in crate::run) async fn restore(context: &Context, dumped: Dumped) -> Result<Restored, Fault> {
    // The manifest needs as much.
    let given_up = context.shutdown.share_is_over(2);
    put_back(context, dumped, given_up).await
}

/// Goes on with what a run that was told to stop left for later, as long as its grace allows. `None`: there
/// is nothing to go on with, or it stays as it was.
///
/// # Errors
/// The KubeVirt is not known: a defect.
pub(in crate::run) async fn go_on(
    context: &Context,
    left: Option<Restored>,
) -> Result<Option<Restored>, Fault> {
    let Some(Restored { dumped, .. }) = left.filter(|_| context.shutdown.is_requested()) else {
        return Ok(None);
    };
    let given_up = context.shutdown.stop_time_is_over();
    let restored = put_back(context, dumped, given_up).await?;
    Ok(Some(restored).filter(|restored| restored.left_on.is_none()))
}

async fn put_back(
    context: &Context,
    dumped: Dumped,
    given_up: impl Future<Output = ()>,
) -> Result<Restored, Fault> {
    let install = context.install()?;
    let cluster = &context.cluster;
    let left_on = if dumped.unstopped.is_empty() {
        let hurry = async {
            context.shutdown.requested().await;
        };
        profiler_off::turn_off(cluster, install, hurry, given_up).await
    } else {
        profiler_off::stays_on(cluster)
    };
    if let Some(left_on) = &left_on {
        tracing::error!("{left_on}");
    }
    let after = is_left_on(context);
    context.gate().after = after;
    Ok(Restored { dumped, left_on })
}

/// Whether the run leaves the profiler on: as it came, unless it was changed and not put back.
fn is_left_on(context: &Context) -> bool {
    let still_changed = context.cluster.last_change().is_some();
    let kept = context.config.enable_policy == EnablePolicy::Enable;
    let gate = context.gate();
    match gate.changed {
        Some(_) => still_changed || kept,
        None => gate.before,
    }
}
