//! Taking a line apart: its words and its numbers; and telling whether it is another one.

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

/// Whether two texts are the same, 16 bytes at a time. Slices of arrays are compared by libc, and musl's does it byte by
/// byte.
pub(super) fn is_equal(one: &[u8], other: &[u8]) -> bool {
    let (pieces, rest) = one.as_chunks::<16>();
    let (other_pieces, other_rest) = other.as_chunks::<16>();
    let same = |(one, other): (&[u8; 16], &[u8; 16])| {
        u128::from_ne_bytes(*one) == u128::from_ne_bytes(*other)
    };
    one.len() == other.len()
        && pieces.iter().zip(other_pieces).all(same)
        && match (one.last_chunk(), other.last_chunk()) {
            (Some(last), Some(other_last)) => same((last, other_last)),
            (None, _) | (_, None) => rest.iter().eq(other_rest),
        }
}
