//! The results of pushes, kept beside the archive.

use serde_json::{Value, json};

use super::results::PushResult;
use crate::config::{RunFile, RunId};
use crate::destination::{Destination, DestinationError};

/// The version of the file's format.
const SCHEMA_VERSION: u32 = 1;

/// The most bytes of an earlier file that are read.
const MOST_BYTES: usize = 4 << 20;

/// Writes what became of a run's pushes, beside what earlier pushes to other servers left. Gives the file's place.
///
/// # Errors
/// It cannot be written.
pub async fn keep(
    destination: &Destination,
    run: &RunId,
    results: &[PushResult],
) -> Result<String, DestinationError> {
    let mut pushes = earlier(destination, run).await;
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

/// The servers that a run was pushed to, as far as that was kept.
pub async fn pushed_targets(destination: &Destination, run: &RunId) -> Vec<String> {
    let pushes = earlier(destination, run).await;
    let targets = pushes.iter().filter_map(|push| push["target"].as_str());
    targets.map(str::to_owned).collect()
}

/// The results that are there. A file that cannot be understood has none.
async fn earlier(destination: &Destination, run: &RunId) -> Vec<Value> {
    let content = match destination.open(run, RunFile::Pushed).await {
        Ok(download) => download.all(MOST_BYTES).await.ok().flatten(),
        Err(_) => None,
    };
    let Some(content) = content else {
        return Vec::new();
    };
    let file = serde_json::from_slice::<Value>(&content).unwrap_or_default();
    file["pushes"].as_array().cloned().unwrap_or_default()
}
