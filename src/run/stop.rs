//! Stopping: until every pod has seen it, and what to say when that cannot be had.

use tokio::time::Instant;

use super::fault::Fault;
use super::told::Told;
use crate::cluster::call::{CallError, Connection};
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
    told: &Told,
    (connection, install): (&Connection, &Install),
) -> Result<(), Fault> {
    let confirmed = async {
        confirmation.attempt().await;
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
        return Err(turned_off(connection, install).await);
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

/// The gate went while profiling was on. Nobody can stop it until the gate is back.
async fn turned_off(connection: &Connection, install: &Install) -> Fault {
    let command = enable::command(connection, install).await;
    let stop = profiler::path("stop");
    let message = format!(
        "the profiler was turned off while it was profiling: pods that had not stopped go on, and \
         none can be stopped. See who changed the KubeVirt object; turn it on again: {command}\nthen \
         stop it: kubectl get --raw {stop}"
    );
    Fault::new(ExitCode::NotAllowed, message)
}
