//! The one place that undoes. The work runs as a task and only says which phase it is in; however
//! it ends, by result, error or panic, what follows happens here.

use std::any::Any;
use std::future::Future;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinError;

use super::outcome::Fault;
use super::phase::{Phase, Undo};

/// Runs the work to its end, or aborts it when the Lease is `lost`. Then nothing is undone, for the cluster
/// may be another run's. Otherwise, unless the work succeeded, does what `Phase::undo` says of the phase
/// that it ended in. Each step of `undo` limits its own time and returns a message for a person about what
/// it could not undo; that message comes first in the fault.
///
/// # Errors
/// The work's own fault, or its panic.
pub async fn supervise<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    phase: &watch::Receiver<Phase>,
    lost: impl Future<Output = Fault>,
    undo: impl AsyncFn(Undo) -> Option<String>,
) -> Result<T, Fault> {
    let mut work = tokio::spawn(work);
    tokio::pin!(lost);
    let mut ended = tokio::select! {
        ended = &mut work => flatten(ended),
        fault = &mut lost => {
            work.abort();
            // Its end is waited for: until then it may still do something.
            let _ = work.await;
            return Err(fault);
        }
    };
    if ended.is_err()
        && let Some(fault) = (&mut lost).now_or_never()
    {
        return Err(fault);
    }
    if let Err(fault) = &mut ended {
        let phase = *phase.borrow();
        for step in phase.undo() {
            tracing::warn!(phase = phase.name(), ?step, %fault, "undoing");
            tokio::select! {
                left = undo(*step) => fault.preface(left),
                lost = &mut lost => {
                    fault.code = lost.code;
                    fault.preface(Some(lost.message));
                    break;
                }
            }
        }
    }
    ended
}

fn flatten<T>(ended: Result<Result<T, Fault>, JoinError>) -> Result<T, Fault> {
    ended.unwrap_or_else(|error| {
        let panic = error.try_into_panic();
        let text = panic
            .as_ref()
            .map_or("its work was aborted", |panic| panic_text(&**panic));
        Err(Fault::defect(text))
    })
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
