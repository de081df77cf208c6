//! The dumps within the window, for what its end no longer shows: leaks as they grow, and stalls that pass.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};

use super::archive_writer::ArchiveWriter;
use super::context::Context;
use super::outcome::Fault;
use super::pod_results::PodResults;
use super::side_dump;
use crate::archive::{PodBundle, profile_path};
use crate::component::Component;
use crate::config::{Config, SnapshotConfig};
use crate::errors::joined;
use crate::limits::{SNAPSHOT_BYTES, SNAPSHOT_FILES};
use crate::manifest::{ExpectedPod, Snapshot};

/// Dumps the pods each time that it is due, and never ends: the window's end leaves a dump that is under way. A dump
/// that is late leaves out those that were due meanwhile, and its record says so.
pub(super) async fn take(context: &Context, pods: &[ExpectedPod], since: Instant) -> Infallible {
    let Some(config) = &context.config.snapshots else {
        return pending().await;
    };
    let limits = &context.cluster.connection.limits;
    let most = limits.snapshots;
    let mut due = config.every;
    for number in 1..=most {
        sleep_until(since + due).await;
        let mut snapshot = Snapshot {
            name: name(number, due),
            at: (limits.now)(),
            offset_seconds: due.as_secs_f64(),
            pods: None,
            why: None,
        };
        let taken = take_one(context, config, pods, &mut snapshot).await;
        let no_more = taken.unwrap_or_else(|fault| Some(fault.to_string()));
        let no_more = no_more.or_else(|| (number == most).then(|| format!("{most} are the most")));
        let next = due + config.every;
        due = after(config.every, since.elapsed()).max(next);
        let skipped = (due - next).as_nanos() / config.every.as_nanos().max(1);
        let is_last = no_more.as_ref().map(|why| format!("it is the last: {why}"));
        let was_late = (skipped > 0)
            .then(|| format!("it took so long that {skipped} due meanwhile were not taken"));
        let whys: Vec<_> = [snapshot.why.take(), was_late, is_last]
            .into_iter()
            .flatten()
            .collect();
        if !whys.is_empty() {
            let why = whys.join("; ");
            tracing::warn!(
                snapshot = snapshot.name,
                why,
                "this snapshot, or those after it, lack something"
            );
            snapshot.why = Some(why);
        }
        if let Err(error) = note(context, &snapshot).await {
            tracing::warn!(%error, "the record of a snapshot could not be written");
        }
        if no_more.is_some() {
            break;
        }
    }
    pending().await
}

/// The name of a snapshot, which is that of its directory.
fn name(number: u32, due: Duration) -> String {
    format!("{number:03}-{}s", due.as_secs())
}

/// The longest path of a snapshot's profile below its pod's directory, if any are to be taken.
pub(super) fn longest_path(config: &Config) -> Option<String> {
    let kinds = config.snapshots.as_ref()?.kinds.iter();
    let file = kinds
        .map(|kind| kind.file_name())
        .max_by_key(|name| name.len())?;
    let window = &config.window;
    Some(profile_path(&name(0, window.max.max(window.settle)), file))
}

/// The first time that is due after so long.
fn after(every: Duration, elapsed: Duration) -> Duration {
    let passed = elapsed.as_nanos() / every.as_nanos().max(1);
    every.saturating_mul(u32::try_from(passed + 1).unwrap_or(u32::MAX))
}

/// Takes a snapshot, and says why there can be no other, if that is so.
async fn take_one(
    context: &Context,
    config: &SnapshotConfig,
    pods: &[ExpectedPod],
    snapshot: &mut Snapshot,
) -> Result<Option<String>, Fault> {
    note(context, snapshot).await?;
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
    let dumped = match side_dump::dump(plan, context.config.concurrency, keep).await {
        Ok(dumped) => dumped,
        Err(error) => {
            // The dump needs the room more.
            abandon(context, snapshot).await;
            return Ok(Some(format!("it could not be kept: {error}")));
        }
    };
    let taken = dumped.kept as u64;
    snapshot.pods = Some(taken);
    let ended = dumped.ended.map(|error| error.to_string());
    snapshot.why = ended.or(dumped.why_not);
    tracing::info!(
        snapshot = snapshot.name,
        pods = taken,
        "a snapshot was taken"
    );
    Ok(room_for_another(context, taken * config.kinds.len() as u64).await)
}

/// Removes the profiles of a snapshot that could not be kept.
async fn abandon(context: &Context, snapshot: &Snapshot) {
    let (store, name) = (context.snapshots(), snapshot.name.clone());
    let abandoned = spawn_blocking(move || store.abandon(&name));
    if let Err(error) = joined(abandoned.await) {
        tracing::warn!(%error, "what was kept of a snapshot stays in the temporary directory");
    }
}

/// Why there is no room for another snapshot, of so many files: the temporary volume is the dump's, too, and the
/// manifest names each file.
async fn room_for_another(context: &Context, files: u64) -> Option<String> {
    let store = context.snapshots();
    let (there, bytes) = joined(spawn_blocking(move || store.size()).await);
    if bytes > SNAPSHOT_BYTES {
        return Some(format!(
            "the snapshots have {bytes} bytes, and {SNAPSHOT_BYTES} are the most"
        ));
    }
    let files = there + files;
    (files > SNAPSHOT_FILES)
        .then(|| format!("another would make {files} files, and {SNAPSHOT_FILES} are the most"))
}

async fn note(context: &Context, snapshot: &Snapshot) -> io::Result<()> {
    let (store, snapshot) = (context.snapshots(), snapshot.clone());
    let noted = spawn_blocking(move || store.note(&snapshot));
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
    let mut left_out = None;
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
            left_out
                .get_or_insert_with(|| format!("snapshots are left out, of {pod} first: {why}"));
        }
    }
    Ok(left_out)
}
