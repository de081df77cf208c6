//! The wire format of Protocol Buffers, as far as it takes to walk a message without keeping it,
//! and to write one of numbers, strings and messages.
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

/// The error of something that is not the format.
pub(super) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Appends a number as it stands in a packed field: no tag.
pub(super) fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a field that is a number. Zero is what a field that is not there means.
pub(super) fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    if number != 0 {
        put_varint(out, field << 3);
        put_varint(out, number);
    }
}

/// Appends a field that is a string, a message or packed numbers, even an empty one.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
