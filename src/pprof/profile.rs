//! A profile under construction, and the message profile.proto that it becomes.
//! <https://github.com/google/pprof/blob/main/proto/profile.proto>

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};

use super::intern::{Frame, Locations, Strings};
use super::wire::{put_bytes, put_number, put_varint};

/// Field numbers of the message Profile.
const SAMPLE_TYPE: u64 = 1;
const SAMPLE: u64 = 2;
const MAPPING: u64 = 3;
const LOCATION: u64 = 4;
const FUNCTION: u64 = 5;
const STRING_TABLE: u64 = 6;
const PERIOD_TYPE: u64 = 11;
const PERIOD: u64 = 12;
const COMMENT: u64 = 13;
const DEFAULT_SAMPLE_TYPE: u64 = 14;

/// What a profile may take in memory. The largest known, of 31 MB of text, takes a tenth of it.
const MOST_BYTES: usize = 32 << 20;

/// A profile with names. Its samples are kept as they will be written.
#[derive(Debug)]
pub struct Profile {
    strings: Strings,
    locations: Locations,
    /// All fields but samples, locations, functions and strings.
    head: Vec<u8>,
    samples: Vec<u8>,
    sample_count: u64,
}

/// What a sample says beside its stack and its values.
#[derive(Debug, Clone, Copy)]
pub(super) enum Label<'a> {
    Text(&'a str, &'a str),
    /// Name, number, unit. Without a unit, the name is one.
    Number(&'a str, i64, &'a str),
}

impl Profile {
    /// An empty profile of samples with these values, each a name and a unit.
    pub(super) fn new(values: &[(&str, &str)], period_type: (&str, &str), period: i64) -> Self {
        let mut profile = Self {
            strings: Strings::new(),
            locations: Locations::default(),
            head: Vec::new(),
            samples: Vec::new(),
            sample_count: 0,
        };
        for value in values {
            profile.value_type(SAMPLE_TYPE, *value);
        }
        profile.value_type(PERIOD_TYPE, period_type);
        put_number(&mut profile.head, PERIOD, period.cast_unsigned());
        // One mapping that has all names, so that no tool looks for the program to find them.
        let mut mapping = Vec::new();
        for field in [1, 7, 8, 9] {
            put_number(&mut mapping, field, 1);
        }
        put_bytes(&mut profile.head, MAPPING, &mapping);
        profile
    }

    fn value_type(&mut self, field: u64, (name, unit): (&str, &str)) {
        let mut message = Vec::new();
        put_number(&mut message, 1, self.strings.intern(name) as u64);
        put_number(&mut message, 2, self.strings.intern(unit) as u64);
        put_bytes(&mut self.head, field, &message);
    }

    /// Names the value that a viewer shows when none is asked for.
    pub(super) fn default_sample_type(&mut self, name: &str) {
        let name = self.strings.intern(name) as u64;
        put_number(&mut self.head, DEFAULT_SAMPLE_TYPE, name);
    }

    /// Adds a line that viewers show with `-comments`.
    pub(super) fn comment(&mut self, text: &str) {
        let text = self.strings.intern(text) as u64;
        put_number(&mut self.head, COMMENT, text);
    }

    /// The id of a frame's location, which may be new if there is room for it beside so many bytes.
    ///
    /// # Errors
    /// Its names are no text, or there is no room for them.
    pub(super) fn location(
        &mut self,
        frame: Frame<'_>,
        beside: usize,
    ) -> Result<u64, &'static str> {
        if let Some(id) = self.locations.find(frame, &self.strings) {
            return Ok(id);
        }
        self.room(beside)?;
        let (Some(name), Some(file)) = (printable(frame.function), printable(frame.file)) else {
            return Err("its names are not UTF-8, or have control characters");
        };
        let (name, file) = (self.strings.intern(name), self.strings.intern(file));
        Ok(self.locations.add(frame, name, file, &self.strings))
    }

    /// Whether more fits beside so many bytes of what it is made from.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn room(&self, beside: usize) -> Result<(), &'static str> {
        let bytes = beside + self.strings.bytes() + self.locations.bytes() + self.samples.len();
        if bytes > MOST_BYTES {
            return Err("what comes before it is more than a profile may take in memory, 32 MiB");
        }
        Ok(())
    }

    /// Adds a sample: its locations from the innermost, its values, its labels.
    pub(super) fn sample(&mut self, stack: &[u64], values: &[i64], labels: &[Label<'_>]) {
        let mut message = Vec::with_capacity(2 * stack.len() + 32);
        let mut packed = Vec::with_capacity(2 * stack.len());
        stack.iter().for_each(|id| put_varint(&mut packed, *id));
        put_bytes(&mut message, 1, &packed);
        packed.clear();
        for value in values {
            put_varint(&mut packed, value.cast_unsigned());
        }
        put_bytes(&mut message, 2, &packed);
        for label in labels {
            put_bytes(&mut message, 3, &self.label(*label));
        }
        put_bytes(&mut self.samples, SAMPLE, &message);
        self.sample_count = self.sample_count.saturating_add(1);
    }

    fn label(&mut self, label: Label<'_>) -> Vec<u8> {
        let mut message = Vec::new();
        match label {
            Label::Text(name, text) => {
                put_number(&mut message, 1, self.strings.intern(name) as u64);
                put_number(&mut message, 2, self.strings.intern(text) as u64);
            }
            Label::Number(name, number, unit) => {
                put_number(&mut message, 1, self.strings.intern(name) as u64);
                put_number(&mut message, 3, number.cast_unsigned());
                put_number(&mut message, 4, self.strings.intern(unit) as u64);
            }
        }
        message
    }

    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.sample_count
    }

    /// Writes the profile, packed with gzip as `go tool pprof` expects it.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, output: impl Write) -> io::Result<()> {
        let mut output = GzEncoder::new(output, Compression::default());
        output.write_all(&self.head)?;
        output.write_all(&self.samples)?;
        let mut tables = Vec::new();
        self.locations.put(&mut tables, LOCATION, FUNCTION);
        for text in self.strings.iter() {
            put_bytes(&mut tables, STRING_TABLE, text.as_bytes());
        }
        output.write_all(&tables)?;
        output.finish().map(drop)
    }
}

/// A name as text. A tab may stand in a symbol; nothing else that is a control character does.
fn printable(name: &[u8]) -> Option<&str> {
    let text = str::from_utf8(name).ok()?;
    let control = |c: char| c.is_control() && c != '\t';
    (!text.contains(control)).then_some(text)
}
