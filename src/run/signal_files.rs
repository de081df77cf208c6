//! The files by which a run and a workload tell each other where they are.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::fault::Fault;
use crate::config::{Config, PREFIX, SignalFiles};
use crate::file;
use crate::outcome::ExitCode;

/// Makes the directories, proves that they can be written, and removes what an earlier process
/// left: read now, it would lie.
///
/// # Errors
/// A file can neither be written nor removed here.
pub(super) fn prepare(config: &Config, done: Option<&Path>) -> Result<(), Fault> {
    let SignalFiles { stop, ready } = &config.signals;
    let named = [("STOP_FILE", Some(stop)), ("READY_FILE", Some(ready))];
    let named = named.map(|(variable, path)| (variable, path.map(PathBuf::as_path)));
    for (variable, path) in named.into_iter().chain([("DONE_FILE", done)]) {
        let Some(path) = path else { continue };
        match prepare_one(path) {
            Ok(false) => {}
            Ok(true) => {
                tracing::warn!(path = %path.display(), "removed a file from before this run");
            }
            Err(error) => {
                let (path, tmpdir) = (path.display(), config.temporary.display());
                let message = format!(
                    "{path}: {error}; set {PREFIX}{variable}, or TMPDIR ({tmpdir}), to a place \
                     that can be written"
                );
                return Err(Fault::new(ExitCode::Usage, message));
            }
        }
    }
    Ok(())
}

fn prepare_one(path: &Path) -> io::Result<bool> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    file::probe(path)?;
    file::remove(path)
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
