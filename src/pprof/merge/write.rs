//! What was merged, as profile.proto.

use std::collections::BTreeSet;
use std::io::{self, Write};

use flate2::{Compression, write::GzEncoder};
use hashbrown::DefaultHashBuilder;
use indexmap::IndexSet;

use super::merged_tables::MergedTables;
use crate::proto::{
    COMMENT, DEFAULT_SAMPLE_TYPE, DURATION_NANOS, FUNCTION, LOCATION, MAPPING, PERIOD, PERIOD_TYPE,
    SAMPLE, SAMPLE_TYPE, STRING_TABLE, SampleMessage, TIME_NANOS, put_bytes, put_number,
    put_varint,
};
use crate::reader::{Function, Header, LabelId, Mapping, SampleType};
use crate::tables::Strings;

/// A profile being written, and what its samples refer to so far.
pub(super) struct Writer<'a, W: Write> {
    output: GzEncoder<W>,
    tables: &'a MergedTables,
    strings: Strings,
    /// By the index in the merged tables. An id is the index here and 1.
    locations: IndexSet<u32, DefaultHashBuilder>,
    /// The last sample.
    message: SampleMessage,
}

impl<'a, W: Write> Writer<'a, W> {
    /// Begins a profile whose samples refer to these tables.
    pub(super) fn new(tables: &'a MergedTables, output: W) -> Self {
        Self {
            output: GzEncoder::new(output, Compression::default()),
            tables,
            strings: Strings::new(),
            locations: IndexSet::default(),
            message: SampleMessage::default(),
        }
    }

    /// Writes a sample: its locations from the innermost, its values, its labels.
    pub(super) fn sample(
        &mut self,
        locations: impl Iterator<Item = u32>,
        values: &[i64],
        labels: &[LabelId],
    ) -> io::Result<()> {
        let mut message = std::mem::take(&mut self.message);
        // The id of one that is new comes next.
        let ids = locations.map(|location| self.locations.insert_full(location).0 as u64 + 1);
        message.begin(ids, values);
        for label in labels {
            message.label(&self.label(*label));
        }
        self.field(SAMPLE, message.bytes())?;
        self.message = message;
        Ok(())
    }

    fn field(&mut self, number: u64, message: &[u8]) -> io::Result<()> {
        let mut tag = Vec::with_capacity(8);
        put_varint(&mut tag, number << 3 | 2);
        put_varint(&mut tag, message.len() as u64);
        self.output.write_all(&tag)?;
        self.output.write_all(message)
    }

    /// Writes what the profile says of itself.
    pub(super) fn header(&mut self, header: &Header) -> io::Result<()> {
        for of in &header.sample_types {
            let message = self.value_type(of);
            self.field(SAMPLE_TYPE, &message)?;
        }
        let message = self.value_type(&header.period_type);
        self.field(PERIOD_TYPE, &message)?;
        let mut numbers = Vec::new();
        put_number(&mut numbers, TIME_NANOS, header.time_nanos.cast_unsigned());
        let duration = header.duration_nanos.cast_unsigned();
        put_number(&mut numbers, DURATION_NANOS, duration);
        put_number(&mut numbers, PERIOD, header.period.cast_unsigned());
        for comment in &header.comments {
            let comment = self.text(comment);
            put_number(&mut numbers, COMMENT, comment);
        }
        let default = self.text(&header.default_sample_type);
        put_number(&mut numbers, DEFAULT_SAMPLE_TYPE, default);
        self.output.write_all(&numbers)
    }

    fn value_type(&mut self, of: &SampleType) -> Vec<u8> {
        let mut message = Vec::new();
        put_number(&mut message, 1, self.text(&of.name));
        put_number(&mut message, 2, self.text(&of.unit));
        message
    }

    fn text(&mut self, text: &str) -> u64 {
        self.strings.intern(text) as u64
    }

    /// The index of a string of the merged tables.
    fn string(&mut self, index: u32) -> u64 {
        let tables = self.tables;
        self.text(tables.strings.get(index as usize))
    }

    fn label(&mut self, label: LabelId) -> Vec<u8> {
        let mut message = Vec::new();
        put_number(&mut message, 1, self.string(label.name()));
        match label {
            LabelId::Text { text, .. } => put_number(&mut message, 2, self.string(text)),
            LabelId::Number { number, unit, .. } => {
                put_number(&mut message, 3, number.cast_unsigned());
                put_number(&mut message, 4, self.string(unit));
            }
        }
        message
    }

    /// Writes the tables, as far as the samples refer to them, and ends the profile.
    pub(super) fn finish(mut self) -> io::Result<()> {
        // The program's own is always there.
        let mut mappings = BTreeSet::from([0]);
        let mut functions = BTreeSet::new();
        let tables = self.tables;
        for (id, location) in (1..).zip(std::mem::take(&mut self.locations)) {
            let Some(location) = tables.get_location(location) else {
                continue;
            };
            let mapping = location.mapping.checked_sub(1);
            mappings.extend(mapping);
            let start = mapping.and_then(|index| tables.get_mapping(index));
            let start = start.map_or(0, |mapping| mapping.start);
            let mut message = Vec::new();
            put_number(&mut message, 1, id);
            put_number(&mut message, 2, u64::from(location.mapping));
            put_number(&mut message, 3, location.address.wrapping_add(start));
            for line in &location.lines {
                functions.insert(line.function);
                let mut inner = Vec::new();
                put_number(&mut inner, 1, line.function + 1);
                put_number(&mut inner, 2, line.line.cast_unsigned());
                put_number(&mut inner, 3, line.column.cast_unsigned());
                put_bytes(&mut message, 4, &inner);
            }
            put_number(&mut message, 5, u64::from(location.is_folded));
            self.field(LOCATION, &message)?;
        }
        for index in functions {
            if let Some(function) = tables.get_function(index) {
                let message = self.function(index + 1, function);
                self.field(FUNCTION, &message)?;
            }
        }
        for index in mappings {
            if let Some(mapping) = tables.get_mapping(index) {
                let message = self.mapping(u64::from(index) + 1, mapping);
                self.field(MAPPING, &message)?;
            }
        }
        let strings = std::mem::replace(&mut self.strings, Strings::new());
        for text in strings.iter() {
            self.field(STRING_TABLE, text.as_bytes())?;
        }
        self.output.finish().map(drop)
    }

    fn function(&mut self, id: u64, function: &Function) -> Vec<u8> {
        let mut message = Vec::new();
        put_number(&mut message, 1, id);
        put_number(&mut message, 2, self.string(function.name));
        put_number(&mut message, 3, self.string(function.system_name));
        put_number(&mut message, 4, self.string(function.file));
        put_number(&mut message, 5, function.start_line.cast_unsigned());
        message
    }

    fn mapping(&mut self, id: u64, mapping: &Mapping) -> Vec<u8> {
        let mut message = Vec::new();
        put_number(&mut message, 1, id);
        put_number(&mut message, 2, mapping.start);
        put_number(&mut message, 3, mapping.limit);
        put_number(&mut message, 4, mapping.offset);
        put_number(&mut message, 5, self.string(mapping.file));
        put_number(&mut message, 6, self.string(mapping.build_id));
        for (field, has) in (7..).zip(mapping.has) {
            put_number(&mut message, field, u64::from(has));
        }
        message
    }
}
