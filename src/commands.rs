//! What a person or another step does beside a run.
//!
//! `stop` and `ready` only look at the files by which a run and a workload tell each other where they
//! are.

mod convert;
mod get;
mod hold;
mod ls;
mod ready;
mod stop;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::{RunId, SignalFiles, places, signal_files};
use crate::destination::Destination;
use crate::destination::DestinationError;
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

/// `ls`: the runs at the destination and the fallback.
pub async fn ls(environment: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
    match kept(environment) {
        Ok(destinations) => told(ls::run(&destinations).await),
        Err(code) => code,
    }
}

/// `get`: a run's archive to the standard output.
pub async fn get(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    run: &RunId,
) -> ExitCode {
    match kept(environment) {
        Ok(destinations) => told(get::run(&destinations, run).await),
        Err(code) => code,
    }
}

/// `hold`: waits so long, or until a signal comes.
pub async fn hold(wait: Duration, signals: mpsc::Receiver<ExitCode>) -> ExitCode {
    hold::run(wait, signals).await
}

/// `convert`: gives names to profiles that others left.
pub fn convert(source: &Path, dest: &Path, keep_originals: bool) -> ExitCode {
    convert::run(source, dest, keep_originals)
}

/// Where runs are kept. Faults of the variables are told, and are the exit code.
fn kept(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<Destination>, ExitCode> {
    let places = places(environment).map_err(|faults| {
        eprintln!("{faults}");
        ExitCode::Usage
    })?;
    Ok(places.iter().map(Destination::new).collect())
}

/// A destination's fault is told, and is the exit code.
fn told(done: Result<ExitCode, DestinationError>) -> ExitCode {
    done.unwrap_or_else(|error| {
        eprintln!("{error}");
        error.exit_code()
    })
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
