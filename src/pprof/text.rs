//! Reading a text: its lines, one at a time.

use std::io::{self, BufRead};

use memchr::memchr;

use super::parsed::ParseError;
use super::profile::Refusal;
use super::scanner::is_equal;

/// The longest line that a text may have, in bytes. Go's longest, a header's goroutine labels aside,
/// are the 256 pauses of `runtime.MemStats`: 5 KiB.
const LONGEST: usize = 64 * 1024;

/// How much of a line that is too long is passed over, in bytes. What has longer ones is no text.
const LONGEST_PASSED_OVER: usize = 1 << 20;

/// One line, without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Whether it lacks its end, and so is the text's last.
    pub(super) is_cut: bool,
    number: u64,
}

impl Line<'_> {
    /// Whether it may be the first line of a record, which begins with a number.
    pub(super) fn begins_record(&self) -> bool {
        matches!(self.text, [b'-' | b'0'..=b'9', ..])
    }

    /// The error that this line is not the format.
    pub(super) fn damage(&self, reason: impl Into<String>) -> ParseError {
        ParseError::Damage {
            line: self.number,
            reason: reason.into(),
        }
    }

    /// The error that a profile does not take this line's frame.
    pub(super) fn refused(&self, refusal: Refusal) -> ParseError {
        match refusal {
            Refusal::Names(why) => self.damage(why),
            Refusal::Room(why) => self.end_of_room(why),
        }
    }

    /// The error that there is no room for a text.
    pub(super) fn end_of_room(&self, why: &str) -> ParseError {
        ParseError::Whole {
            line: self.number,
            reason: why.to_owned(),
        }
    }
}

