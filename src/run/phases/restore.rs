//! Restore: what turned the profiler on is put back, once every pod has stopped.

use crate::config::EnablePolicy;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Dumped, Restored};
use crate::run::profiler_switch;

/// Puts back what the run changed to turn the profiler on, and notes how it was left. While a pod may be
/// profiling it stays on, for else nobody could stop that one.
///
/// # Errors
/// The journal cannot be written, or the Lease is lost.
pub(in crate::run) async fn restore(context: &Context, dumped: Dumped) -> Result<Restored, Fault> {
    let install = context.install()?;
    let cluster = &context.cluster;
    let left_on = if dumped.unstopped.is_empty() {
        cluster.lease.note_stopped().await?;
        let hurry = async {
            context.shutdown.requested().await;
        };
        profiler_switch::turn_off(cluster, install, hurry).await
    } else {
        profiler_switch::stays_on(cluster).await
    };
    if let Some(left_on) = &left_on {
        tracing::error!("{left_on}");
    }
    let after = is_left_on(context).await;
    context.gate().after = after;
    Ok(Restored { dumped, left_on })
}

/// Whether the run leaves the profiler on: as it came, unless it was changed and not put back.
async fn is_left_on(context: &Context) -> bool {
    let still_changed = profiler_switch::last_change(&context.cluster)
        .await
        .is_some();
    let kept = context.config.enable_policy == EnablePolicy::Enable;
    let gate = context.gate();
    match gate.changed {
        Some(_) => still_changed || kept,
        None => gate.before,
    }
}
