//! The push of a run that is shipped, once the lock is given up: nothing that fails here is a fault of the run, and
//! nobody waits for it but the run's own end.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::context::Context;
use super::phase_results::Finished;
use crate::config::{PushConfig, PushTarget, RunId};
use crate::destination::{Destination, Found};
use crate::limits::{Limits, PUSH_SHORT, RUN_PUSH_PROFILES};
use crate::manifest::StoredFile;
use crate::push::{self, PushResult, PushTime, PushedRun};
use crate::report::{self, ProfileStore, Wanted};

/// A run where it was shipped to.
struct Kept {
    place: Destination,
    run: RunId,
    /// How many pods it has.
    pods: usize,
}

/// Warns of what a push will lack, before anything is changed.
pub(super) fn tell_of_faults(config: &PushConfig) {
    for target in &config.targets {
        if let Err(why) = push::check(target, &config.access) {
            tracing::warn!(%target, "the run cannot be pushed: {why}");
        }
    }
}

/// Pushes a run that is shipped, by this attempt or by one that had no time for that, and gives it back. What fails is a
/// warning.
pub(super) async fn pushed(context: &Context, finished: Finished) -> Finished {
    if let (Some(config), Some(archive)) = (&context.config.push, &finished.archive) {
        push(context, config, archive).await;
    }
    finished
}

/// Pushes a run to the servers that are configured, as long as there is time and nobody tells the run to stop.
async fn push(context: &Context, config: &PushConfig, archive: &StoredFile) {
    let Some(run) = run_of(archive) else {
        tracing::warn!("the run was not pushed: its archive has no name of a run");
        return;
    };
    let mut targets = config.targets.iter().collect();
    let pushed = try_to_push(context, config, &run, &mut targets);
    let Err(why) = guarded(pushed).await else {
        return;
    };
    for target in targets {
        let how = how_to_push(&run, target);
        tracing::warn!("the run was not pushed: {why}; {how}");
    }
}

/// The result of a push; of one that panics, that it did.
async fn guarded(pushing: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let pushed = AssertUnwindSafe(pushing).catch_unwind().await;
    pushed.unwrap_or_else(|_| Err("a defect in this program".to_owned()))
}

/// The id that a run has where it was shipped to.
fn run_of(archive: &StoredFile) -> Option<RunId> {
    let name = archive.uri.rsplit('/').next()?;
    Some(RunId::from_file_name(name)?.0)
}

fn how_to_push(run: &RunId, target: &PushTarget) -> String {
    format!("cluster-profiler-job push {run} {target} does that")
}

/// Pushes a run to those of the servers that have nothing of it, which are left in `targets`.
async fn try_to_push(
    context: &Context,
    config: &PushConfig,
    run: &RunId,
    targets: &mut Vec<&PushTarget>,
) -> Result<(), String> {
    let limits = &context.cluster.connection.limits;
    let longest = limits.push;
    let over = async {
        tokio::select! {
            request = context.shutdown.requested() => request.why().to_owned(),
            () = sleep(longest) => format!("it took longer than {longest:?}"),
        }
    };
    tokio::pin!(over);
    let looked = async {
        let kept = find(context, run).await?;
        let earlier = push::pushed_targets(&kept.place, run).await;
        let earlier = earlier.map_err(|error| {
            format!("whether an earlier attempt has pushed it is not known: {error}")
        })?;
        leave_out(targets, &earlier);
        if targets.is_empty() {
            return Ok(None);
        }
        let pushed = read_back(context, &kept).await?;
        Ok::<_, String>(Some((kept, pushed)))
    };
    let looked = until(&mut over, looked).await??;
    let Some((kept, pushed)) = looked else {
        return Ok(());
    };
    let (tell, told) = watch::channel(None);
    let pushing = push_to_all(config, targets, &kept, &pushed, limits, &told);
    tokio::pin!(pushing);
    let results = tokio::select! {
        biased;
        why = &mut over => {
            // It ends at once, with what arrived until now.
            let _ = tell.send(Some(why));
            pushing.await
        }
        results = &mut pushing => results,
    };
    for (target, result) in targets.iter().zip(&results) {
        tell_of(&kept.run, target, result);
    }
    let keeping = push::keep(&kept.place, &kept.run, &results);
    match timeout(PUSH_SHORT, keeping).await {
        Ok(Ok(uri)) => tracing::info!(uri, "what arrived is kept"),
        Ok(Err(error)) => tracing::warn!(%error, "what arrived could not be kept"),
        Err(_) => tracing::warn!("what arrived could not be kept within {PUSH_SHORT:?}"),
    }
    Ok(())
}

