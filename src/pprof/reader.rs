//! A reader of any profile.proto, packed or not: its header and its tables are kept, its samples are visited one by
//! one. A profile's tables may come after its samples, and Go's do, so the source is read from its beginning each
//! time, or once into memory if it unpacks to little. Only what a message holds is decoded at once, so the memory that a
//! profile takes is that and its tables, which have a bound, however often it says that it holds something.

mod messages;
mod sample;
mod source;
mod tables;

use std::io::{self, Read, Seek};

use messages::{Content, string_index, unsigned};
pub(super) use messages::{Function, Line, Mapping};
pub(super) use sample::LabelId;
pub use sample::Sample;
use source::Source;
pub use tables::Frame;
pub(super) use tables::Tables;
use tables::TablesBuilder;

use super::proto::{
    COMMENT, DEFAULT_SAMPLE_TYPE, DURATION_NANOS, FUNCTION, LOCATION, MAPPING, PERIOD, PERIOD_TYPE,
    SAMPLE, SAMPLE_TYPE, STRING_TABLE, TIME_NANOS, invalid,
};

/// The most types of value that samples may have. Go's have four at most.
const MOST_TYPES: usize = 64;

/// The most comments that a profile may have.
const MOST_COMMENTS: usize = 1000;

/// What a profile says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The meaning of each value of every sample.
    pub sample_types: Vec<SampleType>,
    /// The meaning of the period.
    pub period_type: SampleType,
    /// The distance of two samples.
    pub period: i64,
    /// The beginning, in nanoseconds since 1970; 0 if it does not say.
    pub time_nanos: i64,
    /// The length in nanoseconds; 0 for a moment.
    pub duration_nanos: i64,
    /// The value that a viewer shows when none is asked for; empty if it does not say.
    pub default_sample_type: String,
    /// Lines for people.
    pub comments: Vec<String>,
}

/// The time that a profile is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Its beginning, in nanoseconds since 1970.
    pub time_nanos: i64,
    /// Its length in nanoseconds; 0 for a moment.
    pub duration_nanos: i64,
}

impl Header {
    /// The same of another time.
    pub(super) fn at(&self, interval: Interval) -> Self {
        Self {
            time_nanos: interval.time_nanos,
            duration_nanos: interval.duration_nanos,
            ..self.clone()
        }
    }
}

/// The meaning of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleType {
    /// Such as `inuse_space`.
    pub name: String,
    /// Such as `bytes`.
    pub unit: String,
}

/// A profile that is read from a source, which may be a file or memory.
#[derive(Debug)]
pub struct ProfileReader<R> {
    source: Source<R>,
    header: Header,
    tables: Tables,
}

impl<R: Read + Seek> ProfileReader<R> {
    /// Reads all of a profile but its samples.
    ///
    /// # Errors
    /// The source cannot be read, is no whole profile, or has more than the reader takes.
    pub fn open(source: R) -> io::Result<Self> {
        let mut source = Source::new(source)?;
        let mut header = HeaderBuilder::default();
        let mut tables = TablesBuilder::default();
        source.walk(is_of_header_or_tables, |number, content| {
            if is_of_tables(number) {
                tables.add(number, content)
            } else {
                header.add(number, content)
            }
        })?;
        let tables = tables.finish()?;
        let header = header.finish(&tables)?;
        Ok(Self {
            source,
            header,
            tables,
        })
    }

    /// What the profile says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The profile's tables.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Visits every sample, in the order in which they stand in the profile.
    ///
    /// # Errors
    /// The source cannot be read, a sample refers to what is not there, or the visit fails.
    pub fn each_sample(
        &mut self,
        mut visit: impl FnMut(&Sample<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut buffers = sample::Buffers::default();
        let types = self.header.sample_types.len();
        let tables = &self.tables;
        let is_sample = |number| number == SAMPLE;
        self.source
            .walk(is_sample, |number, content| match content {
                Content::Bytes(message) if number == SAMPLE => {
                    visit(&buffers.decode(message, tables, types)?)
                }
                Content::Bytes(_) | Content::Number(_) => Ok(()),
            })
    }

    /// The sum of each value over all samples.
    ///
    /// # Errors
    /// The samples cannot be visited, or add up to more than a number may hold.
    pub fn totals(&mut self) -> io::Result<Vec<i64>> {
        let mut totals = vec![0_i64; self.header.sample_types.len()];
        self.each_sample(|sample| add(&mut totals, sample.values))?;
        Ok(totals)
    }
}

/// Adds values to sums.
///
/// # Errors
/// A sum is more than 64 bits hold.
pub(super) fn add(sums: &mut [i64], values: &[i64]) -> io::Result<()> {
    for (sum, value) in sums.iter_mut().zip(values) {
        let added = sum.checked_add(*value);
        *sum = added.ok_or_else(|| invalid("its values add up to more than 64 bits hold"))?;
    }
    Ok(())
}

fn is_of_tables(number: u64) -> bool {
    matches!(number, MAPPING | LOCATION | FUNCTION | STRING_TABLE)
}

fn is_of_header_or_tables(number: u64) -> bool {
    is_of_tables(number) || matches!(number, SAMPLE_TYPE | PERIOD_TYPE | COMMENT)
}

/// A header, with its strings by index.
#[derive(Debug, Default)]
struct HeaderBuilder {
    sample_types: Vec<[u32; 2]>,
    period_type: [u32; 2],
    comments: Vec<u32>,
    default_sample_type: u32,
    numbers: Header,
}

impl HeaderBuilder {
    fn add(&mut self, number: u64, content: Content<'_>) -> io::Result<()> {
        match (number, content) {
            (SAMPLE_TYPE, Content::Bytes(message)) => {
                self.sample_types.push(messages::value_type(message)?);
            }
            (PERIOD_TYPE, Content::Bytes(message)) => {
                self.period_type = messages::value_type(message)?;
            }
            (COMMENT, content) => {
                let comments = &mut self.comments;
                content.numbers(|index| {
                    comments.push(string_index(index)?);
                    Ok(())
                })?;
            }
            (TIME_NANOS, content) => self.numbers.time_nanos = unsigned(content).cast_signed(),
            (DURATION_NANOS, content) => {
                self.numbers.duration_nanos = unsigned(content).cast_signed();
            }
            (PERIOD, content) => self.numbers.period = unsigned(content).cast_signed(),
            (DEFAULT_SAMPLE_TYPE, content) => {
                self.default_sample_type = string_index(unsigned(content))?;
            }
            (_, Content::Bytes(_) | Content::Number(_)) => {}
        }
        if self.sample_types.len() > MOST_TYPES {
            return Err(invalid("it has more than 64 types of sample"));
        }
        if self.comments.len() > MOST_COMMENTS {
            return Err(invalid("it has more than 1000 comments"));
        }
        Ok(())
    }

    fn finish(self, tables: &Tables) -> io::Result<Header> {
        if self.sample_types.is_empty() {
            return Err(invalid("it has no type of sample"));
        }
        let text = |index: u32| tables.checked_string(index).map(str::to_owned);
        let value_type = |[name, unit]: &[u32; 2]| {
            Ok::<_, io::Error>(SampleType {
                name: text(*name)?,
                unit: text(*unit)?,
            })
        };
        let comments = self.comments.iter().map(|index| text(*index));
        Ok(Header {
            sample_types: self
                .sample_types
                .iter()
                .map(value_type)
                .collect::<Result<_, _>>()?,
            period_type: value_type(&self.period_type)?,
            default_sample_type: text(self.default_sample_type)?,
            comments: comments.collect::<Result<_, _>>()?,
            ..self.numbers
        })
    }
}
