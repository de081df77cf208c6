//! The runs at a destination: which are there, and what is there of one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::DestinationError;
use crate::config::{RunFile, RunId};
use crate::manifest::{Manifest, SCHEMA_VERSION};

/// What a destination has of a run.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// The account may not read it, so nobody can tell.
    Unknown,
    /// An archive without a manifest.
    Unfinished,
    /// A manifest that cannot be understood, or that does not match the archive. It is not to be
    /// overwritten.
    Invalid(DestinationError),
    /// A manifest and the archive that it describes.
    Complete(Box<Manifest>),
}

/// A run in the list of a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub run_id: RunId,
    /// When its manifest was written; `None` for a run that is unfinished.
    pub finished: Option<Timestamp>,
}

/// The runs that files belong to, in the order of their ids. A file comes as its name and the time of its
/// last change; names that this program does not give are left out.
pub(super) fn from_files(files: impl IntoIterator<Item = (String, Timestamp)>) -> Vec<Listed> {
    let mut runs: BTreeMap<String, Listed> = BTreeMap::new();
    for (name, modified) in files {
        let Some((run_id, file)) = RunId::from_file_name(&name) else {
            continue;
        };
        let run = runs.entry(run_id.to_string()).or_insert(Listed {
            run_id,
            finished: None,
        });
        match file {
            RunFile::Archive => {}
            RunFile::Manifest => run.finished = Some(modified),
        }
    }
    runs.into_values().collect()
}

/// Checks the manifest at `uri` against the size that its archive should have.
pub(super) fn check_manifest(
    uri: &str,
    json: &[u8],
    archive_has_size: impl FnOnce(u64) -> bool,
) -> Found {
    match parse_manifest(uri, json) {
        Err(error) => Found::Invalid(error),
        Ok(manifest) if archive_has_size(manifest.archive.bytes) => {
            Found::Complete(Box::new(manifest))
        }
        Ok(_) => {
            let detail = "its archive is not there or has another size";
            Found::Invalid(invalid(uri, detail))
        }
    }
}

fn parse_manifest(uri: &str, json: &[u8]) -> Result<Manifest, DestinationError> {
    let manifest: Manifest =
        serde_json::from_slice(json).map_err(|error| invalid(uri, &error.to_string()))?;
    if manifest.schema_version > SCHEMA_VERSION {
        let version = manifest.schema_version;
        let detail = format!("its schema version is {version}, above {SCHEMA_VERSION}");
        return Err(invalid(uri, &detail));
    }
    Ok(manifest)
}

/// The error of something that has a run's name and is not what it should be. It is not to be overwritten.
pub(super) fn invalid(object: &str, detail: &str) -> DestinationError {
    DestinationError {
        action: "understand",
        object: object.to_owned(),
        detail: format!("{detail}; move it away, or use another PROFILER_RUN_ID"),
        permanent: true,
    }
}
