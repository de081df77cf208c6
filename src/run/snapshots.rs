//! The dumps within the window, for what its end no longer shows: leaks as they grow, and stalls that pass.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::{Instant, sleep_until};

use super::archive_writer::ArchiveWriter;
use super::context::Context;
use super::outcome::Fault;
use super::pod_results::PodResults;
use super::side_dump;
use crate::archive::PodBundle;
use crate::component::Component;
use crate::config::SnapshotConfig;
use crate::errors::joined;
use crate::limits::MOST_SNAPSHOTS;
use crate::manifest::{ExpectedPod, Snapshot};

/// Dumps the pods each time that it is due, and never ends: the window's end leaves a dump that is under way. A dump
/// that is late leaves out those that were due meanwhile.
pub(super) async fn take(context: &Context, pods: &[ExpectedPod], since: Instant) -> Infallible {
    let Some(config) = &context.config.snapshots else {
        return pending().await;
    };
    let mut due = config.every;
    for number in 1..=MOST_SNAPSHOTS {
        sleep_until(since + due).await;
        if let Err(fault) = take_one(context, config, pods, number, due).await {
            tracing::warn!(%fault, "there are no more snapshots");
            break;
        }
        let next = due + config.every;
        due = after(config.every, since.elapsed()).max(next);
        if due > next {
            tracing::warn!(
                number,
                "a snapshot took so long that the next was not taken"
            );
        }
    }
    pending().await
}

/// The first time that is due after so long.
fn after(every: Duration, elapsed: Duration) -> Duration {
    let passed = elapsed.as_nanos() / every.as_nanos().max(1);
    every.saturating_mul(u32::try_from(passed + 1).unwrap_or(u32::MAX))
}

async fn take_one(
    context: &Context,
    config: &SnapshotConfig,
    pods: &[ExpectedPod],
    number: u32,
    due: Duration,
) -> Result<(), Fault> {
    let mut snapshot = Snapshot {
        name: format!("{number:03}-{}s", due.as_secs()),
        at: (context.cluster.connection.limits.now)(),
        offset_seconds: due.as_secs_f64(),
        pods: None,
        why: None,
    };
    note(context, &snapshot).await?;
    let (store, name, kinds) = (
        context.snapshots(),
        snapshot.name.clone(),
        config.kinds.clone(),
    );
    let keep = move |pod: &ExpectedPod, result: Result<PodBundle, String>| match result {
        Ok(bundle) => store.keep(&name, pod, bundle, &kinds),
        Err(_) => Ok(()),
    };
    let plan = context.plan_beside(pods, Component::ALL)?;
    let dumped = side_dump::dump(plan, context.config.concurrency, keep).await?;
    snapshot.pods = Some(dumped.kept as u64);
    let ended = dumped.ended.map(|error| error.to_string());
    snapshot.why = ended.or(dumped.why_not);
    note(context, &snapshot).await?;
    tracing::info!(
        snapshot = snapshot.name,
        pods = dumped.kept,
        "a snapshot was taken"
    );
    Ok(())
}

async fn note(context: &Context, snapshot: &Snapshot) -> io::Result<()> {
    let (store, snapshot) = (context.snapshots(), snapshot.clone());
    let noted = tokio::task::spawn_blocking(move || store.note(&snapshot));
    joined(noted.await)
}

/// Ships what was dumped within the window, of pods that could not be dumped at its end, too. Gives the reason if
/// some is left out.
///
/// # Errors
/// The destination failed.
pub(super) async fn ship(
    context: &Context,
    writer: &mut ArchiveWriter,
    results: &mut PodResults,
) -> Result<Option<String>, Fault> {
    if context.config.snapshots.is_none() {
        return Ok(None);
    }
    let snapshots = context.snapshots();
    for pod in results.names() {
        // A writer that is left in the middle of an entry could not go on.
        let is_late = context
            .shutdown
            .dump_time_is_over()
            .now_or_never()
            .is_some();
        let why = if is_late {
            Some("the time of a run that was told to stop was over".to_owned())
        } else {
            writer.write_snapshots(&pod, &snapshots, results).await?
        };
        if let Some(why) = why {
            tracing::warn!(pod, why, "snapshots are left out");
            return Ok(Some(format!("snapshots are left out from {pod} on: {why}")));
        }
    }
    Ok(None)
}
