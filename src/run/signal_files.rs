//! The files by which a run and a workload tell each other where they are.

use std::fs;
use std::path::Path;

use super::fault::Fault;
use crate::config::{PREFIX, SignalFiles};
use crate::file;
use crate::outcome::ExitCode;

/// Makes the directories and removes what an earlier process left: read now, it would lie.
///
/// # Errors
/// A file could neither be written nor removed here.
pub(super) fn prepare(files: &SignalFiles, done: Option<&Path>) -> Result<(), Fault> {
    let named = [
        ("STOP_FILE", Some(files.stop.as_path())),
        ("READY_FILE", Some(&files.ready)),
    ];
    for (variable, path) in named.into_iter().chain([("DONE_FILE", done)]) {
        let Some(path) = path else { continue };
        let made = fs::create_dir_all(path.parent().unwrap_or(path));
        match made.and_then(|()| file::remove(path)) {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(path = %path.display(), "removed a file from before this run")
            }
            Err(error) => {
                let message = format!("{PREFIX}{variable}: {}: {error}", path.display());
                return Err(Fault::new(ExitCode::Usage, message));
            }
        }
    }
    Ok(())
}

/// Says that profiling runs.
///
/// # Errors
/// It cannot be said, and whoever waits would wait for ever.
pub(super) fn ready(files: &SignalFiles) -> Result<(), Fault> {
    file::write_whole(&files.ready, b"").map_err(|error| {
        let path = files.ready.display();
        Fault::new(
            ExitCode::Usage,
            format!("{PREFIX}READY_FILE: {path}: {error}"),
        )
    })
}

/// Says that it does not any more.
pub(super) fn not_ready(files: &SignalFiles) {
    if let Err(error) = file::remove(&files.ready) {
        tracing::warn!(path = %files.ready.display(), %error, "the ready file stays");
    }
}
