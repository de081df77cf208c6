//! profile.proto, the format that `go tool pprof` reads: its field numbers, its summary, and the wire
//! format of Protocol Buffers, as far as it takes to walk a message without keeping it, to unpack it, and to
//! write one of numbers, strings and messages.
//! <https://github.com/google/pprof/blob/main/proto/profile.proto>,
//! <https://protobuf.dev/programming-guides/encoding/>

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// Field numbers of the message Profile.
pub(super) const SAMPLE_TYPE: u64 = 1;
pub(super) const SAMPLE: u64 = 2;
pub(super) const MAPPING: u64 = 3;
pub(super) const LOCATION: u64 = 4;
pub(super) const FUNCTION: u64 = 5;
pub(super) const STRING_TABLE: u64 = 6;
pub(super) const TIME_NANOS: u64 = 9;
pub(super) const DURATION_NANOS: u64 = 10;
pub(super) const PERIOD_TYPE: u64 = 11;
pub(super) const PERIOD: u64 = 12;
pub(super) const COMMENT: u64 = 13;
pub(super) const DEFAULT_SAMPLE_TYPE: u64 = 14;

/// The first byte of a gzip file. RFC 1952
pub const GZIP: u8 = 0x1f;

/// The most that a packed profile unpacks to, in bytes: a small file can unpack to anything, and the largest
/// profiles have a few MB.
const MOST_UNPACKED: u64 = 256 << 20;

/// The reason why a profile that ends too early is none.
pub(super) const ENDS_IN_FIELD: &str = "it ends in the middle of a field";

/// The time, the length and the size of a profile. One that does not say when it was taken has zeros.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Its beginning, in nanoseconds since 1970 by the profiled machine's clock.
    pub time_nanos: i64,
    /// Its length in nanoseconds.
    pub duration_nanos: i64,
    /// How many samples it has.
    pub samples: u64,
}

/// Reads a whole profile, gzip or plain, in memory that does not depend on its size, and sums it up.
///
/// # Errors
/// The input cannot be read, or is no whole profile.
pub fn summary(input: impl BufRead) -> io::Result<Summary> {
    walk(&mut Unpacked::new(input)?)
}

/// The content of a profile that may be packed with gzip.
#[derive(Debug)]
pub(super) enum Unpacked<R> {
    Plain(R),
    Gzip(Box<BufReader<io::Take<MultiGzDecoder<R>>>>),
}

impl<R: BufRead> Unpacked<R> {
    /// # Errors
    /// The input cannot be read, or is empty.
    pub(super) fn new(mut input: R) -> io::Result<Self> {
        match input.fill_buf()?.first() {
            None => Err(invalid("it is empty")),
            Some(&GZIP) => {
                let unpacked = MultiGzDecoder::new(input).take(MOST_UNPACKED);
                Ok(Self::Gzip(Box::new(BufReader::new(unpacked))))
            }
            Some(_) => Ok(Self::Plain(input)),
        }
    }
}

impl<R: BufRead> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Unpacked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::Plain(input) => input.fill_buf(),
            Self::Gzip(input) if input.buffer().is_empty() && input.get_ref().limit() == 0 => {
                Err(invalid("it is more than 256 MiB when it is unpacked"))
            }
            Self::Gzip(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, bytes: usize) {
        match self {
            Self::Plain(input) => input.consume(bytes),
            Self::Gzip(input) => input.consume(bytes),
        }
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

/// The value of a field, as far as it is read with the field's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A number.
    Varint(u64),
    /// A string, a message or packed numbers of so many bytes, which come next.
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

/// Passes over this number of bytes.
pub(super) fn skip(input: &mut impl BufRead, bytes: u64) -> io::Result<()> {
    let skipped = io::copy(&mut input.take(bytes), &mut io::sink())?;
    if skipped == bytes {
        Ok(())
    } else {
        Err(invalid(ENDS_IN_FIELD))
    }
}

/// Reads a number.
pub(super) fn varint(input: &mut impl BufRead) -> io::Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *input
            .fill_buf()?
            .first()
            .ok_or_else(|| invalid(ENDS_IN_FIELD))?;
        input.consume(1);
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(invalid("a number of more than 64 bits"))
}

/// The error that the input is not the format.
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

/// A message Sample. The next one is made in the same memory.
#[derive(Debug, Default)]
pub(super) struct SampleMessage {
    message: Vec<u8>,
    packed: Vec<u8>,
}

impl SampleMessage {
    /// Begins a message, with its locations' ids from the innermost, and its values.
    pub(super) fn begin(&mut self, locations: impl Iterator<Item = u64>, values: &[i64]) {
        self.message.clear();
        self.packed.clear();
        locations.for_each(|id| put_varint(&mut self.packed, id));
        put_bytes(&mut self.message, 1, &self.packed);
        self.packed.clear();
        for value in values {
            put_varint(&mut self.packed, value.cast_unsigned());
        }
        put_bytes(&mut self.message, 2, &self.packed);
    }

    /// Adds a label, which is a message.
    pub(super) fn label(&mut self, label: &[u8]) {
        put_bytes(&mut self.message, 3, label);
    }

    /// The message.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.message
    }
}

/// Appends a field that is a string, a message or packed numbers, even an empty one.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
