//! profile.proto, the format that `go tool pprof` reads.
//! <https://github.com/google/pprof/blob/main/proto/profile.proto>

use std::io::{self, BufRead, BufReader};

use flate2::bufread::GzDecoder;

use super::wire::{Value, field, skip};

/// Field numbers of the message Profile.
const TIME_NANOS: u64 = 9;
const DURATION_NANOS: u64 = 10;

/// When a profile was taken, by its own account. A profile that does not say has zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Its beginning, in nanoseconds since 1970 by the profiled machine's clock.
    pub time_nanos: i64,
    /// Its length in nanoseconds.
    pub duration_nanos: i64,
}

/// Reads a profile's times, gzip or plain, in memory that does not depend on its size.
///
/// # Errors
/// The input cannot be read, or is no whole profile.
pub fn times(input: impl BufRead) -> io::Result<Times> {
    let mut input = input;
    let start = input.fill_buf()?;
    if start.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty"));
    }
    if start.starts_with(&[0x1f]) {
        walk(&mut BufReader::new(GzDecoder::new(input)))
    } else {
        walk(&mut input)
    }
}

fn walk(input: &mut impl BufRead) -> io::Result<Times> {
    let mut times = Times::default();
    while let Some((number, value)) = field(input)? {
        match (number, value) {
            (TIME_NANOS, Value::Varint(nanos)) => times.time_nanos = nanos.cast_signed(),
            (DURATION_NANOS, Value::Varint(nanos)) => times.duration_nanos = nanos.cast_signed(),
            (_, Value::Varint(_)) => {}
            (_, Value::Bytes(bytes)) => skip(input, bytes)?,
        }
    }
    Ok(times)
}
