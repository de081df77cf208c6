//! What a person or another step does beside a run.
//!
//! `stop` and `ready` only look at the files by which a run and a workload tell each other where they
//! are.

mod convert;
mod ready;
mod stop;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{SignalFiles, signal_files};
use crate::outcome::ExitCode;

/// `stop`: ends a run's window, with the workload's exit code if there is one.
pub fn stop(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    exit_code: Option<u8>,
) -> ExitCode {
    match files(environment) {
        Ok((files, done)) => stop::run(&files, &done, exit_code),
        Err(code) => code,
    }
}

/// `ready`: whether profiling is on, now or within so long.
pub async fn ready(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    wait: Option<Duration>,
) -> ExitCode {
    match files(environment) {
        Ok((files, done)) => ready::run(&files, &done, wait.unwrap_or_default()).await,
        Err(code) => code,
    }
}

/// `convert`: gives names to profiles that others left.
pub fn convert(source: &Path, dest: &Path, keep_originals: bool) -> ExitCode {
    convert::run(source, dest, keep_originals)
}

/// The files, the done file last. Their variables' faults are told, and are the exit code.
fn files(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(SignalFiles, PathBuf), ExitCode> {
    signal_files(environment).map_err(|faults| {
        eprintln!("{faults}");
        ExitCode::Usage
    })
}
