//! The bounds of a conversion, and the readers that keep to them. A source is anybody's, and a small archive can
//! unpack to anything.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Display};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use indicatif::HumanBytes;
use tar::EntryType;
use tokio::sync::mpsc;

use crate::errors::lock;
use crate::outcome::ExitCode;

/// The size of one of the blocks of zeros that an archive ends in, of which one is read, in bytes.
/// POSIX.1-1988, ustar
pub(super) const BLOCK: usize = 512;

/// The most bytes of an archive before an entry, which say its name: all of them are in memory at once.
const LONGEST_HEADERS: u64 = 1 << 20;

/// What a conversion takes of a source, and no more.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes, as they are unpacked.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

/// What ends a conversion before its source does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    /// Of bytes.
    Bytes(u64),
    /// Of entries.
    Entries(u64),
    /// Of what says an entry's name.
    Headers,
    /// None, but a signal came, which is this exit code.
    Told(ExitCode),
}

impl Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(_) => f.write_str("told to stop"),
            Self::Bytes(bytes) => write!(
                f,
                "it has more than {} to unpack; if that is right, give more with --max-bytes",
                HumanBytes(*bytes)
            ),
            Self::Entries(entries) => write!(
                f,
                "it has more than {entries} files and directories; if that is right, give more with \
                 --max-entries"
            ),
            Self::Headers => write!(
                f,
                "the headers of what comes next are more than {}, which no name takes: it is hostile or damaged",
                HumanBytes(LONGEST_HEADERS)
            ),
        }
    }
}

/// The request to stop, which every thread of a conversion hears.
#[derive(Debug)]
pub(super) struct StopRequest {
    signals: Mutex<mpsc::Receiver<ExitCode>>,
    code: OnceLock<ExitCode>,
}

impl StopRequest {
    fn new(signals: mpsc::Receiver<ExitCode>) -> Self {
        Self {
            signals: Mutex::new(signals),
            code: OnceLock::new(),
        }
    }

    /// The exit code that was asked for, once a signal has come.
    pub(super) fn code(&self) -> Option<ExitCode> {
        if let Ok(code) = lock(&self.signals).try_recv() {
            let _ = self.code.set(code);
        }
        self.code.get().copied()
    }
}

/// A reader out of which nothing more comes once the conversion is told to stop.
pub(super) struct UntilTold<'a, R> {
    pub(super) input: R,
    pub(super) stop: &'a StopRequest,
}

impl<R: Read> Read for UntilTold<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stop.code() {
            None => self.input.read(buffer),
            Some(code) => Err(io::Error::other(Bound::Told(code).to_string())),
        }
    }
}

/// What was taken of a source so far.
#[derive(Debug)]
pub(in crate::commands) struct Meter {
    bounds: Bounds,
    stop: StopRequest,
    bytes: Cell<u64>,
    entries: Cell<u64>,
    /// How far the headers of an archive's next entry may reach, in bytes from its beginning.
    headers_end: Cell<u64>,
    met: Cell<Option<Bound>>,
    /// The entry that was begun last.
    last: RefCell<PathBuf>,
}

impl Meter {
    pub(in crate::commands) fn new(bounds: Bounds, signals: mpsc::Receiver<ExitCode>) -> Self {
        Self {
            bounds,
            stop: StopRequest::new(signals),
            bytes: Cell::new(0),
            entries: Cell::new(0),
            headers_end: Cell::new(u64::MAX),
            met: Cell::new(None),
            last: RefCell::default(),
        }
    }

    /// The request to stop.
    pub(super) fn stop(&self) -> &StopRequest {
        &self.stop
    }

    /// Counts an entry. Whether there may be so many.
    pub(super) fn counts_entry(&self) -> bool {
        let entries = self.entries.get().saturating_add(1);
        self.entries.set(entries);
        if entries > self.bounds.entries {
            self.met.set(Some(Bound::Entries(self.bounds.entries)));
        }
        self.met.get().is_none()
    }

    /// Remembers the entry that begins.
    pub(super) fn begin(&self, name: &Path) {
        self.headers_end.set(u64::MAX);
        name.clone_into(&mut self.last.borrow_mut());
    }

    /// Lets headers come, after an archive's entry that ends at this byte.
    pub(super) fn expect_headers(&self, end: u64) {
        self.headers_end.set(end.saturating_add(LONGEST_HEADERS));
    }

    /// The bound that was met, and the entry that was begun last.
    pub(super) fn met(&self) -> Option<(Bound, PathBuf)> {
        let bound = self.met.get()?;
        let last = self.last.borrow();
        let is_begun = !last.as_os_str().is_empty();
        let at = if is_begun {
            last.as_path()
        } else {
            Path::new("its beginning")
        };
        Some((bound, at.to_owned()))
    }

    fn count(&self, length: usize) -> io::Result<()> {
        let bytes = self.bytes.get().saturating_add(length as u64);
        self.bytes.set(bytes);
        if self.met.get().is_none() {
            if let Some(code) = self.stop.code() {
                self.met.set(Some(Bound::Told(code)));
            } else if bytes > self.bounds.bytes {
                self.met.set(Some(Bound::Bytes(self.bounds.bytes)));
            } else if bytes > self.headers_end.get() {
                self.met.set(Some(Bound::Headers));
            }
        }
        match self.met.get() {
            None => Ok(()),
            Some(bound) => Err(io::Error::other(bound.to_string())),
        }
    }
}

/// A reader that is metered. Once a bound is met, nothing more comes.
pub(super) struct Metered<'a, R> {
    pub(super) input: R,
    pub(super) meter: &'a Meter,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.meter.count(0)?;
        let length = self.input.read(buffer)?;
        self.meter.count(length)?;
        Ok(length)
    }
}

/// Where an entry's content ends in its archive. A sparse one has less in the archive than it is long.
pub(super) fn end_of<R: Read>(entry: &tar::Entry<'_, R>) -> u64 {
    let bytes = if entry.header().entry_type() == EntryType::GNUSparse {
        entry.header().entry_size().unwrap_or_default()
    } else {
        entry.size()
    };
    let padded = bytes.checked_next_multiple_of(BLOCK as u64);
    entry
        .raw_file_position()
        .saturating_add(padded.unwrap_or(u64::MAX))
}

/// A reader that counts the zeros at the end of what was read.
pub(super) struct Zeros<R> {
    pub(super) input: R,
    pub(super) trailing: usize,
}

impl<R: Read> Read for Zeros<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        let read = &buffer[..length];
        let zeros = read.iter().rev().take_while(|byte| **byte == 0).count();
        self.trailing = if zeros == length {
            self.trailing + zeros
        } else {
            zeros
        };
        Ok(length)
    }
}
