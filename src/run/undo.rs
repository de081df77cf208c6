//! How each thing is undone.

use super::job::{Job, Started};
use super::phase::Undo;
use super::signal_files;
use crate::cluster::confirm::Confirmation;

/// Undoes one thing, as far as it can be.
pub(super) async fn undo(job: &Job, step: Undo) {
    match step {
        Undo::NotReady => signal_files::not_ready(&job.config.signals),
        Undo::Stop => stop(job).await,
        Undo::RemoveUpload => {
            if let Err(error) = job.destination.abort(&job.config.run_id).await {
                tracing::warn!(%error, "the unfinished archive stays under its temporary name");
            }
        }
    }
}

/// Stops for as long as the user wants, or as the grace of a run that was told to stop allows.
async fn stop(job: &Job) {
    let Some(Started { namespace, pods }) = job.started.get().cloned() else {
        return;
    };
    let mut confirmation = Confirmation::new(job.connection.clone(), namespace, pods);
    confirmation.attempt().await;
    tokio::select! {
        () = confirmation.within(job.config.patience.stop_wait) => {}
        () = job.told.dump_is_over() => {}
    }
    if confirmation.is_confirmed() {
        tracing::info!("profiling is off");
    } else {
        confirmation.warn();
    }
}
