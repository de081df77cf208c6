//! The run's configuration: environment variables in, one checked [`Config`] out.
//!
//! Nothing after this module reads the environment or checks a value again.

mod check;
mod destination;
mod min_complete;
mod parse;
mod raw;
mod run_id;
mod service_link;
mod standard;
mod values;
mod variable;

use std::ffi::OsString;

pub use destination::DestinationConfig;
pub use min_complete::MinComplete;
pub use run_id::RunId;
pub use values::{
    Config, ConfigError, EngineConfig, LogFormat, Patience, SignalFiles, Telling, TerminationLog,
    WindowConfig,
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
