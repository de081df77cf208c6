//! Reading a text: its lines, one at a time, and the words and numbers of a line.

use std::io::{BufRead, Read};

use memchr::memchr;

use super::parsed::ParseError;

/// The longest line that a text may have, in bytes. Go's longest, a header's goroutine labels aside,
/// are the 256 pauses of `runtime.MemStats`: 5 KiB.
const LONGEST: usize = 64 * 1024;

/// One line, without its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    number: u64,
}

impl Line<'_> {
    /// The error that this line is not the format.
    pub(super) fn damage(&self, reason: impl Into<String>) -> ParseError {
        ParseError::Damage {
            line: self.number,
            reason: reason.into(),
        }
    }
}

/// A reader of lines, in memory that does not depend on the text's size.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
    is_cut: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            number: 0,
            bytes: 0,
            is_cut: false,
        }
    }

    /// The next line. A text that ends within a line is damaged.
    ///
    /// # Errors
    /// The input cannot be read, or the line is not whole or not text.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ParseError> {
        let is_line = self.advance()?;
        if self.is_cut {
            return Err(self.damage_at_end("it ends in the middle of a line"));
        }
        Ok(is_line.then(|| self.line()))
    }

    /// The next line of a text that Go may have cut. A last line that is not whole is left out, and
    /// [`Self::is_cut`] says so.
    ///
    /// # Errors
    /// The input cannot be read, or the line is not text.
    pub(super) fn next_before_cut(&mut self) -> Result<Option<Line<'_>>, ParseError> {
        Ok(self.advance()?.then(|| self.line()))
    }

    /// Reads a line; whether there was a whole one.
    fn advance(&mut self) -> Result<bool, ParseError> {
        self.buffer.clear();
        self.number = self.number.saturating_add(1);
        let read = (&mut self.input)
            .take(LONGEST as u64)
            .read_until(b'\n', &mut self.buffer)?;
        self.bytes = self.bytes.saturating_add(read as u64);
        let is_whole = self.buffer.pop_if(|last| *last == b'\n').is_some();
        let line = self.line();
        if !is_whole && read == LONGEST {
            return Err(line.damage(format!("it is longer than {LONGEST} bytes")));
        }
        if is_whole && line.text.ends_with(b"\r") {
            return Err(line.damage("it ends in CR LF"));
        }
        if memchr(0, line.text).is_some() {
            return Err(line.damage("it has a NUL"));
        }
        self.is_cut = !is_whole && read > 0;
        Ok(is_whole)
    }

    fn line(&self) -> Line<'_> {
        Line {
            text: &self.buffer,
            number: self.number,
        }
    }

    /// The error that the text ends where it must not, or lacks something.
    pub(super) fn damage_at_end(&self, reason: impl Into<String>) -> ParseError {
        self.line().damage(reason)
    }

    /// Whether the text ended within a line.
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
