//! Rollback: how each thing is undone that a run has done when it ends without success.

use std::future::ready;

use tokio::time::Instant;

use super::context::Context;
use super::phase::Undo;
use super::status::signal_files;
use super::{earlier_archive, profiler_off, profiler_switch};
use crate::cluster::lease::Stage;
use crate::cluster::profiler;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::destination::Destination;
use crate::limits::{ABORT_RESERVE, RELEASE_RESERVE, RESTORE_RESERVE};

/// Undoes one thing, as far as it can be. Returns a message for a person about what could not be undone.
pub(super) async fn undo(context: &Context, step: Undo) -> Option<String> {
    match step {
        Undo::NotReady => signal_files::remove_ready(&context.config.signals),
        Undo::RemoveBaseline => context.remove_baseline().await,
        Undo::CancelStart => return cancel_start(context).await,
        Undo::Stop => return stop(context).await,
        Undo::RemoveUpload => remove_upload(context).await,
        Undo::Restore => return restore(context).await,
        Undo::Unlock => unlock(context, false).await,
    }
    None
}

/// Removes what is the run's own and nobody else's, which even a run does that has lost its Lease: the ready file,
/// for profiling is not this run's any more, and the unfinished archive.
pub(super) async fn remove_own(context: &Context) {
    signal_files::remove_ready(&context.config.signals);
    remove_upload(context).await;
}

/// Removes what was begun at the destinations and not finished, and gives an earlier archive whose place that
/// was to take its manifest back.
pub(super) async fn remove_upload(context: &Context) {
    let late = context.shutdown.reserve_is_over(ABORT_RESERVE);
    let stays = "what was uploaded of the archive stays, unfinished";
    let abort = async |destination: &Destination| {
        if let Err(error) = destination.abort().await {
            tracing::warn!(%error, "{stays}");
        }
    };
    let all = async {
        let set_aside = context.set_aside().clone();
        if let Some(earlier) = set_aside {
            // The upload that was to take the earlier archive's place could still be completed. What else is to be
            // removed may take all the time that there is.
            abort(&earlier.place).await;
            let lease = &context.cluster.lease;
            // One that was given up is renewed no more.
            if lease.journal().is_some() {
                lease_is_settled(context).await;
            }
            if lease.is_held() {
                earlier_archive::put_back(context, earlier).await;
            } else {
                tracing::warn!(
                    uri = earlier.manifest.archive.uri,
                    "this archive of an earlier attempt may have no manifest any more: the Lease is no longer this run's"
                );
            }
        }
        // Without the Lease another attempt may be at it.
        let is_alone = context.cluster.lease.is_held();
        for destination in context.destinations() {
            abort(destination).await;
        }
        if is_alone {
            for destination in context.destinations() {
                destination.abort_unanswered().await;
            }
        }
    };
    tokio::select! {
        () = all => {}
        () = late => tracing::warn!("{stays}"),
    }
}

/// Resolves when the Lease is alive or lost: one that is past its life may be renewed yet, for nobody may have taken it.
async fn lease_is_settled(context: &Context) {
    let connection = &context.cluster.connection;
    tokio::select! {
        _ = context.cluster.lease.lost() => {}
        _ = connection.permit.during(connection.limits.outage, ready(())) => {}
    }
}

/// Stops for PROFILER_STOP_WAIT, or for as long as the grace of a run that was told to stop allows, unless
/// the stop phase did.
async fn stop(context: &Context) -> Option<String> {
    let mut slot = context.stop_confirmation.lock().await;
    let confirmation = slot.as_mut()?;
    if confirmation.is_confirmed() {
        return note_stopped(context).await;
    }
    // The stop phase has waited in vain already for a profiler that was turned off.
    let waited = confirmation.error().is_some_and(profiler::is_off);
    let send_stop = async {
        confirmation.attempt().await;
        if let Some(install) = context.install.get() {
            profiler_switch::turn_on_again_to_stop(context, install, confirmation).await;
        }
        if !waited {
            let end = Instant::now() + context.config.patience.stop_wait;
            confirmation.until(end).await;
        }
    };
    tokio::select! {
        () = send_stop => {}
        () = context.shutdown.stop_time_is_over() => {}
    }
    if let Some(remains) = confirmation.remains() {
        tracing::error!("{remains}");
        return Some(remains);
    }
    if !confirmation.is_confirmed() {
        return None;
    }
    tracing::info!("profiling is off");
    note_stopped(context).await
}

async fn note_stopped(context: &Context) -> Option<String> {
    let noted = context.cluster.lease.note_stopped();
    // To put back tries again.
    let noted = context.shutdown.within(noted).await;
    noted.ok()?.err().map(|error| error.to_string())
}

/// Stops, and forgets a window that never opened: it is nothing to go on with, so that the next attempt
/// starts anew.
async fn cancel_start(context: &Context) -> Option<String> {
    let remains = stop(context).await;
    let lease = &context.cluster.lease;
    let slot = context.stop_confirmation.lock().await;
    let own_have_stopped = slot
        .as_ref()
        .is_some_and(StopConfirmation::own_have_stopped);
    let journal = lease.journal()?;
    if own_have_stopped || (remains.is_none() && journal.stage == Stage::Stopped) {
        let noted = context.shutdown.within(lease.note_cancelled()).await;
        let failed = noted.ok().and_then(Result::err);
        return remains.or(failed.map(|error| error.to_string()));
    }
    remains
}

async fn restore(context: &Context) -> Option<String> {
    let cluster = &context.cluster;
    let journal = cluster.lease.journal()?;
    if journal.may_be_profiling() {
        return profiler_off::stays_on(cluster);
    }
    let hurry = async {
        context.shutdown.requested().await;
    };
    let given_up = context.shutdown.reserve_is_over(RESTORE_RESERVE);
    profiler_off::turn_off(cluster, context.install.get()?, hurry, given_up).await
}

/// Gives the lock up. The journal goes unless somebody else still has something to do with it: a pod may be
/// profiling, the profiler is to be turned off, or what the pods have is not shipped.
pub(super) async fn unlock(context: &Context, is_shipped: bool) {
    let lease = &context.cluster.lease;
    let journal = lease.journal();
    let keep = journal.is_some_and(|journal| {
        if is_shipped {
            journal.is_to_be_undone()
        } else {
            journal.is_open()
        }
    });
    let given_up = context.shutdown.reserve_is_over(RELEASE_RESERVE);
    let released = lease.release(keep, given_up);
    if let Err(error) = released.await {
        tracing::warn!(%error, "the lock could not be given up; it dies by itself");
    }
}
