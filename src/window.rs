//! The end of the window, the time between start and stop: what ends it, and the wait for it.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::WindowConfig;
use crate::limits::STOP_FILE_POLL;
use crate::manifest::EndedBy;

/// How much of a stop file is read, in bytes. It is more than an exit code needs; the rest of a larger
/// file is of no interest.
const MOST_READ: u64 = 64;

/// The end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowEnd {
    /// Why it ended.
    pub by: EndedBy,
    /// The workload's exit code, if the stop file had one.
    pub workload_exit_code: Option<u8>,
}

/// A time at which a window ends, and why it does then.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    by: EndedBy,
}

impl Deadline {
    /// The earlier of the two; this one where they are equal.
    fn or_earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }
}

/// Waits for the window's end: its time, its stop file, as many virtual machine instances as it waits for, which is
/// when `enough` resolves, or the run's shutdown.
pub async fn wait_for_end(
    config: &WindowConfig,
    stop_file: &Path,
    enough: impl Future<Output = ()>,
    shutdown: impl Future<Output = EndedBy>,
) -> WindowEnd {
    tokio::pin!(shutdown, enough);
    let begin = Instant::now();
    let latest = Deadline {
        at: begin + config.max,
        by: EndedBy::MaxWindow,
    };
    let settled = Deadline {
        at: begin + config.settle,
        by: EndedBy::Settle,
    };
    let mut deadline = if config.settles_from_the_beginning() {
        settled.or_earlier(latest)
    } else {
        latest
    };
    let mut came_up = None;
    let mut file = StopFile::new(stop_file);
    let mut workload_exit_code = None;
    loop {
        if let Some(exit_code) = file.look() {
            workload_exit_code = exit_code;
            let settle = if config.settle_after_stop_file {
                config.settle
            } else {
                Duration::ZERO
            };
            let stopped = Deadline {
                at: Instant::now() + settle,
                by: EndedBy::StopFile,
            };
            deadline = stopped
                .or_earlier(came_up.unwrap_or(latest))
                .or_earlier(latest);
        }
        if Instant::now() >= deadline.at {
            return WindowEnd {
                by: deadline.by,
                workload_exit_code,
            };
        }
        tokio::select! {
            () = tokio::time::sleep_until(deadline.at.min(Instant::now() + STOP_FILE_POLL)) => {}
            () = &mut enough, if came_up.is_none() => {
                let settled = Deadline {
                    at: Instant::now() + config.settle,
                    by: EndedBy::VmisRunning,
                };
                came_up = Some(settled);
                deadline = deadline.or_earlier(settled);
            }
            by = &mut shutdown => {
                // A workload that has just ended is often what ends the run.
                let last = file.look().flatten();
                return WindowEnd { by, workload_exit_code: workload_exit_code.or(last) };
            }
        }
    }
}

/// The stop file, which is looked for until it is found.
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
        let content = match beginning(self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the stop file cannot be read");
                String::new()
            }
            Ok(content) if content.is_empty() && !self.seen_empty => {
                self.seen_empty = true;
                return None;
            }
            Ok(content) => content,
        };
        self.found = true;
        Some(exit_code(&content))
    }
}

/// The first bytes of a file. Opening what is no file, such as a FIFO, could block for ever.
fn beginning(path: &Path) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut content = String::new();
    fs::File::open(path)?
        .take(MOST_READ)
        .read_to_string(&mut content)?;
    Ok(content)
}

fn exit_code(content: &str) -> Option<u8> {
    let number = content.trim();
    if number.is_empty() {
        return None;
    }
    let code = number.parse().ok();
    if code.is_none() {
        tracing::warn!(
            content = number,
            "the stop file holds no exit code (0 to 255)"
        );
    }
    code
}
