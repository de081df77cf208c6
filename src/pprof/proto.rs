//! profile.proto, the format that `go tool pprof` reads.
//! <https://github.com/google/pprof/blob/main/proto/profile.proto>

use std::io::{self, BufRead, BufReader};

use flate2::bufread::MultiGzDecoder;

use super::wire::{Value, field, invalid, skip};

/// Field numbers of the message Profile.
const SAMPLE_TYPE: u64 = 1;
const SAMPLE: u64 = 2;
const STRING_TABLE: u64 = 6;
const TIME_NANOS: u64 = 9;
const DURATION_NANOS: u64 = 10;

/// The first byte of a gzip file. RFC 1952
pub(super) const GZIP: u8 = 0x1f;

/// What a profile says of itself. One that does not say when it was taken has zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its beginning, in nanoseconds since 1970 by the profiled machine's clock.
    pub time_nanos: i64,
    /// Its length in nanoseconds.
    pub duration_nanos: i64,
    /// How many samples it has.
    pub samples: u64,
}

/// Reads a whole profile, gzip or plain, in memory that does not depend on its size.
///
/// # Errors
/// The input cannot be read, or is no whole profile.
pub fn summary(input: impl BufRead) -> io::Result<Summary> {
    let mut input = input;
    let start = input.fill_buf()?;
    if start.is_empty() {
        return Err(invalid("it is empty"));
    }
    if start.first() == Some(&GZIP) {
        walk(&mut BufReader::new(MultiGzDecoder::new(input)))
    } else {
        walk(&mut input)
    }
}

fn walk(input: &mut impl BufRead) -> io::Result<Summary> {
    let mut summary = Summary::default();
    let (mut types, mut strings) = (0_u64, 0_u64);
    while let Some((number, value)) = field(input)? {
        match (number, value) {
            (TIME_NANOS, Value::Varint(nanos)) => summary.time_nanos = nanos.cast_signed(),
            (DURATION_NANOS, Value::Varint(nanos)) => summary.duration_nanos = nanos.cast_signed(),
            (_, Value::Varint(_)) => {}
            (number, Value::Bytes(bytes)) => {
                types += u64::from(number == SAMPLE_TYPE);
                summary.samples += u64::from(number == SAMPLE);
                if number == STRING_TABLE && strings == 0 && bytes != 0 {
                    return Err(invalid("its first string is not the empty one"));
                }
                strings += u64::from(number == STRING_TABLE);
                skip(input, bytes)?;
            }
        }
    }
    if types == 0 || strings == 0 {
        return Err(invalid("it has no type of sample, or no strings"));
    }
    Ok(summary)
}
