//! The results of pushes, kept beside the archive.

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::results::PushResult;
use crate::config::{PushTarget, RunFile, RunId};
use crate::destination::{Destination, DestinationError, Found};
use crate::limits::PUSH_SHORT;

/// The version of the file's format.
const SCHEMA_VERSION: u32 = 1;

/// The most bytes of an earlier file that are read.
const MOST_BYTES: usize = 4 << 20;

/// Notes that a push to a server begins, unless `end` has a reason to end it: one that is killed leaves that behind.
///
/// # Errors
/// It cannot be written in a short time.
pub async fn keep_begun(
    destination: &Destination,
    run: &RunId,
    target: &PushTarget,
    mut end: watch::Receiver<Option<String>>,
) -> Result<(), String> {
    let begun = [PushResult::begin(target.to_string())];
    let kept = tokio::select! {
        biased;
        _ = end.wait_for(Option::is_some) => return Ok(()),
        kept = timeout(PUSH_SHORT, keep(destination, run, &begun)) => kept,
    };
    match kept {
        Ok(kept) => kept.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err(format!("that took longer than {PUSH_SHORT:?}")),
    }
}

/// Writes what became of a run's pushes, beside what earlier pushes to other servers left. Gives the file's place.
///
/// # Errors
/// It cannot be written, or what is there cannot be read, or the run was removed meanwhile.
pub async fn keep(
    destination: &Destination,
    run: &RunId,
    results: &[PushResult],
) -> Result<String, DestinationError> {
    let found = destination.find(run).await?;
    if matches!(found, Found::Absent | Found::Unfinished(_)) {
        return Err(error(
            "write",
            run,
            "the run was removed meanwhile".to_owned(),
        ));
    }
    let mut pushes = earlier(destination, run).await?;
    pushes.retain(|push| {
        results
            .iter()
            .all(|result| push["target"] != *result.target)
    });
    pushes.extend(results.iter().map(|result| json!(result)));
    let file = json!({
        "schema_version": SCHEMA_VERSION,
        "run_id": run.as_str(),
        "pushes": pushes,
    });
    destination
        .put(run, RunFile::Pushed, format!("{file:#}").into_bytes())
        .await
}

/// The servers that may have something of a run, as far as that was kept.
///
/// # Errors
/// What was kept cannot be read.
pub async fn pushed_targets(
    destination: &Destination,
    run: &RunId,
) -> Result<Vec<String>, DestinationError> {
    let pushes = earlier(destination, run).await?;
    let pushes = pushes.iter().filter(|push| may_be_stored(push));
    let targets = pushes.filter_map(|push| push["target"].as_str());
    Ok(targets.map(str::to_owned).collect())
}

/// Whether something may have been stored by a push: by one that has not ended, for it was killed, too.
fn may_be_stored(push: &Value) -> bool {
    let mut arrivals = ["stored", "unknown"].into_iter();
    let has = |arrival| push["profiles"][arrival].as_u64() > Some(0);
    push["ended"].is_null() || arrivals.any(has)
}

/// The results that are there. A file that cannot be understood has none.
async fn earlier(destination: &Destination, run: &RunId) -> Result<Vec<Value>, DestinationError> {
    let Some(download) = destination.open_if_there(run, RunFile::Pushed).await? else {
        return Ok(Vec::new());
    };
    let content = download.all(MOST_BYTES).await?;
    let Some(content) = content else {
        let why = format!("it has more than {} MiB", MOST_BYTES >> 20);
        return Err(error("read", run, why));
    };
    let file = serde_json::from_slice::<Value>(&content).unwrap_or_default();
    Ok(file["pushes"].as_array().cloned().unwrap_or_default())
}

fn error(action: &'static str, run: &RunId, detail: String) -> DestinationError {
    DestinationError {
        action,
        object: run.file_name(RunFile::Pushed),
        detail,
        permanent: true,
    }
}
