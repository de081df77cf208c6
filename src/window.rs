//! The window: the time between start and stop, and what ends it.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::WindowConfig;
use crate::manifest::EndedBy;

/// How often the stop file is looked for.
const POLL: Duration = Duration::from_millis(250);

/// More than an exit code needs; the rest of a larger file is of no interest.
const READ: u64 = 64;

/// How a window ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Why.
    pub by: EndedBy,
    /// The workload's exit code, if the stop file had one.
    pub workload_exit_code: Option<u8>,
}

/// Waits for the window's end: its time, its stop file, or being told.
pub async fn wait(
    config: &WindowConfig,
    stop_file: &Path,
    told: impl Future<Output = EndedBy>,
) -> Ended {
    tokio::pin!(told);
    let begin = Instant::now();
    let latest = (begin + config.max, EndedBy::MaxWindow);
    let mut end = latest;
    if !config.settle_after_stop_file && config.settle <= config.max {
        end = (begin + config.settle, EndedBy::Settle);
    }
    let mut file = StopFile::new(stop_file);
    let mut workload_exit_code = None;
    loop {
        if let Some(code) = file.look() {
            workload_exit_code = code;
            let settle = if config.settle_after_stop_file {
                config.settle
            } else {
                Duration::ZERO
            };
            let settled = (Instant::now() + settle, EndedBy::StopFile);
            end = if settled.0 <= latest.0 {
                settled
            } else {
                latest
            };
        }
        let (at, by) = end;
        if Instant::now() >= at {
            return Ended {
                by,
                workload_exit_code,
            };
        }
        tokio::select! {
            () = tokio::time::sleep_until(at.min(Instant::now() + POLL)) => {}
            by = &mut told => {
                // A workload that has just ended is often what ends the run.
                let last = file.look().flatten();
                return Ended { by, workload_exit_code: workload_exit_code.or(last) };
            }
        }
    }
}

/// Looks for the stop file until it is found.
struct StopFile<'a> {
    path: &'a Path,
    found: bool,
    seen_empty: bool,
}

impl<'a> StopFile<'a> {
    fn new(path: &'a Path) -> Self {
        Self {
            path,
            found: false,
            seen_empty: false,
        }
    }

    /// The exit code in the file, if any, on the one look that finds it. An empty file is looked
    /// at once more: a shell creates it before it writes into it.
    fn look(&mut self) -> Option<Option<u8>> {
        if self.found {
            return None;
        }
        let mut content = String::new();
        // Opening what is no file, such as a FIFO, could block for ever.
        let read = fs::metadata(self.path).and_then(|there| {
            if there.is_file() {
                let file = fs::File::open(self.path)?;
                file.take(READ).read_to_string(&mut content)
            } else {
                Err(ErrorKind::InvalidInput.into())
            }
        });
        match read {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the stop file cannot be read");
            }
            Ok(0) if !self.seen_empty => {
                self.seen_empty = true;
                return None;
            }
            Ok(_) => {}
        }
        self.found = true;
        Some(exit_code(&content))
    }
}

fn exit_code(content: &str) -> Option<u8> {
    let content = content.trim();
    if content.is_empty() {
        return None;
    }
    let code = content.parse().ok();
    if code.is_none() {
        tracing::warn!(content, "the stop file holds no exit code (0 to 255)");
    }
    code
}
