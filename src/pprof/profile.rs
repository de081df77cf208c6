//! A profile under construction, and the message profile.proto that it becomes.
//! <https://github.com/google/pprof/blob/main/proto/profile.proto>

use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;

use super::proto::{
    COMMENT, DEFAULT_SAMPLE_TYPE, MAPPING, PERIOD, PERIOD_TYPE, SAMPLE, SAMPLE_TYPE, SampleMessage,
    TIME_NANOS, put_bytes, put_number,
};
use super::tables::Tables;

/// The most memory that a profile may take, in bytes. The largest known, of 31 MB of text, takes a tenth of it.
const MOST_BYTES: usize = 32 << 20;

const NANOS_OF_SECOND: i64 = 1_000_000_000;

/// A profile with names. Its samples are kept as they will be written.
#[derive(Debug)]
pub struct Profile {
    tables: Tables,
    /// All fields but samples and tables.
    head: Vec<u8>,
    samples: Vec<u8>,
    /// The last sample.
    sample: SampleMessage,
    sample_count: u64,
    /// Whether every location has a name.
    has_names: bool,
}

/// The meaning of one value of every sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct ValueType {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
}

/// A frame as a text names it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// Zero where the text does not say.
    pub(super) pc: u64,
    pub(super) function: &'a [u8],
    pub(super) file: &'a [u8],
    pub(super) line: i64,
}

/// The reason why a frame is not taken.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    /// Its names are not text.
    Names(&'static str),
    /// The profile has no room for more.
    Room(&'static str),
}

/// What a sample says beside its stack and its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label<'a> {
    /// A word.
    Text {
        /// What it is of.
        name: &'a str,
        /// The word.
        text: &'a str,
    },
    /// A number.
    Number {
        /// What it is of.
        name: &'a str,
        /// The number.
        number: i64,
        /// The unit. If it is empty, pprof takes the label's name for the unit.
        unit: &'a str,
    },
}

impl Profile {
    /// An empty profile of samples with these values.
    pub(super) fn new(values: &[ValueType], period_type: ValueType, period: i64) -> Self {
        let mut profile = Self {
            tables: Tables::new(),
            head: Vec::new(),
            samples: Vec::new(),
            sample: SampleMessage::default(),
            sample_count: 0,
            has_names: true,
        };
        for value in values {
            profile.value_type(SAMPLE_TYPE, *value);
        }
        profile.value_type(PERIOD_TYPE, period_type);
        put_number(&mut profile.head, PERIOD, period.cast_unsigned());
        profile
    }

    /// The one mapping. If it has all names, it says so, and no tool looks for the program to find them.
    /// If not, it has all addresses, as pprof's own for texts without names.
    fn mapping(&self) -> Vec<u8> {
        let mut mapping = Vec::new();
        put_number(&mut mapping, 1, 1);
        if self.has_names {
            for field in [7, 8, 9] {
                put_number(&mut mapping, field, 1);
            }
        } else {
            put_number(&mut mapping, 3, u64::MAX);
        }
        mapping
    }

    fn value_type(&mut self, field: u64, value: ValueType) {
        let mut message = Vec::new();
        put_number(&mut message, 1, self.text(value.name));
        put_number(&mut message, 2, self.text(value.unit));
        put_bytes(&mut self.head, field, &message);
    }

    /// Names the value that a viewer shows when none is asked for.
    pub(super) fn default_sample_type(&mut self, name: &str) {
        let name = self.text(name);
        put_number(&mut self.head, DEFAULT_SAMPLE_TYPE, name);
    }

    /// Adds a line that viewers show with `-comments`.
    pub(super) fn comment(&mut self, text: &str) {
        let text = self.text(text);
        put_number(&mut self.head, COMMENT, text);
    }

    /// The id of a frame's location, which is added if it is new and there is room for it beside a
    /// number of other bytes.
    ///
    /// # Errors
    /// The names are not text, or there is no room.
    pub(super) fn location(
        &mut self,
        frame: Frame<'_>,
        other_bytes: usize,
    ) -> Result<u64, Refusal> {
        let names = printable(frame.function).zip(printable(frame.file));
        let known = names.and_then(|(function, file)| {
            self.tables
                .find_location(frame.pc, function, file, frame.line)
        });
        if let Some(id) = known {
            return Ok(id);
        }
        self.check_room(other_bytes).map_err(Refusal::Room)?;
        let Some((function, file)) = names else {
            let why = "its names are not UTF-8, or have control characters";
            return Err(Refusal::Names(why));
        };
        Ok(self.tables.location(frame.pc, function, file, frame.line))
    }

    /// The id of the location of a PC without a name, which is added if it is new.
    pub(super) fn bare_location(&mut self, pc: u64) -> u64 {
        self.has_names = false;
        self.tables.bare_location(pc)
    }

    /// Checks that more fits beside a number of bytes that are kept while the profile is made.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn check_room(&self, other_bytes: usize) -> Result<(), &'static str> {
        if other_bytes + self.tables.bytes() + self.samples.len() > MOST_BYTES {
            return Err("what comes before it is more than a profile may take in memory, 32 MiB");
        }
        Ok(())
    }

    /// Adds a sample: its locations from the innermost, its values, its labels.
    pub(super) fn sample(&mut self, stack: &[u64], values: &[i64], labels: &[Label<'_>]) {
        self.sample.begin(stack.iter().copied(), values);
        for label in labels {
            let label = self.label(*label);
            self.sample.label(&label);
        }
        put_bytes(&mut self.samples, SAMPLE, self.sample.bytes());
        self.sample_count = self.sample_count.saturating_add(1);
    }

    fn label(&mut self, label: Label<'_>) -> Vec<u8> {
        let mut message = Vec::new();
        match label {
            Label::Text { name, text } => {
                put_number(&mut message, 1, self.text(name));
                put_number(&mut message, 2, self.text(text));
            }
            Label::Number { name, number, unit } => {
                put_number(&mut message, 1, self.text(name));
                put_number(&mut message, 3, number.cast_unsigned());
                put_number(&mut message, 4, self.text(unit));
            }
        }
        message
    }

    /// The index of a string in the profile's table.
    fn text(&mut self, text: &str) -> u64 {
        self.tables.strings.intern(text) as u64
    }

    /// How many samples there are.
    pub fn samples(&self) -> u64 {
        self.sample_count
    }

    /// Writes the profile, packed with gzip as `go tool pprof` expects it.
    ///
    /// It bears the time at which its text was written, in whole seconds: the modification times of an
    /// archive's entries are no finer, and a text that comes out of one becomes the same profile again. With
    /// [`Timestamp::UNIX_EPOCH`] it bears none.
    ///
    /// # Errors
    /// The output cannot be written.
    pub fn write(&self, time: Timestamp, output: impl Write) -> io::Result<()> {
        let mut output = GzEncoder::new(output, Compression::default());
        let mut head = self.head.clone();
        let nanos = time.as_second().saturating_mul(NANOS_OF_SECOND);
        put_number(&mut head, TIME_NANOS, nanos.cast_unsigned());
        put_bytes(&mut head, MAPPING, &self.mapping());
        output.write_all(&head)?;
        output.write_all(&self.samples)?;
        let mut tables = Vec::new();
        self.tables.put(&mut tables);
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
