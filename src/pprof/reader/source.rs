//! Where a profile is read from. It is read twice: what a small one unpacks to is kept meanwhile.

use std::io::{self, BufRead, BufReader, Read, Seek};

use super::messages::{Content, expect_length};
use crate::proto::{Unpacked, Value, field, invalid, skip};

/// The most that a packed profile may unpack to and be kept, in bytes. Most profiles of a component have a third of it.
const MOST_KEPT: u64 = 512 * 1024;

/// The size of the read buffer.
const BUFFER: usize = 16 * 1024;

/// The most that one message or string may have, in bytes. A stack as deep as the parsers of texts take one has a
/// third of it.
const MOST_OF_MESSAGE: u64 = 1 << 20;

/// A profile's bytes.
#[derive(Debug)]
pub(super) enum Source<R> {
    /// What it unpacked to.
    Kept(Vec<u8>),
    /// To be read, and unpacked if it is packed.
    Read(R),
}

impl<R: Read + Seek> Source<R> {
    /// # Errors
    /// The source cannot be read, or is empty.
    pub(super) fn new(mut source: R) -> io::Result<Self> {
        let mut kept = Vec::new();
        let is_whole = match unpacked(&mut source)? {
            Unpacked::Plain(_) => false,
            // One that is damaged is read as far as it goes.
            packed @ Unpacked::Gzip(_) => {
                let mut some = packed.take(MOST_KEPT + 1);
                some.read_to_end(&mut kept).is_ok() && kept.len() as u64 <= MOST_KEPT
            }
        };
        Ok(if is_whole {
            Self::Kept(kept)
        } else {
            Self::Read(source)
        })
    }

    /// Walks over the fields of a whole profile: its numbers, and the content of those fields that are wanted.
    ///
    /// # Errors
    /// The source cannot be read or is no profile, or the visit fails.
    pub(super) fn walk(
        &mut self,
        is_wanted: impl Fn(u64) -> bool,
        visit: impl FnMut(u64, Content<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::Kept(content) => walk(&mut content.as_slice(), is_wanted, visit),
            Self::Read(source) => walk(&mut unpacked(source)?, is_wanted, visit),
        }
    }
}

fn walk(
    input: &mut impl BufRead,
    is_wanted: impl Fn(u64) -> bool,
    mut visit: impl FnMut(u64, Content<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let mut message = Vec::new();
    while let Some((number, value)) = field(input)? {
        match value {
            Value::Varint(value) => visit(number, Content::Number(value))?,
            Value::Bytes(length) if is_wanted(number) => {
                read_message(input, length, &mut message)?;
                visit(number, Content::Bytes(&message))?;
            }
            Value::Bytes(length) => skip(input, length)?,
        }
    }
    Ok(())
}

fn unpacked<R: Read + Seek>(source: &mut R) -> io::Result<Unpacked<BufReader<&mut R>>> {
    source.rewind()?;
    Unpacked::new(BufReader::with_capacity(BUFFER, source))
}

/// Reads a message of this length into a buffer.
fn read_message(input: &mut impl Read, length: u64, message: &mut Vec<u8>) -> io::Result<()> {
    if length > MOST_OF_MESSAGE {
        let why = format!("a field of {length} bytes, and one of more than 1 MiB is not taken");
        return Err(invalid(&why));
    }
    message.clear();
    input.take(length).read_to_end(message)?;
    expect_length(message.len(), length)
}
