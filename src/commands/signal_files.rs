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
    let content = format!("{number}\n");
    let is_failure = exit_code.is_some_and(|code| code != 0);
    // Of a workload that did not fail an empty file says enough.
    let written = if is_failure {
        file::write_whole(stop, content.as_bytes()).map(|()| None)
    } else {
        file::write_whole_or_empty(stop, content.as_bytes())
    };
    match written {
        Ok(None) => say(format_args!("wrote {path}: the window ends")),
        Ok(Some(why)) => say(format_args!(
            "wrote {path}, but empty, for {why}: the window ends"
        )),
        Err(error) if file::is_full(&error) => {
            let lost = if is_failure {
                format!(
                    "the exit code {number} has no room: make some, and stop again; or `touch {path}`, \
                     which ends the window without it"
                )
            } else {
                "make room, and stop again".to_owned()
            };
            complain(format_args!("{path}: {error}; the window goes on: {lost}"));
            return ExitCode::Finding;
        }
        Err(error) => {
            complain(format_args!(
                "{path}: {error}; is a run going on here, with the same environment?"
            ));
            return ExitCode::Finding;
        }
    }
    ExitCode::Complete
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
