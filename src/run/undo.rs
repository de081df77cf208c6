//! How each thing is undone.

use std::time::Duration;

use tokio::time::Instant;

use super::job::Job;
use super::phase::Undo;
use super::{gate, signal_files, stop};
use crate::cluster::lease::Stage;
use crate::cluster::profiler;

/// What a run that was told to stop has for it, of the grace that is left after the stop.
const ABORT: Duration = Duration::from_secs(2);

/// Undoes one thing, as far as it can be. What somebody has to know of the rest is returned.
pub(super) async fn undo(job: &Job, step: Undo) -> Option<String> {
    match step {
        Undo::NotReady => signal_files::not_ready(&job.config.signals),
        Undo::CancelStart => return cancelled(job, stop(job).await).await,
        Undo::Stop => return stop(job).await,
        Undo::RemoveUpload => abort(job).await,
        Undo::Restore => return restore(job).await,
        Undo::Unlock => unlock(job, false).await,
    }
    None
}

/// Gives up what was begun at the destinations and not finished.
pub(super) async fn abort(job: &Job) {
    let late = async {
        job.told.stop_is_over().await;
        tokio::time::sleep(ABORT).await;
    };
    let stays = "what was uploaded of the archive stays, unfinished";
    let all = async {
        let is_alone = job.site.hold.is_held().await;
        for destination in job.destinations() {
            if let Err(error) = destination.abort(is_alone).await {
                tracing::warn!(%error, "{stays}");
            }
        }
    };
    tokio::select! {
        () = all => {}
        () = late => tracing::warn!("{stays}"),
    }
}

/// Stops for as long as the user wants, or as the grace of a run that was told to stop allows,
/// unless the work did.
async fn stop(job: &Job) -> Option<String> {
    let mut held = job.confirmation.lock().await;
    let confirmation = held.as_mut()?;
    if confirmation.is_confirmed() {
        return stopped(job).await;
    }
    // The work has waited in vain already for a profiler that was turned off.
    let waited = confirmation.error().is_some_and(profiler::is_off);
    let stop = async {
        confirmation.attempt().await;
        if let Some(install) = job.install.get() {
            stop::reopen(confirmation, job, install).await;
        }
        if !waited {
            let end = Instant::now() + job.config.patience.stop_wait;
            confirmation.until(end).await;
        }
    };
    tokio::select! {
        () = stop => {}
        () = job.told.stop_is_over() => {}
    }
    match confirmation.remains() {
        None if confirmation.is_confirmed() => {
            tracing::info!("profiling is off");
            stopped(job).await
        }
        None => None,
        Some(remains) => {
            tracing::error!("{remains}");
            Some(remains)
        }
    }
}

async fn stopped(job: &Job) -> Option<String> {
    let noted = job.site.hold.note_stopped().await;
    noted.err().map(|fault| fault.message)
}

/// A window that never opened is nothing to go on with: the next attempt starts anew.
async fn cancelled(job: &Job, left: Option<String>) -> Option<String> {
    let record = job.site.hold.record().await?;
    if left.is_none() && record.stage == Stage::Stopped {
        let noted = job.site.hold.note_cancelled().await;
        return noted.err().map(|fault| fault.message);
    }
    left
}

async fn restore(job: &Job) -> Option<String> {
    let record = job.site.hold.record().await?;
    if record.stage == Stage::Started {
        return gate::stays_open(&job.site).await;
    }
    gate::close(&job.site, job.install.get()?, job.told.hurry()).await
}

/// Gives the lock up. The record goes unless somebody else still has something to do with it: a pod
/// may be profiling, a gate is open, or what the pods have is not shipped.
pub(super) async fn unlock(job: &Job, shipped: bool) {
    let record = job.site.hold.record().await;
    let keep = record.is_some_and(|record| match shipped {
        true => record.is_to_be_undone(),
        false => record.is_open(),
    });
    if let Err(error) = job.site.hold.release(keep).await {
        tracing::warn!(%error, "the lock could not be given up; it dies by itself");
    }
}
