//! A filter before the JSON reader, which keeps every name whole in memory: it cuts long ones.

use std::cell::RefCell;
use std::io::{self, BufRead, Read};

use memchr::memchr2;

/// The most bytes of a name that are passed on, but for those that belong to its last character. No name that
/// is used is as long.
const LONGEST: usize = 1024;

/// The most bytes that the last character takes: two escapes, `\ud83d\ude00`.
const CHARACTER: usize = 12;

/// A reader of JSON in which no name is much longer than [`LONGEST`]. What is a value is passed on as it is, but
/// for strings in lists, which are cut like names.
#[derive(Debug)]
pub(super) struct BoundedNames<R> {
    input: R,
    place: Place,
}

/// What the next byte belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No string. The next one is a value if there was a colon.
    Outside { after_colon: bool },
    /// A value, perhaps after its backslash.
    Value { escaped: bool },
    /// A name of which so many bytes were passed on.
    Name { passed: usize, escape: Escape },
    /// What is cut of a name, perhaps after its backslash.
    Rest { escaped: bool },
}

/// How much of an escape is to come, so that none is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// After the backslash.
    Begun,
    /// So many digits of the four after `\u`, with the number that they make so far.
    Digits {
        left: u8,
        code: u16,
    },
    /// The second of a pair must come.
    Pair,
}

/// The filter as the JSON reader has it, while others take values out of it.
#[derive(Debug)]
pub(super) struct Shared<'a, R>(pub(super) &'a RefCell<BoundedNames<R>>);

impl<R: BufRead> Read for Shared<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(buffer)
    }
}

/// How far a piece of the input was filtered.
#[derive(Debug, Default)]
struct Filtered {
    /// Bytes of the input that are done with.
    read: usize,
    /// Bytes that were passed on.
    kept: usize,
}

impl<R: BufRead> BoundedNames<R> {
    pub(super) fn new(input: R) -> Self {
        let place = Place::Outside { after_colon: false };
        Self { input, place }
    }

    /// What comes next of the value in which the reader is, as it lies in the input: at most so many bytes, and
    /// none where the value ends or has a backslash.
    ///
    /// Nothing after a value's opening quote is passed on in the same read as the quote, so a JSON reader that
    /// has come to the value has none of this yet. It finds an empty string once all of it is consumed.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn value(&mut self, most: usize) -> io::Result<&[u8]> {
        Ok(plain(self.value_and_rest(most)?))
    }

    /// The same, but with the value's end, or its backslash, and what comes after that.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(super) fn value_and_rest(&mut self, most: usize) -> io::Result<&[u8]> {
        if self.place != (Place::Value { escaped: false }) {
            return Ok(&[]);
        }
        let here = self.input.fill_buf()?;
        Ok(here.get(..most).unwrap_or(here))
    }

    /// Takes so many bytes of the value out, so that they are not passed on.
    pub(super) fn consume_value(&mut self, bytes: usize) {
        self.input.consume(bytes);
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let here = self.input.fill_buf()?;
            let is_over = here.is_empty() || buffer.is_empty();
            let Filtered { read, kept } = self.place.filter(here, buffer);
            self.input.consume(read);
            if kept > 0 || is_over {
                return Ok(kept);
            }
        }
    }
}

/// The bytes before the first quote or backslash.
fn plain(bytes: &[u8]) -> &[u8] {
    let length = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
    bytes.get(..length).unwrap_or(bytes)
}

impl Place {
    /// Passes on what is not cut, up to and with the opening quote of a value.
    fn filter(&mut self, input: &[u8], output: &mut [u8]) -> Filtered {
        let mut done = Filtered::default();
        while let Some(byte) = input.get(done.read).copied()
            && done.kept < output.len()
        {
            if *self == (Self::Value { escaped: false }) {
                let rest = &input[done.read..];
                let room = &mut output[done.kept..];
                let passed = plain(rest.get(..room.len()).unwrap_or(rest));
                if !passed.is_empty() {
                    room[..passed.len()].copy_from_slice(passed);
                    done.read += passed.len();
                    done.kept += passed.len();
                    continue;
                }
            }
            let was_outside = matches!(self, Self::Outside { .. });
            *self = self.after(byte);
            done.read += 1;
            if !matches!(self, Self::Rest { .. }) {
                output[done.kept] = byte;
                done.kept += 1;
            }
            if was_outside && matches!(self, Self::Value { .. }) {
                break;
            }
        }
        done
    }

    /// The place of the byte after this one.
    fn after(self, byte: u8) -> Self {
        let outside = Self::Outside { after_colon: false };
        match (self, byte) {
            (Self::Outside { after_colon: true }, b'"') => Self::Value { escaped: false },
            (Self::Outside { after_colon: false }, b'"') => Self::Name {
                passed: 0,
                escape: Escape::None,
            },
            (Self::Outside { .. }, b':') => Self::Outside { after_colon: true },
            (Self::Outside { after_colon }, b' ' | b'\t' | b'\r' | b'\n') => {
                Self::Outside { after_colon }
            }
            (Self::Outside { .. }, _) => outside,
            (Self::Value { escaped: false } | Self::Rest { escaped: false }, b'"') => outside,
            (Self::Value { escaped }, byte) => Self::Value {
                escaped: !escaped && byte == b'\\',
            },
            (Self::Rest { escaped }, byte) => Self::Rest {
                escaped: !escaped && byte == b'\\',
            },
            (
                Self::Name {
                    escape: Escape::None | Escape::Pair,
                    ..
                },
                b'"',
            ) => outside,
            (Self::Name { passed, escape }, byte) => {
                let is_whole = escape == Escape::None && byte & 0xc0 != 0x80;
                if (is_whole && passed >= LONGEST) || passed >= LONGEST + CHARACTER {
                    return Self::Rest {
                        escaped: byte == b'\\',
                    };
                }
                Self::Name {
                    passed: passed + 1,
                    escape: escape.after(byte),
                }
            }
        }
    }
}

impl Escape {
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::None | Self::Pair, b'\\') => Self::Begun,
            (Self::None | Self::Pair, _) => Self::None,
            (Self::Begun, b'u') => Self::Digits { left: 4, code: 0 },
            (Self::Begun, _) => Self::None,
            (Self::Digits { left, code }, digit) => {
                let digit = char::from(digit).to_digit(16).unwrap_or_default() as u16;
                let code = code << 4 | digit;
                match left {
                    1 if code >> 10 == 0xd800 >> 10 => Self::Pair,
                    1 => Self::None,
                    _ => Self::Digits {
                        left: left - 1,
                        code,
                    },
                }
            }
        }
    }
}
