//! What a person or another step does beside a run.

mod accept;
mod convert;
mod diff;
mod get;
mod kept_profiles;
mod kept_runs;
mod opened_run;
mod report;
mod signal_files;
mod undo;

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::errors::joined;
use crate::outcome::ExitCode;
use crate::run::status::log::{complain, say};
pub use accept::{Accepting, accept};
pub use convert::Bounds;
use convert::Meter;
pub use diff::{ComparedRuns, Comparing, diff};
pub use get::{Fetch, get};
pub use kept_profiles::{export, push, top};
pub use kept_runs::ls;
pub use report::{Against, Reporting, report};
pub use signal_files::{ready, stop};
pub use undo::{undo, undo_until_told};

/// `convert`: gives names to profiles that others left, until a signal comes.
pub fn convert(
    source: &Path,
    dest: &Path,
    keep_originals: bool,
    bounds: Bounds,
    signals: mpsc::Receiver<ExitCode>,
) -> ExitCode {
    convert::run(source, dest, keep_originals, Meter::new(bounds, signals))
}

/// Lets a command that changes nothing work until it ends or a signal comes. PID 1 of a container gets no
/// signal that it does not ask for, and a command that waits for a slow reader hears none by itself.
pub async fn unless_told(
    command: impl Future<Output = ExitCode> + Send + 'static,
    mut signals: mpsc::Receiver<ExitCode>,
) -> ExitCode {
    let command = tokio::spawn(command);
    tokio::select! {
        ended = command => joined(ended),
        Some(code) = signals.recv() => {
            complain("told to stop before it was done");
            code
        }
    }
}

/// `hold`: keeps a pod with a volume alive, to be looked at. Waits so long, or until a signal comes: either
/// is what was wanted.
pub async fn hold(wait: Duration, mut signals: mpsc::Receiver<ExitCode>) -> ExitCode {
    let shown = humantime::format_duration(wait);
    say(format_args!("here for {shown}; a signal ends it sooner"));
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        _ = signals.recv() => {}
    }
    ExitCode::Complete
}
