//! How each thing is undone.

use tokio::time::Instant;

use super::job::Job;
use super::phase::Undo;
use super::signal_files;
use crate::cluster::profiler;

/// Undoes one thing, as far as it can be. What somebody has to know of the rest is returned.
pub(super) async fn undo(job: &Job, step: Undo) -> Option<String> {
    match step {
        Undo::NotReady => signal_files::not_ready(&job.config.signals),
        Undo::Stop => return stop(job).await,
        Undo::RemoveUpload => {
            if let Err(error) = job.destination.abort().await {
                tracing::warn!(%error, "the unfinished archive stays under its temporary name");
            }
        }
    }
    None
}

/// Stops for as long as the user wants, or as the grace of a run that was told to stop allows,
/// unless the work did.
async fn stop(job: &Job) -> Option<String> {
    let mut held = job.confirmation.lock().await;
    let confirmation = held.as_mut().filter(|stop| !stop.is_confirmed())?;
    // The work has waited in vain already for a profiler that was turned off.
    let waited = confirmation.error().is_some_and(profiler::is_off);
    let stop = async {
        confirmation.attempt().await;
        if !waited {
            let end = Instant::now() + job.config.patience.stop_wait;
            confirmation.until(end).await;
        }
    };
    tokio::select! {
        () = stop => {}
        () = job.told.stop_is_over() => {}
    }
    let remains = confirmation.remains();
    match &remains {
        None => tracing::info!("profiling is off"),
        Some(remains) => tracing::error!("{remains}"),
    }
    remains
}
