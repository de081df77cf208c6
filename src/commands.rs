//! What a person or another step does beside a run.

mod convert;
mod kept_runs;
mod signal_files;
mod undo;

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::outcome::ExitCode;
pub use convert::Bounds;
pub use kept_runs::{get, ls};
pub use signal_files::{ready, stop};
pub use undo::undo;

/// `convert`: gives names to profiles that others left.
pub fn convert(source: &Path, dest: &Path, keep_originals: bool, bounds: Bounds) -> ExitCode {
    convert::run(source, dest, keep_originals, bounds)
}

/// `hold`: keeps a pod with a volume alive, to be looked at. Waits so long, or until a signal comes: either
/// is what was wanted.
pub async fn hold(wait: Duration, mut signals: mpsc::Receiver<ExitCode>) -> ExitCode {
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
