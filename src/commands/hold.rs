//! `hold`: keeps a pod with a volume alive, to be looked at.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::outcome::ExitCode;

/// Waits so long, or until it is told to stop: either is what was wanted.
pub(super) async fn run(wait: Duration, mut signals: mpsc::Receiver<ExitCode>) -> ExitCode {
    println!(
        "here for {}; a signal ends it sooner",
        humantime::format_duration(wait)
    );
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = signals.recv() => {}
    }
    ExitCode::Complete
}
