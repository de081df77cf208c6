//! Stop: profiling is stopped, until every pod has seen it.

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use crate::cluster::lease::LeaseError;
use crate::cluster::profiler;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::limits::WRITE_LIMIT;
use crate::manifest::Window;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::phase_results::{Stopped, WindowOver};
use crate::run::profiler_switch;
use crate::run::run_lease::unless_lost;
use crate::run::status::signal_files;
use crate::run::{surroundings, vmis};

/// Of so many parts of the time that a run has which was told to stop, what is noted beside the stop may take one each.
const SHARES: u32 = 8;

/// Sends stop until it is confirmed, for PROFILER_STOP_WAIT at the longest, or until the run is told to
/// stop; then the rest of it is done beside the dump.
///
/// # Errors
/// No stop was answered well, so that nothing can be dumped; or the Lease is lost.
pub(in crate::run) async fn stop(context: &Context, over: WindowOver) -> Result<Stopped, Fault> {
    let stopped = match over.stopped {
        Some(stopped) => stopped,
        None => close_window(context, &over).await,
    };
    let stop_until = Instant::now() + context.config.patience.stop_wait;
    let mut slot = context.stop_confirmation.lock().await;
    let confirmation = slot.as_mut().ok_or_else(Fault::stop_before_start)?;
    send_stop(context, confirmation, stop_until).await?;
    if confirmation.is_confirmed() {
        // What could not be noted before the stop is now. The restore phase tries again.
        let noted = async {
            unless_lost(note_end(context, &over, stopped).await)?;
            unless_lost(context.cluster.lease.note_stopped().await)
        };
        tokio::select! {
            noted = noted => noted?,
            () = context.shutdown.share_is_over(SHARES) => {}
        }
        tracing::info!(ended_by = ?over.end.by, "profiling is off");
    }
    let window = Window {
        start: over.started.at,
        stop: stopped,
        ended_by: over.end.by,
    };
    let started = over.started;
    let (vmi_latencies, surroundings) = tokio::join!(
        vmis::finish(context, started.vmis, &window),
        surroundings::at_stop(context, started.surroundings, &started.expected),
    );
    Ok(Stopped {
        window,
        vmi_latencies,
        surroundings,
        workload_exit_code: over.end.workload_exit_code,
        start_failed: started.failed,
        died_dumping: over.died_dumping,
        warnings: over.warnings,
        expected: started.expected,
        stop_until,
    })
}

/// Notes that the window is over, and gives the time.
async fn close_window(context: &Context, over: &WindowOver) -> Timestamp {
    signal_files::remove_ready(&context.config.signals);
    // The clock may have been set meanwhile.
    let length = SignedDuration::try_from(over.started.since.elapsed()).unwrap_or_default();
    let now = over.started.at + length;
    let noted = note_end(context, over, now);
    let late = async {
        tokio::select! {
            () = sleep(WRITE_LIMIT) => {}
            () = context.shutdown.share_is_over(SHARES) => {}
        }
    };
    // The stop waits for nobody: should this not be written, it is sent all the same.
    tokio::select! {
        noted = noted => {
            if let Err(fault) = noted {
                tracing::warn!(%fault, "the journal of this run could not be written");
            }
        }
        () = late => tracing::warn!("the journal of this run is not written yet"),
    }
    now
}

async fn note_end(
    context: &Context,
    over: &WindowOver,
    stopped: Timestamp,
) -> Result<(), LeaseError> {
    let noted = context.cluster.lease.note(|journal| {
        journal.stopped = Some(stopped);
        journal.ended_by = Some(over.end.by);
        journal.workload_exit_code = over.end.workload_exit_code;
    });
    noted.await
}

async fn send_stop(
    context: &Context,
    confirmation: &mut StopConfirmation,
    until: Instant,
) -> Result<(), Fault> {
    let install = context.install()?;
    let shutdown = &context.shutdown;
    let confirmed = async {
        confirmation.attempt().await;
        profiler_switch::turn_on_again_to_stop(context, install, confirmation).await;
        tokio::select! {
            () = confirmation.until(until) => {}
            _ = shutdown.requested() => {}
        }
        // A dump that overtakes the stop brings no cpu profile: the rest of the stop is done beside the dump, but
        // only once one has reached pods.
        if shutdown.is_requested() {
            confirmation.until_it_reaches_pods().await;
        }
    };
    tokio::select! {
        () = confirmed => {}
        () = shutdown.stop_time_is_over() => {}
    }
    let Some(error) = confirmation.error().cloned() else {
        return Ok(());
    };
    if profiler::is_off(&error) {
        return Err(profiler_switch::was_turned_off(&context.cluster, install).await);
    }
    // A run that was told to stop tries on beside the dump.
    let may_dump = confirmation.has_reached_pods() || shutdown.is_requested();
    if may_dump { Ok(()) } else { Err(error.into()) }
}
