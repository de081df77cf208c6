//! One sample of a profile that is read.

use std::io;

use super::messages::{self, Content, fields};
use super::tables::{Frame, Tables};
use crate::profile::Label;
use crate::proto::invalid;

/// A sample: a stack, and what was counted there.
#[derive(Debug)]
pub struct Sample<'a> {
    /// As many as the profile has types of sample.
    pub values: &'a [i64],
    tables: &'a Tables,
    locations: &'a [u32],
    labels: &'a [LabelId],
}

/// A label, with its strings by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LabelId {
    Text { name: u32, text: u32 },
    Number { name: u32, number: i64, unit: u32 },
}

impl LabelId {
    /// The name's index.
    pub(crate) fn name(&self) -> u32 {
        match self {
            Self::Text { name, .. } | Self::Number { name, .. } => *name,
        }
    }
}

impl<'a> Sample<'a> {
    /// The frames of the stack from the innermost, inlined ones too.
    pub fn frames(&self) -> impl Iterator<Item = Frame<'a>> {
        let locations = self.locations.iter();
        locations.flat_map(|location| self.tables.frames(*location))
    }

    /// The labels, in the order in which they stand in the sample.
    pub fn labels(&self) -> impl Iterator<Item = Label<'a>> {
        let tables = self.tables;
        self.labels.iter().map(|label| match *label {
            LabelId::Text { name, text } => Label::Text {
                name: tables.string(name),
                text: tables.string(text),
            },
            LabelId::Number { name, number, unit } => Label::Number {
                name: tables.string(name),
                number,
                unit: tables.string(unit),
            },
        })
    }

    /// The tables of the profile.
    pub(crate) fn tables(&self) -> &'a Tables {
        self.tables
    }

    /// The locations from the innermost. A number means the same location in every sample of the profile.
    pub(crate) fn locations(&self) -> &'a [u32] {
        self.locations
    }

    /// The labels, with their strings by index in the tables.
    pub(crate) fn label_ids(&self) -> &'a [LabelId] {
        self.labels
    }
}

/// Memory in which one sample after another is decoded.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    locations: Vec<u32>,
    values: Vec<i64>,
    labels: Vec<LabelId>,
}

impl Buffers {
    /// Decodes a sample.
    ///
    /// # Errors
    /// The message is damaged, refers to what is not there, or has another number of values.
    pub(super) fn decode<'a>(
        &'a mut self,
        message: &[u8],
        tables: &'a Tables,
        types: usize,
    ) -> io::Result<Sample<'a>> {
        let Self {
            locations,
            values,
            labels,
        } = self;
        locations.clear();
        values.clear();
        labels.clear();
        fields(message, |number, content| match (number, content) {
            (1, content) => content.numbers(|id| {
                locations.push(tables.location_index(id)?);
                Ok(())
            }),
            (2, content) => content.numbers(|value| {
                values.push(value.cast_signed());
                Ok(())
            }),
            (3, Content::Bytes(message)) => {
                labels.extend(label(message, tables)?);
                Ok(())
            }
            (_, Content::Bytes(_) | Content::Number(_)) => Ok(()),
        })?;
        if values.len() != types {
            let count = values.len();
            let why = format!("a sample has {count} values, and the profile {types} types of them");
            return Err(invalid(&why));
        }
        Ok(Sample {
            values,
            tables,
            locations,
            labels,
        })
    }
}

/// A label; `None` for one that says nothing, as pprof takes it.
fn label(message: &[u8], tables: &Tables) -> io::Result<Option<LabelId>> {
    let label = messages::label(message)?;
    for index in [label.name, label.text, label.unit] {
        tables.checked_string(index)?;
    }
    let name = label.name;
    if label.text != 0 {
        let text = label.text;
        return Ok(Some(LabelId::Text { name, text }));
    }
    let says = label.number != 0 || label.unit != 0;
    Ok(says.then_some(LabelId::Number {
        name,
        number: label.number,
        unit: label.unit,
    }))
}
