//! Removing the earlier runs that a destination does not keep.

use std::future::ready;
use std::pin::pin;

use futures::{Stream, StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use tokio::time::{Instant, sleep, sleep_until};

use super::context::Context;
use crate::config::{Config, Retention, RunId};
use crate::destination::retention::{Decider, Decision, EarlierRun, Owner, earlier_runs};
use crate::destination::{Destination, DestinationError, Found};
use crate::limits::{REMOVAL, REMOVAL_GRACE, RETENTION};
use crate::verdict::Rules;

/// The newest runs that stay where runs are compared: this one, the one before it, which may confirm what it shows, and
/// those without which there is no verdict.
fn fewest_for_verdict() -> u32 {
    u32::try_from(Rules::default().fewest_earlier + 2).unwrap_or(u32::MAX)
}

/// Which runs the destination keeps: at least as many as a verdict needs, where runs are compared.
fn kept(config: &Config) -> Retention {
    let asked = config.retention;
    if config.compare.is_none() || asked.keeps_all() {
        return asked;
    }
    Retention {
        keep: asked.keep.max(Some(fewest_for_verdict())),
        ..asked
    }
}

/// Says that more runs are kept than PROFILER_KEEP names, where that is so.
pub(super) fn tell_of_minimum(config: &Config) {
    let (asked, kept) = (config.retention.keep, kept(config).keep);
    if let (Some(asked), Some(kept)) = (asked, kept)
        && asked < kept
    {
        tracing::warn!(
            "PROFILER_KEEP={asked} is taken for {kept}: with fewer runs PROFILER_COMPARE confirms nothing"
        );
    }
}

/// Removes the runs that are not kept beside this one, each as soon as that is known. What could not be removed is returned
/// as warnings, for nothing of it is this run's fault.
pub(super) async fn retain(
    context: &Context,
    destination: &Destination,
    this: &RunId,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let end = Instant::now() + RETENTION;
    let mut outdated = pin!(outdated_runs(context, destination, this));
    loop {
        let next = tokio::select! {
            biased;
            _ = context.shutdown.requested() => Err(()),
            () = sleep_until(end) => Err(()),
            next = outdated.next() => Ok(next),
        };
        match next {
            Ok(Some(Ok(run))) => warnings.extend(remove(context, destination, &run).await),
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                warnings.push(format!("earlier runs stay: {error}"));
                break;
            }
            Err(()) => {
                warnings.push("earlier runs may stay: there was no time for more".to_owned());
                break;
            }
        }
    }
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    warnings
}

/// Removes one run; returns a warning if it could not be removed.
async fn remove(context: &Context, destination: &Destination, run: &RunId) -> Option<String> {
    let out_of_time = async {
        tokio::select! {
            _ = context.shutdown.requested() => {}
            () = sleep(REMOVAL) => {}
        }
        sleep(REMOVAL_GRACE).await;
    };
    let warning = |why: String| Some(format!("the earlier run {run} stays: {why}"));
    tokio::select! {
        removed = destination.remove(run) => match removed {
            Ok(()) => {
                tracing::info!(run_id = %run, "removed, as PROFILER_KEEP and KEEP_FOR want");
                None
            }
            Err(error) => warning(error.to_string()),
        },
        () = out_of_time => warning("the destination did not answer in time".to_owned()),
    }
}

/// The runs that are to be removed, for good or in a dry run, the newest first. An error says that which
/// ones cannot be known: the destination cannot be listed, or a manifest cannot be read. What comes after
/// it does not count.
pub(super) fn outdated_runs<'a>(
    context: &'a Context,
    destination: &'a Destination,
    this: &'a RunId,
) -> impl Stream<Item = Result<RunId, DestinationError>> + 'a {
    let retention = kept(&context.config);
    let now = (context.cluster.connection.limits.now)();
    let begun = async move {
        let listed = if retention.keeps_all() {
            Vec::new()
        } else {
            destination.list().await?
        };
        let earlier = earlier_runs(listed, this, now);
        let own = context.cluster_uid().map(str::to_owned);
        Ok(outdated_among(earlier, destination, retention, own, now))
    };
    stream::once(begun).try_flatten()
}

/// Those of the earlier runs that are not kept. Each manifest is read before: what this program did not
/// write, or wrote for another cluster, does not count, and is not removed.
fn outdated_among<'a>(
    earlier: Vec<EarlierRun>,
    destination: &'a Destination,
    retention: Retention,
    own_cluster: Option<String>,
    now: Timestamp,
) -> impl Stream<Item = Result<RunId, DestinationError>> + 'a {
    let mut decider = Decider::new(retention);
    let mut warned = false;
    // One at a time, for somebody else's may be large.
    let runs = stream::iter(earlier).then(move |run: EarlierRun| {
        let own_cluster = own_cluster.clone();
        async move {
            let owner = owner_of(destination, &run.run_id, own_cluster.as_deref()).await?;
            Ok((run, owner))
        }
    });
    runs.try_filter_map(move |(run, owner)| {
        let run_id = run.run_id;
        if owner == Owner::Unnamed && !std::mem::replace(&mut warned, true) {
            tracing::warn!(
                %run_id,
                "this run's manifest names no cluster, as older ones do not: PROFILER_KEEP and KEEP_FOR \
                 never remove such a run; if it is this cluster's, remove it by hand"
            );
        }
        let decision = decider.decide(run.finished, owner, now);
        tracing::debug!(%run_id, "retention: {decision:?}");
        ready(Ok(match decision {
            Decision::Keep(_) => None,
            Decision::Remove(_) => Some(run_id),
        }))
    })
}

/// Looks up whose an earlier run is.
///
/// # Errors
/// The destination cannot be read for now, or the account may not read it.
async fn owner_of(
    destination: &Destination,
    run: &RunId,
    own_cluster: Option<&str>,
) -> Result<Owner, DestinationError> {
    let error = match destination.find(run).await {
        Ok(Found::Complete(manifest)) => {
            return Ok(Owner::of(manifest.kubevirt.uid.as_deref(), own_cluster));
        }
        Ok(Found::Absent | Found::Unfinished(_)) => return Ok(Owner::NotWhole),
        Ok(Found::Unknown) => return Err(unreadable(run)),
        Ok(Found::Invalid(error) | Found::Mismatched(error)) => error,
        Err(error) if error.permanent => error,
        Err(error) => return Err(error),
    };
    tracing::info!(%error, "this is not taken for a run");
    Ok(Owner::NotWhole)
}

fn unreadable(run: &RunId) -> DestinationError {
    DestinationError {
        action: "read the manifest of",
        object: run.to_string(),
        detail: "the account may not: see docs/s3.md for the rights that are needed".to_owned(),
        permanent: true,
    }
}