/// What comes first: the result of some work, or the reason to end it.
async fn until<T>(
    over: &mut Pin<&mut impl Future<Output = String>>,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    tokio::select! {
        biased;
        why = over => Err(why),
        done = work => Ok(done),
    }
}

fn tell_of(run: &RunId, target: &PushTarget, result: &PushResult) {
    let summary = result.summary();
    if result.complete {
        tracing::info!("pushed to {summary}");
    } else if result.may_be_stored() {
        tracing::warn!("pushed to {summary}");
    } else {
        tracing::warn!("not pushed to {summary}; {}", how_to_push(run, target));
    }
}

/// Leaves out the servers to which an earlier attempt of the run has pushed: they would have all twice.
fn leave_out(targets: &mut Vec<&PushTarget>, earlier: &[String]) {
    targets.retain(|target| {
        let is_new = !earlier.contains(&target.to_string());
        if !is_new {
            tracing::warn!(%target, "an earlier attempt of this run was pushed there: this one is not, for it would be there twice");
        }
        is_new
    });
}

/// Pushes to one server after another.
async fn push_to_all(
    config: &PushConfig,
    targets: &[&PushTarget],
    kept: &Kept,
    pushed: &PushedRun,
    limits: &Limits,
    told: &watch::Receiver<Option<String>>,
) -> Vec<PushResult> {
    let mut results = Vec::new();
    for target in targets {
        let begun = push::keep_begun(&kept.place, &kept.run, target, told.clone());
        if let Err(why) = begun.await {
            tracing::warn!(%target, "that a push begins could not be kept: {why}");
        }
        let told = told.clone();
        results.push(push::push(target, &config.access, pushed, limits, told).await);
    }
    results
}

/// Looks where the run was shipped to.
async fn find(context: &Context, run: &RunId) -> Result<Kept, String> {
    let mut places = vec![context.destination.clone()];
    places.extend(context.fallback.clone());
    let found = Destination::find_among(&places, run).await;
    let (found, place) = found.map_err(|error| error.to_string())?;
    let (Found::Complete(summary), Some(place)) = (found, place) else {
        return Err("it is not where it was shipped to".to_owned());
    };
    Ok(Kept {
        place: place.clone(),
        run: run.clone(),
        pods: summary.pods.expected(),
    })
}

/// Reads the run back from there.
async fn read_back(context: &Context, kept: &Kept) -> Result<PushedRun, String> {
    let Kept { place, run, pods } = kept;
    let manifest = place.manifest(run, *pods).await;
    let manifest = manifest.map_err(|error| error.to_string())?;
    let store = ProfileStore::new(
        &context.config.temporary,
        Wanted::WITHOUT_SNAPSHOTS,
        RUN_PUSH_PROFILES,
    );
    let store = store.map_err(|error| format!("no temporary file: {error}"))?;
    let store = report::download(place, run, &manifest.archive, store).await;
    let store = store.map_err(|error| error.to_string())?;
    if let Some(first) = store.unread().first() {
        tracing::warn!(
            path = first.path,
            "not all of the archive is pushed: {}",
            first.why
        );
    }
    Ok(PushedRun {
        manifest: Arc::new(*manifest),
        store: Arc::new(store),
        time: PushTime::Own,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_defect_of_a_push_is_a_warning_of_the_run() {
        let pushed = guarded(async { panic!("a defect") }).await;
        assert_eq!(pushed, Err("a defect in this program".to_owned()));
        assert_eq!(guarded(async { Ok(()) }).await, Ok(()));
    }
}
