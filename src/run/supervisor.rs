//! The one place that undoes. The work runs as a task and only says which phase it is in; however
//! it ends, by result, error, panic or because it was told to stop, what follows happens here.

use std::any::Any;
use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinError;

use super::fault::Fault;
use super::phase::{Phase, Undo};
use crate::cluster::profiler;
use crate::outcome::ExitCode;

/// Runs the work to its end, or until `shutdown` resolves to an exit code; then undoes what its
/// last phase calls for, unless it succeeded.
///
/// # Errors
/// The work's own fault, its panic, or that it was told to stop.
pub async fn supervise<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    shutdown: impl Future<Output = ExitCode>,
    phase: &watch::Receiver<Phase>,
    undo: impl AsyncFn(Undo),
) -> Result<T, Fault> {
    let mut task = tokio::spawn(work);
    let ended = tokio::select! {
        ended = &mut task => flatten(ended, ExitCode::Panic),
        code = shutdown => {
            task.abort();
            flatten((&mut task).await, code)
        }
    };
    if let Err(fault) = &ended {
        let phase = *phase.borrow();
        tracing::error!(
            phase = phase.name(),
            exit_code = fault.code.number(),
            "{fault}"
        );
        for step in phase.undo() {
            undo_one(*step, &undo).await;
        }
    }
    ended
}

async fn undo_one(step: Undo, undo: &impl AsyncFn(Undo)) {
    let done = tokio::time::timeout(step.limit(), undo(step)).await;
    match (step, done) {
        (Undo::Stop, Ok(())) => tracing::info!("profiling was stopped"),
        (Undo::RemoveUpload, Ok(())) => {}
        (Undo::Stop, Err(_)) => tracing::error!(
            "stop was never answered: profiling may be ON in every component pod. Stop it with: \
             kubectl get --raw {}",
            profiler::path("stop")
        ),
        (Undo::RemoveUpload, Err(_)) => tracing::warn!("the unfinished archive may still be there"),
    }
}

fn flatten<T>(ended: Result<Result<T, Fault>, JoinError>, stopped: ExitCode) -> Result<T, Fault> {
    ended.unwrap_or_else(|error| {
        Err(match error.try_into_panic() {
            Ok(panic) => {
                let message = format!("a defect in this program: {}", panic_text(&*panic));
                Fault::new(ExitCode::Panic, message)
            }
            Err(_) => Fault::new(stopped, "told to stop"),
        })
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
