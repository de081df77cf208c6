//! `stop` and `ready`, for a workload beside a run. They only write and look for the files by which the two
//! tell each other where they are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::config::{self, SignalFiles};
use crate::file;
use crate::limits::{OLD_DONE_FILE, READY_POLL};
use crate::outcome::ExitCode;
use crate::run::status::log::{complain, say};

/// `stop`: ends a run's window, with the workload's exit code if there is one.
pub fn stop(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    exit_code: Option<u8>,
) -> ExitCode {
    match signal_files(environment) {
        Ok((files, done)) => write_stop_file(&files.stop, &done, exit_code),
        Err(code) => code,
    }
}

/// `ready`: whether profiling is on. Waits for it, if a time is given.
pub async fn ready(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    wait: Option<Duration>,
) -> ExitCode {
    match signal_files(environment) {
        Ok((files, done)) => wait_until_ready(&files.ready, &done, wait.unwrap_or_default()).await,
        Err(code) => code,
    }
}

/// The files, the done file last. Faults of their variables are printed, and are the exit code.
fn signal_files(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<(SignalFiles, PathBuf), ExitCode> {
    config::signal_files(environment).map_err(|faults| {
        complain(&faults);
        ExitCode::Usage
    })
}

fn write_stop_file(stop: &Path, done: &Path, exit_code: Option<u8>) -> ExitCode {
    if done.exists() {
        complain(format_args!("the run is over: {}", done.display()));
        return ExitCode::Finding;
    }
    let path = stop.display();
    // Without a number, a newline says that nothing follows: an empty file might be half of one.
    let number = exit_code.map_or_else(String::new, |code| code.to_string());
    match file::write_whole(stop, format!("{number}\n").as_bytes()) {
        Ok(()) => {
            say(format_args!("wrote {path}: the window ends"));
            ExitCode::Complete
        }
        Err(error) => {
            complain(format_args!(
                "{path}: {error}; is a run going on here, with the same environment?"
            ));
            ExitCode::Finding
        }
    }
}

async fn wait_until_ready(ready: &Path, done: &Path, wait: Duration) -> ExitCode {
    let begin = Instant::now();
    loop {
        if ready.exists() {
            return ExitCode::Complete;
        }
        let waited = begin.elapsed();
        if waited >= OLD_DONE_FILE && done.exists() {
            let message = std::fs::read_to_string(done).unwrap_or_default();
            complain(format_args!("the run is over: {message}"));
            return ExitCode::Finding;
        }
        if waited >= wait {
            complain(format_args!(
                "profiling is not on: there is no {}",
                ready.display()
            ));
            return ExitCode::Finding;
        }
        sleep(READY_POLL.min(wait - waited)).await;
    }
}
