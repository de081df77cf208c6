//! Stopping: until every pod has seen it, and what to say when that cannot be had.

use tokio::time::Instant;

use super::fault::Fault;
use super::gate;
use super::job::Job;
use super::told::Told;
use crate::cluster::call::CallError;
use crate::cluster::confirm::Confirmation;
use crate::cluster::install::Install;
use crate::cluster::{enable, profiler};
use crate::outcome::ExitCode;

/// Sends stop until it is confirmed, for `until` at the longest, or until the run is told to stop;
/// then the rest is done beside the dump.
///
/// # Errors
/// No stop was answered well: nothing can be dumped.
pub(super) async fn stop(
    confirmation: &mut Confirmation,
    until: Instant,
    job: &Job,
    install: &Install,
) -> Result<(), Fault> {
    let told = &job.told;
    let confirmed = async {
        confirmation.attempt().await;
        reopen(confirmation, job, install).await;
        tokio::select! {
            () = confirmation.until(until) => {}
            _ = told.order() => {}
        }
    };
    tokio::select! {
        () = confirmed => {}
        () = told.stop_is_over() => {}
    }
    let Some(error) = confirmation.error().cloned() else {
        return Ok(());
    };
    if profiler::is_off(&error) {
        return Err(turned_off(job, install).await);
    }
    // A run that was told to stop tries on beside the dump.
    let lost = !confirmation.was_answered() && !is_about_pods(&error) && told.now().is_none();
    if lost { Err(error.into()) } else { Ok(()) }
}

/// Beside the dump of a run that was told to stop: the stop goes on, until it would have ended
/// anyway or the time is over.
pub(super) async fn go_on(confirmation: &mut Confirmation, until: Instant, told: &Told) {
    if let Some(order) = told.now() {
        tokio::select! {
            () = confirmation.until(until.min(order.stop_until)) => {}
            () = told.stop_is_over() => {}
        }
    }
}

/// virt-api reached the pods and some of them failed: the others have stopped.
fn is_about_pods(error: &CallError) -> bool {
    matches!(
        error,
        CallError::Answer {
            code: 500,
            status: false,
            ..
        }
    )
}

/// A gate that somebody closed while profiling was on is opened again, where the run may: nobody
/// could stop otherwise.
pub(super) async fn reopen(confirmation: &mut Confirmation, job: &Job, install: &Install) {
    let off = confirmation.error().is_some_and(profiler::is_off);
    if !off || !job.config.enable_policy.may_enable() {
        return;
    }
    let rivals = gate::rivals(&job.site, install).await;
    tracing::warn!("the profiler was turned off while it was profiling: {rivals}");
    match gate::open(&job.site, install).await {
        Ok(changed) => {
            if changed.is_some() {
                job.gate().changed = changed;
            }
            confirmation.attempt().await;
        }
        Err(fault) => tracing::error!(%fault, "it cannot be turned on again to be stopped"),
    }
}

/// The gate went while profiling was on. Nobody can stop it until the gate is back.
async fn turned_off(job: &Job, install: &Install) -> Fault {
    let advice = enable::advice(&job.site.connection, install).await;
    let rivals = gate::rivals(&job.site, install).await;
    let stop = profiler::path("stop");
    let message = format!(
        "the profiler was turned off while it was profiling: pods that had not stopped go on, and \
         none can be stopped. {rivals}; {advice}\nthen stop it: kubectl get --raw \
         {stop}"
    );
    Fault::new(ExitCode::NotAllowed, message)
}
