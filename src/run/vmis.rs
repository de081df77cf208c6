//! The virtual machine instances of a run's window: followed beside it, for the manifest and for the window's end.

use crate::cluster::call::CallError;
use crate::cluster::call::Connection;
use crate::cluster::rights::{self, RightsError};
use crate::cluster::vmis::{self, Follower, Scope, Table};
use crate::config::Config;
use crate::manifest::{VmiLatencies, Window};

use super::context::Context;
use super::outcome::Fault;

/// The instances that a configuration asks for, if any.
fn scope(config: &Config) -> Option<Scope> {
    config.vmis.as_ref().map(|vmis| Scope {
        namespace: vmis.namespace.clone(),
        selector: vmis.selector.clone(),
    })
}

/// Proves that the instances can be followed, where they are to be.
///
/// # Errors
/// A right is missing, the selector is none, or the API server failed.
pub(super) async fn prove(connection: &Connection, config: &Config) -> Result<(), Fault> {
    let Some(scope) = scope(config) else {
        return Ok(());
    };
    let namespace = scope.namespace.as_deref();
    rights::check(connection, rights::to_follow_vmis(namespace)).await?;
    match vmis::prove(connection, &scope).await {
        Err(error @ CallError::Answer { code: 400, .. }) => {
            let message = format!("PROFILER_VMI_SELECTOR is not taken: {error}");
            return Err(Fault::usage(message));
        }
        proof => proof?,
    }
    match rights::check(connection, rights::to_read_vms(namespace)).await {
        Err(RightsError::Missing { .. }) => {
            tracing::warn!(
                "virtualmachines may not be listed and watched: there will be no VMReady, and all latencies count \
                 from the creation of the VMI"
            );
            Ok(())
        }
        checked => Ok(checked?),
    }
}

/// Begins to follow them, where that is asked for, before start is sent.
pub(super) async fn begin(context: &Context) -> Option<Follower> {
    let scope = scope(&context.config)?;
    let connection = &context.cluster.connection;
    let follower = Follower::begin(connection, &scope, (connection.limits.now)());
    tokio::select! {
        () = follower.first_list() => {}
        _ = context.shutdown.requested() => {}
    }
    if let Some(wanted) = context.config.window.until_vmis_running
        && follower.running() >= wanted as usize
    {
        tracing::warn!(
            running = follower.running(),
            wanted,
            "so many VMIs are Running before start is sent: the window will settle at once"
        );
    }
    Some(follower)
}

/// Waits until as many are Running as the window is to wait for; for ever, where it is to wait for none.
pub(super) async fn until_running(context: &Context, follower: Option<&Follower>) {
    let wanted = context.config.window.until_vmis_running;
    let Some((wanted, follower)) = wanted.zip(follower) else {
        return std::future::pending().await;
    };
    let wait = context.cluster.connection.waits.begin();
    let tell = |now| {
        wait.tell(format_args!(
            "the workload: {now} of {wanted} VMIs are Running"
        ))
    };
    follower.until_running(wanted as usize, tell).await;
    let settle = humantime::format_duration(context.config.window.settle);
    tracing::info!(running = follower.running(), %settle, "{wanted} VMIs are Running: the window settles");
}

/// Ends to follow them, once stop was sent, and sums up. Without a follower the window was another attempt's, and
/// only what is there now can be told. A run that was told to stop waits for nothing.
pub(super) async fn finish(
    context: &Context,
    follower: Option<Follower>,
    window: &Window,
) -> Option<VmiLatencies> {
    let scope = scope(&context.config)?;
    let told = async {
        context.shutdown.requested().await;
    };
    let table = match follower {
        Some(follower) => follower.finish(told).await,
        None => {
            let connection = &context.cluster.connection;
            let mut table = Table::listed(connection, &scope, window.start, told).await;
            table.miss(
                "the attempt that opened the window died, and its watch with it: a VMI that is gone by now is not \
                 counted, and one that was there just before the window may be",
            );
            table
        }
    };
    let latencies = table.latencies(&scope, window);
    tracing::info!(
        created = latencies.created,
        running = latencies.running,
        failed = latencies.failed,
        deleted = latencies.deleted,
        missed = ?latencies.missed,
        "VMIs that were created in the window"
    );
    Some(latencies)
}
