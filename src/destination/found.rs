//! What is there already.

use super::fault::DestinationError;
use crate::manifest::{Manifest, SCHEMA_VERSION};

/// What a destination has of a run.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// Nobody tells: the account may not read.
    Unknown,
    /// An archive that no manifest vouches for.
    Unfinished,
    /// A manifest that cannot be understood, or not of what is there. It is not to be overwritten.
    Untrue(DestinationError),
    /// A manifest, and so its archive.
    Complete(Box<Manifest>),
}

/// What stands in the way under a run's name, and is not to be overwritten.
pub(super) fn untrue(object: &str, detail: &str) -> DestinationError {
    DestinationError {
        action: "understand",
        object: object.to_owned(),
        detail: format!("{detail}; move it away, or use another PROFILER_RUN_ID"),
        permanent: true,
    }
}

/// A manifest that is there, held against its archive's size.
pub(super) fn judge(object: &str, json: &[u8], is_there: impl FnOnce(u64) -> bool) -> Found {
    match understand(object, json) {
        Err(error) => Found::Untrue(error),
        Ok(manifest) if is_there(manifest.archive.bytes) => Found::Complete(Box::new(manifest)),
        Ok(_) => {
            let detail = "its archive is not there or has another size";
            Found::Untrue(untrue(object, detail))
        }
    }
}

fn understand(object: &str, json: &[u8]) -> Result<Manifest, DestinationError> {
    let manifest: Manifest =
        serde_json::from_slice(json).map_err(|error| untrue(object, &error.to_string()))?;
    if manifest.schema_version > SCHEMA_VERSION {
        let version = manifest.schema_version;
        let detail = format!("its schema version is {version}, above {SCHEMA_VERSION}");
        return Err(untrue(object, &detail));
    }
    Ok(manifest)
}
