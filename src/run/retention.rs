//! Which earlier runs a destination keeps, and what is removed of the others.

use std::time::{Duration, SystemTime};

use super::job::Job;
use crate::config::{Retention, RunId};
use crate::destination::fault::DestinationError;
use crate::destination::{Destination, Found, Listed};

/// Removes the runs that are not kept. Each one's manifest is read before: what this program did not
/// write is left alone. What could not be removed is returned, for nothing of it is this run's fault.
pub(super) async fn retain(job: &Job, destination: &Destination) -> Vec<String> {
    let gone = match going(job, destination).await {
        Ok(going) => going,
        Err(error) => return warned(vec![format!("earlier runs are not looked at: {error}")]),
    };
    let mut warnings = Vec::new();
    for run in gone {
        match remove(destination, &run).await {
            Ok(()) => tracing::info!(run_id = %run, "removed, as PROFILER_KEEP and KEEP_FOR want"),
            Err(error) => warnings.push(format!("the earlier run {run} stays: {error}")),
        }
    }
    warned(warnings)
}

/// The runs that are to be removed, for good or in a dry run.
///
/// # Errors
/// The destination cannot be listed.
pub(super) async fn going(
    job: &Job,
    destination: &Destination,
) -> Result<Vec<RunId>, DestinationError> {
    let retention = &job.config.retention;
    if retention.keeps_all() {
        return Ok(Vec::new());
    }
    let listed = destination.list().await?;
    Ok(outdated(
        listed,
        retention,
        &job.config.run_id,
        SystemTime::now(),
    ))
}

async fn remove(destination: &Destination, run: &RunId) -> Result<(), DestinationError> {
    match destination.find(run).await? {
        Found::Complete(_) => destination.remove(run).await,
        Found::Absent | Found::Unfinished => Ok(()),
    }
}

fn warned(warnings: Vec<String>) -> Vec<String> {
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    warnings
}

/// The runs to remove, of which `own` is never one: it is the newest of those that are kept. One that is
/// unfinished stays, since nothing vouches for whose it is.
fn outdated(
    listed: Vec<Listed>,
    retention: &Retention,
    own: &RunId,
    now: SystemTime,
) -> Vec<RunId> {
    let others = listed.into_iter().filter(|run| run.run_id != *own);
    let mut finished: Vec<_> = others
        .filter_map(|run| Some((SystemTime::from(run.finished?), run.run_id)))
        .collect();
    finished.sort_by_key(|(finished, _)| std::cmp::Reverse(*finished));
    let newest = retention.keep.map_or(0, |keep| keep as usize - 1);
    let is_young = |finished: SystemTime| {
        let age = now.duration_since(finished).unwrap_or(Duration::ZERO);
        retention.keep_for.is_some_and(|longest| age <= longest)
    };
    let rest = finished.into_iter().skip(newest);
    rest.filter(|(finished, _)| !is_young(*finished))
        .map(|(_, run)| run)
        .collect()
}
