//! `stop`: ends a run's window.

use std::ffi::OsString;

use crate::config::signal_files;
use crate::file;
use crate::outcome::ExitCode;

/// Writes the stop file, whole, with the workload's exit code if there is one.
pub fn run(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    exit_code: Option<u8>,
) -> ExitCode {
    let (files, done) = match signal_files(environment) {
        Ok(files) => files,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::Usage;
        }
    };
    if done.exists() {
        eprintln!("the run is over: {}", done.display());
        return ExitCode::Finding;
    }
    let path = files.stop.display();
    let content = exit_code
        .map(|code| format!("{code}\n"))
        .unwrap_or_default();
    // A file without a number is complete when it is empty; a newline says that nothing follows.
    let content = if content.is_empty() {
        "\n".to_owned()
    } else {
        content
    };
    match file::write_whole(&files.stop, content.as_bytes()) {
        Ok(()) => {
            println!("wrote {path}: the window ends");
            ExitCode::Complete
        }
        Err(error) => {
            eprintln!("{path}: {error}; is a run going on here, with the same environment?");
            ExitCode::Finding
        }
    }
}
