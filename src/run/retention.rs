//! Which earlier runs a destination keeps, and what is removed of the others.

use std::time::{Duration, SystemTime};

use super::job::Job;
use crate::config::{Retention, RunId};
use crate::destination::fault::DestinationError;
use crate::destination::{Destination, Found, Listed};

/// All of it takes at most so long, for others wait for the lock: the next run goes on.
const LIMIT: Duration = Duration::from_secs(2 * 60);

/// Removes the runs that are not kept. What could not be removed is returned, for nothing of it is this
/// run's fault.
pub(super) async fn retain(job: &Job, destination: &Destination) -> Vec<String> {
    let mut warnings = Vec::new();
    let all = async {
        let going = going(job, destination).await;
        if let Err(error) = &going {
            warnings.push(format!("earlier runs stay: {error}"));
        }
        for run in going.unwrap_or_default() {
            match destination.remove(&run).await {
                Ok(()) => {
                    tracing::info!(run_id = %run, "removed, as PROFILER_KEEP and KEEP_FOR want")
                }
                Err(error) => warnings.push(format!("the earlier run {run} stays: {error}")),
            }
        }
    };
    let in_time = tokio::select! {
        () = all => true,
        () = job.told.hurry() => false,
        () = tokio::time::sleep(LIMIT) => false,
    };
    if !in_time {
        warnings.push("earlier runs may stay: there was no time for more".to_owned());
    }
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    warnings
}

/// The runs that are to be removed, for good or in a dry run.
///
/// # Errors
/// They cannot be known: the destination cannot be listed, or a manifest cannot be read.
pub(super) async fn going(
    job: &Job,
    destination: &Destination,
) -> Result<Vec<RunId>, DestinationError> {
    let retention = &job.config.retention;
    if retention.keeps_all() {
        return Ok(Vec::new());
    }
    let earlier = earlier(destination.list().await?, &job.config.run_id);
    outdated(destination, earlier, retention).await
}

/// The runs that were finished before this one, the newest first: another cluster's may be newer, and is
/// that one's to remove. One that is unfinished stays, since nothing vouches for whose it is.
fn earlier(listed: Vec<Listed>, own: &RunId) -> Vec<(SystemTime, RunId)> {
    let finished = listed
        .into_iter()
        .filter_map(|run| Some((SystemTime::from(run.finished?), run.run_id)));
    let (own, mut others): (Vec<_>, Vec<_>) = finished.partition(|(_, run)| run == own);
    let until = own.first().map_or_else(SystemTime::now, |(at, _)| *at);
    others.retain(|(at, _)| *at <= until);
    others.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    others
}

/// Those that are not kept. Each manifest is read before: what this program did not write does not count,
/// and is not removed.
async fn outdated(
    destination: &Destination,
    earlier: Vec<(SystemTime, RunId)>,
    retention: &Retention,
) -> Result<Vec<RunId>, DestinationError> {
    // This run is one of the newest.
    let mut places = retention.keep.unwrap_or(1) - 1;
    let mut going = Vec::new();
    for (finished, run) in earlier {
        match destination.find(&run).await {
            Ok(Found::Complete(_)) => {}
            Ok(Found::Unknown) => return Err(unreadable(&run)),
            Ok(Found::Absent | Found::Unfinished) => continue,
            Err(error) if error.permanent => {
                tracing::info!(%error, "this is not taken for a run");
                continue;
            }
            Err(error) => return Err(error),
        }
        let age = finished.elapsed().unwrap_or_default();
        if places > 0 {
            places -= 1;
        } else if retention.keep_for.is_none_or(|longest| age > longest) {
            going.push(run);
        }
    }
    Ok(going)
}

fn unreadable(run: &RunId) -> DestinationError {
    DestinationError {
        action: "read the manifest of",
        object: run.to_string(),
        detail: "the account may not: see docs/s3.md for the rights that are needed".to_owned(),
        permanent: true,
    }
}
