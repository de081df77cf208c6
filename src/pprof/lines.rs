//! A text, a line at a time, in memory that does not depend on it.

use std::io::{BufRead, Read};

use memchr::memchr;

use super::problem::Stop;

/// The longest line that a text may have. Go's longest, a header's goroutine labels aside, are the
/// 256 pauses of `runtime.MemStats`: 5 KiB.
const LONGEST: usize = 64 * 1024;

/// One line, without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    number: u64,
}

impl Line<'_> {
    /// This line is not the format.
    pub(super) fn damage(&self, reason: impl Into<String>) -> Stop {
        Stop::Damage {
            line: self.number,
            reason: reason.into(),
        }
    }
}

/// Reads lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
    cut: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            number: 0,
            bytes: 0,
            cut: false,
        }
    }

    /// The next line. A last one without its end is not whole: it is left out, and
    /// [`Self::cut`] says so.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, Stop> {
        Ok(self.advance()?.then(|| self.line()))
    }

    /// The next line of a text whose end is that of a line.
    pub(super) fn whole(&mut self) -> Result<Option<Line<'_>>, Stop> {
        let some = self.advance()?;
        if self.cut {
            return Err(self.end("it ends in the middle of a line"));
        }
        Ok(some.then(|| self.line()))
    }

    /// Reads a line, and says whether there was a whole one.
    fn advance(&mut self) -> Result<bool, Stop> {
        self.buffer.clear();
        self.number = self.number.saturating_add(1);
        let read = (&mut self.input)
            .take(LONGEST as u64)
            .read_until(b'\n', &mut self.buffer)?;
        self.bytes = self.bytes.saturating_add(read as u64);
        let whole = self.buffer.pop_if(|last| *last == b'\n').is_some();
        let line = self.line();
        if !whole && read == LONGEST {
            return Err(line.damage(format!("it is longer than {LONGEST} bytes")));
        }
        if whole && line.text.ends_with(b"\r") {
            return Err(line.damage("it ends in CR LF"));
        }
        if memchr(0, line.text).is_some() {
            return Err(line.damage("it has a NUL"));
        }
        self.cut = !whole && read > 0;
        Ok(whole)
    }

    fn line(&self) -> Line<'_> {
        Line {
            text: &self.buffer,
            number: self.number,
        }
    }

    /// The text ends where it must not.
    pub(super) fn end(&self, reason: impl Into<String>) -> Stop {
        Stop::Damage {
            line: self.number,
            reason: reason.into(),
        }
    }

    /// Whether the text ended within a line.
    pub(super) fn cut(&self) -> bool {
        self.cut
    }

    /// The bytes that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
