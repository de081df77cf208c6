//! Which runs are there, by the names that this program gives.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::RunId;

/// A run at a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub run_id: RunId,
    /// When its manifest was written; none for a run that is unfinished.
    pub finished: Option<Timestamp>,
}

/// Files that are there, by name, with the time of their last change, as runs in the order of their ids.
/// Names that this program does not give are left out.
pub(super) fn gather(files: impl IntoIterator<Item = (String, Timestamp)>) -> Vec<Listed> {
    let mut runs: BTreeMap<String, Listed> = BTreeMap::new();
    for (name, modified) in files {
        let Some((run_id, is_manifest)) = understand(&name) else {
            continue;
        };
        let run = runs.entry(run_id.to_string()).or_insert(Listed {
            run_id,
            finished: None,
        });
        if is_manifest {
            run.finished = Some(modified);
        }
    }
    runs.into_values().collect()
}

fn understand(name: &str) -> Option<(RunId, bool)> {
    let rest = name.strip_prefix(RunId::STEM)?;
    let archive = rest.strip_suffix(".tar.gz").map(|id| (id, false));
    let (id, is_manifest) = archive.or_else(|| Some((rest.strip_suffix(".json")?, true)))?;
    Some((RunId::parse(id).ok()?, is_manifest))
}
