//! Gate: the profiler is turned on, where it is off and the run may.

use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::install::Install;
use crate::limits::WRITE_LIMIT;
use crate::manifest::Gate;
use crate::run::context::Context;
use crate::run::outcome::Fault;
use crate::run::profiler_switch::{self, SwitchedOn};
use crate::run::resume;
use crate::run::shutdown::{Shutdown, ShutdownRequest};

/// Sees that the profiler is on. A run that takes up what an attempt left has to be able to stop it, and
/// so goes on for as long as a stop may, even when it is told to stop.
///
/// # Errors
/// The profiler is off and must not, or cannot, be turned on; or the run was told to stop.
pub(in crate::run) async fn turn_on(context: &Context, is_resumed: bool) -> Result<(), Fault> {
    let install = context.install()?;
    let cluster = &context.cluster;
    // A write that is under way when the run is told to stop is let come to its end.
    let switched = tokio::select! {
        request = given_up(&context.shutdown, is_resumed, WRITE_LIMIT) => {
            return Err(resume::told(context, request).await);
        }
        switched = switch_on(context, install, is_resumed) => switched?,
    };
    let inherited = cluster.last_change();
    let changed = switched
        .as_ref()
        .and_then(|switched| switched.object.clone());
    let changed = changed.or_else(|| inherited.map(|change| change.object(install)));
    *context.gate() = Gate {
        before: changed.is_none(),
        changed,
        ..Gate::default()
    };
    if let Some(switched) = switched {
        tokio::select! {
            request = given_up(&context.shutdown, is_resumed, Duration::ZERO) => {
                return Err(resume::told(context, request).await);
            }
            spread = profiler_switch::wait_until_on(cluster, install, &switched) => spread?,
        }
    }
    Ok(())
}

/// Switches the profiler on. Preflight has just found an API server that answers; what an attempt left is
/// lost if it is not waited for one.
async fn switch_on(
    context: &Context,
    install: &Install,
    is_resumed: bool,
) -> Result<Option<SwitchedOn>, Fault> {
    if is_resumed {
        profiler_switch::switch_on_patiently(&context.cluster, install).await
    } else {
        profiler_switch::switch_on(&context.cluster, install).await
    }
}

/// Resolves when the phase has to end: `wait` after a request to stop, or, in a resumed run, when the time
/// for the stop is over.
async fn given_up(shutdown: &Shutdown, is_resumed: bool, wait: Duration) -> ShutdownRequest {
    let request = shutdown.requested().await;
    if is_resumed {
        shutdown.stop_time_is_over().await;
    } else {
        sleep(wait).await;
    }
    request
}
