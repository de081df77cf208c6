//! The run's configuration: environment variables in, one checked [`Config`] out.
//!
//! Nothing after this module reads the environment or checks a value again.

mod bucket;
mod check;
mod claim;
mod destination;
mod faults;
mod min_complete;
mod parse;
mod places;
mod raw;
mod run_id;
mod s3;
mod service_link;
mod standard;
mod values;
mod variable;

use std::ffi::OsString;
use std::path::PathBuf;

pub use bucket::{ChecksumsSet, S3Config, S3Settings};
pub use destination::DestinationConfig;
pub use min_complete::MinComplete;
pub use run_id::RunId;
pub use standard::OwnPod;
pub use values::{
    Config, ConfigError, EnablePolicy, EngineConfig, LogFormat, Patience, Retention, SignalFiles,
    Telling, TerminationLog, UndoConfig, WindowConfig,
};
pub use variable::{PREFIX, VARIABLES, Variable};

/// Reads the configuration out of an environment.
///
/// The first result is good even when the second is an error.
pub fn from_environment(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Telling, Result<Config, ConfigError>) {
    let environment: Vec<_> = environment.into_iter().collect();
    let (raw, faults) = raw::read(&environment);
    let standard = standard::Standard::read(&environment);
    check::check(&raw, faults, standard)
}

/// Reads only what an undo needs: which cluster, and how long to wait.
///
/// The first result is good even when the second is an error.
pub fn undo_config(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> (Telling, Result<UndoConfig, ConfigError>) {
    let environment: Vec<_> = environment.into_iter().collect();
    let (raw, faults) = raw::read(&environment);
    check::undo_config(&raw, faults, standard::Standard::read(&environment))
}

/// Reads only where runs are kept: the destination, and the fallback if there is one.
///
/// # Errors
/// One of their variables is faulty, or one has a name that is not known.
pub fn places(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Vec<DestinationConfig>, ConfigError> {
    let environment: Vec<_> = environment.into_iter().collect();
    let (raw, faults) = raw::read(&environment);
    places::places(&raw, faults, &standard::Standard::read(&environment))
}

/// Reads only the files by which a run and a workload tell each other where they are, the done
/// file last: what a process beside the run needs.
///
/// # Errors
/// One of their variables is faulty. Other variables are not looked at.
pub fn signal_files(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(SignalFiles, PathBuf), ConfigError> {
    let environment: Vec<_> = environment.into_iter().collect();
    let (raw, _) = raw::read(&environment);
    check::signal_files(&raw, &standard::Standard::read(&environment))
}
