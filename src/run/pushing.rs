//! The push of a run that is shipped, once the lock is given up: nothing that fails here is a fault of the run, and
//! nobody waits for it but the run's own end.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::context::Context;
use super::phase_results::Finished;
use crate::config::{PushConfig, RunId};
use crate::destination::{Destination, Found};
use crate::limits::{Limits, PUSH_SHORT, RUN_PUSH_PROFILES};
use crate::push::{self, PushResult, PushTime, PushedRun};
use crate::report::{self, ProfileStore, Wanted};

/// A run as it is read back.
struct Kept {
    place: Destination,
    run: RunId,
    pushed: PushedRun,
}

/// Pushes a run to the servers that are configured, as long as there is time and nobody tells the run to stop. What
/// fails is a warning.
pub(super) async fn push(context: &Context, finished: &Finished) {
    let Some(config) = &context.config.push else {
        return;
    };
    let pushed = AssertUnwindSafe(try_to_push(context, config, finished));
    match pushed.catch_unwind().await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::warn!("the run was not pushed: {why}"),
        Err(_) => tracing::warn!("the run was not pushed: a defect in this program"),
    }
}

async fn try_to_push(
    context: &Context,
    config: &PushConfig,
    finished: &Finished,
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
        let kept = read_back(context, finished).await?;
        let earlier = push::pushed_targets(&kept.place, &kept.run).await;
        Ok::<_, String>((kept, earlier))
    };
    let (kept, earlier) = tokio::select! {
        biased;
        why = &mut over => return Err(why),
        looked = looked => looked?,
    };
    let (tell, told) = watch::channel(None);
    let pushing = push_to_all(config, &kept, &earlier, limits, &told);
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
    for result in &results {
        if result.complete {
            tracing::info!("pushed to {}", result.summary());
        } else {
            tracing::warn!("pushed to {}", result.summary());
        }
    }
    if results.is_empty() {
        return Ok(());
    }
    let keeping = push::keep(&kept.place, &kept.run, &results);
    match timeout(PUSH_SHORT, keeping).await {
        Ok(Ok(uri)) => tracing::info!(uri, "what arrived is kept"),
        Ok(Err(error)) => tracing::warn!(%error, "what arrived could not be kept"),
        Err(_) => tracing::warn!("what arrived could not be kept within {PUSH_SHORT:?}"),
    }
    Ok(())
}

/// Pushes to one server after another, but to none that an earlier attempt of the run has pushed to: it would have all
/// twice.
async fn push_to_all(
    config: &PushConfig,
    kept: &Kept,
    earlier: &[String],
    limits: &Limits,
    told: &watch::Receiver<Option<String>>,
) -> Vec<PushResult> {
    let mut results = Vec::new();
    for target in &config.targets {
        if earlier.contains(&target.to_string()) {
            tracing::warn!(%target, "an earlier attempt of this run was pushed there: this one is not, for it would be there twice");
            continue;
        }
        let told = told.clone();
        results.push(push::push(target, &config.access, &kept.pushed, limits, told).await);
    }
    results
}

/// Reads the run back from where it was shipped to.
async fn read_back(context: &Context, finished: &Finished) -> Result<Kept, String> {
    let archive = finished.archive.as_ref().ok_or("it has no archive")?;
    let name = archive
        .uri
        .rsplit('/')
        .next()
        .and_then(RunId::from_file_name);
    let (run, _) = name.ok_or("its archive has no name of a run")?;
    let mut places = vec![context.destination.clone()];
    places.extend(context.fallback.clone());
    let found = Destination::find_among(&places, &run).await;
    let (found, place) = found.map_err(|error| error.to_string())?;
    let (Found::Complete(summary), Some(place)) = (found, place) else {
        return Err("it is not where it was shipped to".to_owned());
    };
    let manifest = place.manifest(&run, summary.pods.expected()).await;
    let manifest = manifest.map_err(|error| error.to_string())?;
    let store = ProfileStore::new(
        &context.config.temporary,
        Wanted::WITHOUT_SNAPSHOTS,
        RUN_PUSH_PROFILES,
    );
    let store = store.map_err(|error| format!("no temporary file: {error}"))?;
    let store = report::download(place, &run, &manifest.archive, store).await;
    let store = store.map_err(|error| error.to_string())?;
    if let Some(first) = store.unread().first() {
        tracing::warn!(
            path = first.path,
            "not all of the archive is pushed: {}",
            first.why
        );
    }
    Ok(Kept {
        place: place.clone(),
        run,
        pushed: PushedRun {
            manifest: Arc::new(*manifest),
            store: Arc::new(store),
            time: PushTime::Own,
        },
    })
}
