//! The wire format of Protocol Buffers, as far as it takes to walk a message without keeping it.
//! <https://protobuf.dev/programming-guides/encoding/>

use std::io::{self, BufRead, Read};

/// What stands behind a field's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A number.
    Varint(u64),
    /// So many bytes, which come next.
    Bytes(u64),
}

/// Reads the next field's number and value; `None` at the message's end. Fixed-width values, which
/// no profile has, are passed over as bytes.
pub(super) fn field(input: &mut impl BufRead) -> io::Result<Option<(u64, Value)>> {
    if input.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let tag = varint(input)?;
    let value = match tag & 7 {
        0 => Value::Varint(varint(input)?),
        1 => Value::Bytes(8),
        2 => Value::Bytes(varint(input)?),
        5 => Value::Bytes(4),
        other => {
            return Err(invalid(&format!(
                "a field of the unknown wire type {other}"
            )));
        }
    };
    Ok(Some((tag >> 3, value)))
}

/// Passes over so many bytes.
pub(super) fn skip(input: &mut impl BufRead, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(bytes), &mut io::sink())?;
    if skipped == bytes {
        Ok(())
    } else {
        Err(invalid("it ends in the middle of a field"))
    }
}

fn varint(input: &mut impl BufRead) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        input.read_exact(&mut byte)?;
        number |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(number);
        }
    }
    Err(invalid("a number of more than 64 bits"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
