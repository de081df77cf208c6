//! Signal files: how a run and a workload tell each other where they are.

use std::fs;
use std::io;
use std::path::Path;

use crate::config::{Config, SignalFiles};
use crate::file;
use crate::run::outcome::Fault;

/// Makes the files' directories, proves that they can be written, and removes files that an earlier process
/// left: read now, they would lie.
///
/// # Errors
/// A file can neither be written nor removed here.
pub(in crate::run) fn prepare(config: &Config, done: Option<&Path>) -> Result<(), Fault> {
    let SignalFiles { stop, ready } = &config.signals;
    let named = [
        ("PROFILER_STOP_FILE", Some(stop.as_path())),
        ("PROFILER_READY_FILE", Some(ready.as_path())),
        ("PROFILER_DONE_FILE", done),
    ];
    for (variable, path) in named {
        let Some(path) = path else { continue };
        match prepare_one(path) {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(path = %path.display(), "removed a file from before this run");
            }
            Err(error) => {
                let (path, tmpdir) = (path.display(), config.temporary.display());
                let message = format!(
                    "{path}: {error}; set {variable}, or TMPDIR ({tmpdir}), to a place \
                     that can be written"
                );
                return Err(Fault::usage(message));
            }
        }
    }
    Ok(())
}

/// Says whether there was a file from before.
fn prepare_one(path: &Path) -> io::Result<bool> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    file::probe(path)?;
    file::remove(path)
}

/// Writes the ready file: profiling is on.
///
/// # Errors
/// It cannot be written, and whoever waits for it would wait for ever.
pub(in crate::run) fn write_ready(files: &SignalFiles) -> Result<(), Fault> {
    file::write_whole(&files.ready, b"").map_err(|error| {
        let path = files.ready.display();
        Fault::usage(format!("PROFILER_READY_FILE: {path}: {error}"))
    })
}

/// Removes the ready file: profiling is not on any more.
pub(in crate::run) fn remove_ready(files: &SignalFiles) {
    if let Err(error) = file::remove(&files.ready) {
        tracing::warn!(path = %files.ready.display(), %error, "the ready file stays");
    }
}