/// A reader of lines, in memory that does not depend on the text's size. Lines may end in CR LF.
///
/// A line that is all in the input's buffer is read where it lies there.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// How many bytes the last line takes of the input's buffer, with its end. Zero if it is in ours.
    in_input: usize,
    /// The last line, if it lay in two pieces of the input.
    buffer: Vec<u8>,
    /// The length of the last line, without its end.
    length: usize,
    /// A line that was kept.
    kept: Vec<u8>,
    number: u64,
    bytes: u64,
    is_cut: bool,
    /// Whether the end was seen.
    is_over: bool,
    /// Whether the last line comes again.
    again: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            in_input: 0,
            buffer: Vec::new(),
            length: 0,
            kept: Vec::new(),
            number: 0,
            bytes: 0,
            is_cut: false,
            is_over: false,
            again: false,
        }
    }

    /// The next line. The last one may lack its end, and [`Self::is_cut`] says so.
    ///
    /// # Errors
    /// The input cannot be read, or the line is not text; the next may be.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ParseError> {
        if std::mem::take(&mut self.again) || self.advance()? {
            return Ok(Some(self.line()?));
        }
        Ok(None)
    }

    /// Takes the next line if it is this one, which was read before, and lies whole in the input's buffer.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn take_if(&mut self, known: &[u8]) -> io::Result<bool> {
        let here = match self.input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => &[],
            here => here?,
        };
        let next = here.get(self.in_input..).unwrap_or_default();
        let is_known = !self.again
            && next
                .split_at_checked(known.len())
                .is_some_and(|(text, rest)| rest.first() == Some(&b'\n') && is_equal(text, known));
        if is_known {
            self.input.consume(self.in_input);
            self.in_input = known.len() + 1;
            self.length = known.len();
            self.number = self.number.saturating_add(1);
            self.bytes = self.bytes.saturating_add(self.in_input as u64);
            self.is_cut = false;
        }
        Ok(is_known)
    }

    /// Lets the last line come again.
    pub(super) fn again(&mut self) {
        self.again = true;
    }

    /// Keeps the last line until another is kept.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn keep(&mut self) -> io::Result<()> {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        kept.extend_from_slice(self.line()?.text);
        self.kept = kept;
        Ok(())
    }

    /// The line that was kept.
    pub(super) fn kept(&self) -> &[u8] {
        &self.kept
    }

    /// Passes over what is left of a record: to the empty line at its end, or to a line that begins
    /// another record or the statistics.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn pass_over_record(&mut self) -> Result<(), ParseError> {
        loop {
            let is_over = match self.next() {
                Err(ParseError::Damage { .. }) => false,
                Err(error) => return Err(error),
                Ok(None) => return Ok(()),
                Ok(Some(line)) if line.text.is_empty() => return Ok(()),
                Ok(Some(line)) => line.begins_record() || line.text.starts_with(b"# "),
            };
            if is_over {
                self.again();
                return Ok(());
            }
        }
    }

    /// Reads a line; whether there was one.
    fn advance(&mut self) -> Result<bool, ParseError> {
        self.number = self.number.saturating_add(1);
        let read = self.read_until_end(LONGEST)?;
        let is_whole = self.line()?.text.ends_with(b"\n");
        if !is_whole && read == LONGEST {
            return Err(self.pass_over_long()?);
        }
        if read == 0 {
            self.number -= u64::from(self.is_over);
            self.is_over = true;
            return Ok(false);
        }
        self.is_cut = !is_whole;
        if is_whole {
            self.length -= 1;
            let is_dos = self.line()?.text.ends_with(b"\r");
            self.length -= usize::from(is_dos);
        }
        let line = self.line()?;
        if memchr(0, line.text).is_some() {
            return Err(line.damage("it has a NUL"));
        }
        Ok(true)
    }

    /// Reads to the line's end, but at most so many bytes. The line has its end then.
    fn read_until_end(&mut self, most: usize) -> io::Result<usize> {
        self.input.consume(std::mem::take(&mut self.in_input));
        self.buffer.clear();
        loop {
            let here = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                here => here?,
            };
            let here = here.get(..most - self.buffer.len()).unwrap_or(here);
            let end = memchr(b'\n', here).map(|at| at + 1);
            if let Some(length) = end
                && self.buffer.is_empty()
            {
                self.in_input = length;
                self.length = length;
                break;
            }
            let length = end.unwrap_or(here.len());
            self.buffer.extend_from_slice(&here[..length]);
            self.input.consume(length);
            if end.is_some() || length == 0 {
                self.length = self.buffer.len();
                break;
            }
        }
        self.bytes = self.bytes.saturating_add(self.length as u64);
        Ok(self.length)
    }

    /// Passes over the rest of a line that is too long. Gives the error that it is.
    fn pass_over_long(&mut self) -> Result<ParseError, ParseError> {
        let reason = format!("it is longer than {LONGEST} bytes");
        for _ in 0..LONGEST_PASSED_OVER / LONGEST {
            let read = self.read_until_end(LONGEST)?;
            if read < LONGEST || self.line()?.text.ends_with(b"\n") {
                return Ok(self.damage_at_end(reason));
            }
        }
        Err(ParseError::Whole {
            line: self.number,
            reason,
        })
    }

    /// The last line. What was read of the input is still there.
    fn line(&mut self) -> io::Result<Line<'_>> {
        let place = self.place();
        let here = if self.in_input > 0 {
            self.input.fill_buf()?
        } else {
            &self.buffer
        };
        Ok(Line {
            text: here.get(..self.length).unwrap_or(here),
            ..place
        })
    }

    /// The last line's place.
    fn place(&self) -> Line<'static> {
        Line {
            text: b"",
            is_cut: self.is_cut,
            number: self.number,
        }
    }

    /// The error that the text ends where it must not, or lacks something.
    pub(super) fn damage_at_end(&self, reason: impl Into<String>) -> ParseError {
        self.place().damage(reason)
    }

    /// The error that there is no room for more of the text.
    pub(super) fn end_of_room(&self, why: &str) -> ParseError {
        self.place().end_of_room(why)
    }

    /// Whether the line that was read last lacks its end, and so is the text's last.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// How many bytes were read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}
