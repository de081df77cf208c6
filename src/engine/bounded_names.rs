//! A filter before the JSON reader, which keeps every name whole in memory: it cuts long ones.

use std::io::{self, Read};

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

impl<R: Read> BoundedNames<R> {
    pub(super) fn new(input: R) -> Self {
        let place = Place::Outside { after_colon: false };
        Self { input, place }
    }
}

impl<R: Read> Read for BoundedNames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.input.read(buffer)?;
            let kept = self.filter(&mut buffer[..read]);
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

impl<R> BoundedNames<R> {
    /// Takes out what is cut. Gives how much is left, at the beginning.
    fn filter(&mut self, bytes: &mut [u8]) -> usize {
        let (mut at, mut kept) = (0, 0);
        while let Some(byte) = bytes.get(at).copied() {
            if self.place == (Place::Value { escaped: false }) {
                // Profiles are values, and nearly all that there is: they are passed on at once.
                let rest = bytes.get(at..).unwrap_or_default();
                let length = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                if length > 0 {
                    bytes.copy_within(at..at + length, kept);
                    (at, kept) = (at + length, kept + length);
                    continue;
                }
            }
            self.place = self.place.after(byte);
            if !matches!(self.place, Place::Rest { .. }) {
                bytes[kept] = byte;
                kept += 1;
            }
            at += 1;
        }
        kept
    }
}

impl Place {
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
