//! `ready`: whether profiling is on.

use std::ffi::OsString;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::signal_files;
use crate::outcome::ExitCode;

/// How often the files are looked for.
const POLL: Duration = Duration::from_millis(250);

/// A done file that is there at first may be an earlier run's, which the next one removes.
const STALE: Duration = Duration::from_secs(5);

/// Looks once, or waits for so long.
pub async fn run(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    wait: Option<Duration>,
) -> ExitCode {
    let (files, done) = match signal_files(environment) {
        Ok(files) => files,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::Usage;
        }
    };
    let begin = Instant::now();
    let wait = wait.unwrap_or(Duration::ZERO);
    loop {
        if files.ready.exists() {
            return ExitCode::Complete;
        }
        let waited = begin.elapsed();
        if waited >= STALE && done.exists() {
            let told = std::fs::read_to_string(&done).unwrap_or_default();
            eprintln!("the run is over: {told}");
            return ExitCode::Finding;
        }
        if waited >= wait {
            eprintln!("profiling is not on: there is no {}", files.ready.display());
            return ExitCode::Finding;
        }
        tokio::time::sleep(POLL.min(wait - waited)).await;
    }
}
