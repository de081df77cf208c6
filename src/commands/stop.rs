//! `stop`: ends a run's window.

use std::path::Path;

use crate::config::SignalFiles;
use crate::file;
use crate::outcome::ExitCode;

/// Writes the stop file, whole, with the workload's exit code if there is one.
pub(super) fn run(files: &SignalFiles, done: &Path, exit_code: Option<u8>) -> ExitCode {
    if done.exists() {
        eprintln!("the run is over: {}", done.display());
        return ExitCode::Finding;
    }
    let path = files.stop.display();
    // Without a number, a newline says that nothing follows: an empty file might be half of one.
    let number = exit_code.map_or_else(String::new, |code| code.to_string());
    match file::write_whole(&files.stop, format!("{number}\n").as_bytes()) {
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
