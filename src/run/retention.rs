//! Which earlier runs a destination keeps, and what is removed of the others.

use std::future::ready;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use futures::{Stream, StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep, sleep_until};

use super::job::Job;
use crate::config::{Retention, RunId};
use crate::destination::DestinationError;
use crate::destination::{Destination, Found, Listed};

/// All of it takes at most so long, for others wait for the lock: the next run goes on.
const LIMIT: Duration = Duration::from_secs(2 * 60);

/// For a run whose removal has begun, and a moment more: what is left of half a run nobody removes.
const REMOVAL: Duration = Duration::from_secs(20);
const MOMENT: Duration = Duration::from_secs(2);

/// Manifests that are read at the same time.
const AT_ONCE: usize = 8;

/// Removes the runs that are not kept, each as soon as it is known. What could not be removed is returned,
/// for nothing of it is this run's fault.
pub(super) async fn retain(job: &Job, destination: &Destination) -> Vec<String> {
    let (mut warnings, end) = (Vec::new(), Instant::now() + LIMIT);
    let mut going = pin!(going(job, destination));
    loop {
        let next = tokio::select! {
            biased;
            () = job.told.hurry() => Err(()),
            () = sleep_until(end) => Err(()),
            next = going.next() => Ok(next),
        };
        match next {
            Ok(Some(Ok(run))) => warnings.extend(remove(job, destination, &run).await),
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

/// Removes one; a warning says that it could not be.
async fn remove(job: &Job, destination: &Destination, run: &RunId) -> Option<String> {
    let given_up = async {
        tokio::select! {
            () = job.told.hurry() => {}
            () = sleep(REMOVAL) => {}
        }
        sleep(MOMENT).await;
    };
    let stays = |why: String| Some(format!("the earlier run {run} stays: {why}"));
    tokio::select! {
        removed = destination.remove(run) => match removed {
            Ok(()) => {
                tracing::info!(run_id = %run, "removed, as PROFILER_KEEP and KEEP_FOR want");
                None
            }
            Err(error) => stays(error.to_string()),
        },
        () = given_up => stays("the destination did not answer in time".to_owned()),
    }
}

/// The runs that are to be removed, for good or in a dry run, the newest first. An error says that which
/// ones cannot be known: the destination cannot be listed, or a manifest cannot be read. What comes after
/// it does not count.
pub(super) fn going<'a>(
    job: &'a Job,
    destination: &'a Destination,
) -> impl Stream<Item = Result<RunId, DestinationError>> + 'a {
    let retention = &job.config.retention;
    let listed = async move {
        let listed = match retention.keeps_all() {
            true => Vec::new(),
            false => destination.list().await?,
        };
        let earlier = earlier(listed, &job.config.run_id);
        Ok(outdated(destination, earlier, retention))
    };
    stream::once(listed).try_flatten()
}

/// The runs that were finished before this one, the newest first: another cluster's may be newer, and is
/// that one's to remove. One that is unfinished stays, since nothing vouches for whose it is.
fn earlier(listed: Vec<Listed>, own: &RunId) -> Vec<(SystemTime, RunId)> {
    let finished = listed
        .into_iter()
        .filter_map(|run| Some((SystemTime::from(run.finished?), run.run_id)));
    let (mut mine, mut others): (Vec<_>, Vec<_>) = finished.partition(|(_, run)| run == own);
    let until = mine.pop().unwrap_or((SystemTime::now(), own.clone()));
    // Of two that were finished in one second only one is the earlier, whoever looks.
    others.retain(|other| *other < until);
    others.sort_by(|one, other| other.cmp(one));
    others
}

/// Those that are not kept. Each manifest is read before: what this program did not write does not count,
/// and is not removed.
fn outdated<'a>(
    destination: &'a Destination,
    earlier: Vec<(SystemTime, RunId)>,
    retention: &'a Retention,
) -> impl Stream<Item = Result<RunId, DestinationError>> + 'a {
    // This run is one of the newest.
    let mut places = retention.keep.unwrap_or(1) - 1;
    let read = stream::iter(earlier).map(async |(finished, run): (_, RunId)| {
        let found = match destination.find(&run).await {
            Err(error) if error.permanent => Found::Invalid(error),
            found => found?,
        };
        Ok((finished, run, found))
    });
    read.buffered(AT_ONCE)
        .try_filter_map(move |(finished, run, found): (SystemTime, _, _)| {
            let age = finished.elapsed().unwrap_or_default();
            ready(match found {
                Found::Unknown => Err(unreadable(&run)),
                Found::Absent | Found::Unfinished => Ok(None),
                Found::Invalid(error) => {
                    tracing::info!(%error, "this is not taken for a run");
                    Ok(None)
                }
                Found::Complete(_) if places > 0 => {
                    places -= 1;
                    Ok(None)
                }
                Found::Complete(_) => {
                    let is_old = retention.keep_for.is_none_or(|longest| age > longest);
                    Ok(is_old.then_some(run))
                }
            })
        })
}

fn unreadable(run: &RunId) -> DestinationError {
    DestinationError {
        action: "read the manifest of",
        object: run.to_string(),
        detail: "the account may not: see docs/s3.md for the rights that are needed".to_owned(),
        permanent: true,
    }
}
