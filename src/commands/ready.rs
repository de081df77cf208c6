//! `ready`: whether profiling is on.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::SignalFiles;
use crate::outcome::ExitCode;

/// How often the files are looked for.
const POLL: Duration = Duration::from_millis(250);

/// A done file that is there at first may be an earlier run's, which the next one removes.
const STALE: Duration = Duration::from_secs(5);

/// Looks until profiling is on, for so long; once if that is no time.
pub(super) async fn run(files: &SignalFiles, done: &Path, wait: Duration) -> ExitCode {
    let begin = Instant::now();
    loop {
        if files.ready.exists() {
            return ExitCode::Complete;
        }
        let waited = begin.elapsed();
        if waited >= STALE && done.exists() {
            let told = std::fs::read_to_string(done).unwrap_or_default();
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
