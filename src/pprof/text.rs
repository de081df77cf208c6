//! Reading a text: its lines, one at a time, and the words and numbers of a line.

use std::io::{BufRead, Read};

use memchr::memchr;

use super::parsed::ParseError;
use super::profile::Refusal;

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
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
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
            buffer: Vec::new(),
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
        if std::mem::take(&mut self.again) {
            return Ok(Some(self.line()));
        }
        Ok(self.advance()?.then(|| self.line()))
    }

    /// Lets the last line come again.
    pub(super) fn again(&mut self) {
        self.again = true;
    }

    /// Keeps the last line until another is kept.
    pub(super) fn keep(&mut self) {
        std::mem::swap(&mut self.buffer, &mut self.kept);
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
        self.buffer.clear();
        self.number = self.number.saturating_add(1);
        let read = self.read_until_end(LONGEST)?;
        let is_whole = self.buffer.pop_if(|last| *last == b'\n').is_some();
        if !is_whole && read == LONGEST {
            return Err(self.pass_over_long()?);
        }
        if read == 0 {
            self.number -= u64::from(self.is_over);
            self.is_over = true;
            return Ok(false);
        }
        if is_whole {
            self.buffer.pop_if(|last| *last == b'\r');
        }
        self.is_cut = !is_whole;
        let line = self.line();
        if memchr(0, line.text).is_some() {
            return Err(line.damage("it has a NUL"));
        }
        Ok(true)
    }

    /// Reads to the line's end, but at most so many bytes.
    fn read_until_end(&mut self, most: usize) -> Result<usize, ParseError> {
        let read = (&mut self.input)
            .take(most as u64)
            .read_until(b'\n', &mut self.buffer)?;
        self.bytes = self.bytes.saturating_add(read as u64);
        Ok(read)
    }

    /// Passes over the rest of a line that is too long. Gives the error that it is.
    fn pass_over_long(&mut self) -> Result<ParseError, ParseError> {
        let reason = format!("it is longer than {LONGEST} bytes");
        for _ in 0..LONGEST_PASSED_OVER / LONGEST {
            self.buffer.clear();
            let read = self.read_until_end(LONGEST)?;
            if read < LONGEST || self.buffer.ends_with(b"\n") {
                return Ok(self.line().damage(reason));
            }
        }
        Err(ParseError::Whole {
            line: self.number,
            reason,
        })
    }

    fn line(&self) -> Line<'_> {
        Line {
            text: &self.buffer,
            is_cut: self.is_cut,
            number: self.number,
        }
    }

    /// The error that the text ends where it must not, or lacks something.
    pub(super) fn damage_at_end(&self, reason: impl Into<String>) -> ParseError {
        self.line().damage(reason)
    }

    /// The error that there is no room for more of the text.
    pub(super) fn end_of_room(&self, why: &str) -> ParseError {
        self.line().end_of_room(why)
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

/// A line that is taken apart from its left. It holds what is left of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner<'a>(pub(super) &'a [u8]);

impl Scanner<'_> {
    /// Takes exactly this text.
    pub(super) fn literal(&mut self, text: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Takes a decimal number of at most 64 bits.
    pub(super) fn number(&mut self) -> Option<i64> {
        let sign = usize::from(self.0.first() == Some(&b'-'));
        let digits = self.0.iter().skip(sign).take_while(|b| b.is_ascii_digit());
        let (number, rest) = self.0.split_at_checked(sign + digits.count())?;
        self.0 = rest;
        decimal(number)
    }

    /// Takes the PCs of a record, to the line's end: `@ 0x401000 0x402000`. Gives their number.
    pub(super) fn addresses(&mut self) -> Option<usize> {
        self.literal(b"@")?;
        let known = |b: &u8| matches!(b, b' ' | b'x' | b'0'..=b'9' | b'a'..=b'f');
        // Without an early end this is done many bytes at once.
        let all = self.0.iter().fold(true, |all, byte| all & known(byte));
        if !all || matches!(self.0, [_, .., b' ' | b'x']) {
            return None;
        }
        let count = self.0.iter().filter(|b| **b == b' ').count();
        self.0 = &[];
        Some(count)
    }

    /// Demands that nothing is left.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A decimal number that is all of a text.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    if text.starts_with(b"+") {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

/// A hexadecimal number, without its `0x`, that is all of a text.
pub(super) fn hexadecimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0, |number: u64, byte| {
        let digit = char::from(*byte).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

/// The two parts of `FILE:LINE`.
pub(super) fn file_and_line(text: &[u8]) -> Option<(&[u8], i64)> {
    let colon = text.iter().rposition(|b| *b == b':')?;
    let (file, line) = text.split_at_checked(colon)?;
    Some((file, decimal(line.get(1..)?)?))
}
