//! A profile in a page: a JSON string of base64, decoded out of the pieces of the body as they came.

use std::cell::RefCell;
use std::io::{self, BufRead, Read};
use std::ops::Range;

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, DecodeSliceError, Engine};
use base64_simd::AsOut;
use memchr::memchr;

use super::bounded_names::BoundedNames;

/// Four characters are three bytes.
const GROUP: usize = 4;
const BYTES: usize = 3;

/// The bytes of one string. What has a backslash, and the string's end, are the JSON reader's.
#[derive(Debug)]
pub(super) struct Base64Value<'a, R, S> {
    body: &'a RefCell<BoundedNames<R>>,
    /// The JSON reader's own view of the string, which has what is not taken out of the body.
    json: S,
    /// Whether no backslash was seen yet, nor the end.
    is_plain: bool,
    /// A group that is not whole yet, because it lies in two pieces, and its length.
    group: [u8; GROUP],
    grouped: usize,
    /// What such a group was decoded to, and what is left of it.
    bytes: [u8; BYTES],
    left: Range<usize>,
    decoder: Decoder,
}

/// What is to be known of the base64 text before.
#[derive(Debug, Default)]
struct Decoder {
    /// How many characters there were.
    characters: usize,
    /// Where the padding began that ends the text.
    padding: Option<usize>,
}

impl<'a, R: BufRead, S: Read> Base64Value<'a, R, S> {
    /// The string at which a JSON reader is. `json` is its reader of it, of which nothing was read.
    pub(super) fn new(body: &'a RefCell<BoundedNames<R>>, json: S) -> Self {
        Self {
            body,
            json,
            is_plain: true,
            group: [0; GROUP],
            grouped: 0,
            bytes: [0; BYTES],
            left: 0..0,
            decoder: Decoder::default(),
        }
    }

    /// Decodes the groups that lie whole in a piece of the body.
    fn read_whole_groups(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len() / BYTES * GROUP;
        let mut body = self.body.borrow_mut();
        // What can be decoded has neither a quote nor a backslash, so none is looked for.
        let text = body.value_and_rest(most)?;
        let whole = text.len() / GROUP * GROUP;
        if let Some(decoded) = self.decoder.decode_valid(&text[..whole], buffer) {
            body.consume_value(whole);
            return Ok(decoded);
        }
        let text = body.value(most)?;
        let whole = text.len() / GROUP * GROUP;
        let Some(text) = text.get(..whole).filter(|text| !text.is_empty()) else {
            return Ok(0);
        };
        let decoded = self.decoder.decode(text, buffer)?;
        body.consume_value(whole);
        Ok(decoded)
    }

    /// Reads one group, wherever its characters lie, and decodes it. The last one may not be whole.
    fn read_group(&mut self) -> io::Result<()> {
        while self.grouped < GROUP {
            let read = self.read_text()?;
            if read == 0 {
                break;
            }
            self.grouped += read;
        }
        let text = &self.group[..self.grouped];
        if !text.is_empty() {
            self.left = 0..self.decoder.decode(text, &mut self.bytes)?;
            self.grouped = 0;
        }
        Ok(())
    }

    /// Reads text into a group.
    fn read_text(&mut self) -> io::Result<usize> {
        let room = &mut self.group[self.grouped..];
        if self.is_plain {
            let mut body = self.body.borrow_mut();
            let mut text = body.value(room.len())?;
            let read = text.read(room)?;
            body.consume_value(read);
            if read > 0 {
                return Ok(read);
            }
            self.is_plain = false;
        }
        self.json.read(room)
    }
}

impl<R: BufRead, S: Read> Read for Base64Value<'_, R, S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.is_empty() {
            if self.is_plain && self.grouped == 0 && buffer.len() >= BYTES {
                let read = self.read_whole_groups(buffer)?;
                if read > 0 {
                    return Ok(read);
                }
            }
            if !buffer.is_empty() {
                self.read_group()?;
            }
        }
        let read = (&self.bytes[self.left.clone()]).read(buffer)?;
        self.left.start += read;
        Ok(read)
    }
}

impl Decoder {
    /// Decodes whole groups, or the last one.
    fn decode(&mut self, text: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(padding) = self.padding {
            return Err(invalid(DecodeError::InvalidByte(padding, b'=')));
        }
        if let Some(decoded) = self.decode_valid(text, buffer) {
            return Ok(decoded);
        }
        // It does not say what is wrong, and where.
        let decoded = STANDARD.decode_slice(text, buffer);
        let decoded = decoded.map_err(|error| match error {
            DecodeSliceError::DecodeError(error) => invalid(moved(error, self.characters)),
            DecodeSliceError::OutputSliceTooSmall => io::Error::other(error),
        })?;
        self.note(text);
        Ok(decoded)
    }

    /// Decodes whole groups, or the last one, if they are valid.
    fn decode_valid(&mut self, text: &[u8], buffer: &mut [u8]) -> Option<usize> {
        if text.is_empty() || self.padding.is_some() {
            return None;
        }
        let decoded = base64_simd::STANDARD.decode(text, buffer.as_out()).ok()?;
        let decoded = decoded.len();
        self.note(text);
        Some(decoded)
    }

    /// Notes what was decoded.
    fn note(&mut self, text: &[u8]) {
        let last = text.len().saturating_sub(GROUP);
        self.padding = memchr(b'=', &text[last..]).map(|at| self.characters + last + at);
        self.characters += text.len();
    }
}

fn invalid(error: DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// The error with its place in the whole text.
fn moved(error: DecodeError, before: usize) -> DecodeError {
    match error {
        DecodeError::InvalidByte(offset, byte) => DecodeError::InvalidByte(before + offset, byte),
        DecodeError::InvalidLength(length) => DecodeError::InvalidLength(before + length),
        DecodeError::InvalidLastSymbol {
            offset,
            symbol,
            symbol_value,
        } => DecodeError::InvalidLastSymbol {
            offset: before + offset,
            symbol,
            symbol_value,
        },
        DecodeError::InvalidPadding => DecodeError::InvalidPadding,
    }
}
