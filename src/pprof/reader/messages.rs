//! The messages inside a profile, decoded one at a time. Fields that are not known are passed over.

use std::io;

use crate::proto::{ENDS_IN_FIELD, Value, field, invalid, varint};

/// The content of a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'a> {
    Number(u64),
    /// A string, a message or packed numbers.
    Bytes(&'a [u8]),
}

impl Content<'_> {
    /// Visits each number of a field that repeats, packed or not.
    pub(super) fn numbers(self, mut visit: impl FnMut(u64) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Number(number) => visit(number),
            Self::Bytes(mut packed) => {
                while !packed.is_empty() {
                    visit(varint(&mut packed)?)?;
                }
                Ok(())
            }
        }
    }
}

/// A field's number; zero, which is what one that is not there means, if it is none.
pub(super) fn unsigned(content: Content<'_>) -> u64 {
    match content {
        Content::Number(number) => number,
        Content::Bytes(_) => 0,
    }
}

/// Visits each field of a message.
pub(super) fn fields<'a>(
    mut message: &'a [u8],
    mut visit: impl FnMut(u64, Content<'a>) -> io::Result<()>,
) -> io::Result<()> {
    while let Some((number, value)) = field(&mut message)? {
        let content = match value {
            Value::Varint(value) => Content::Number(value),
            Value::Bytes(length) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let split = message.split_at_checked(length);
                let (content, rest) = split.ok_or_else(|| invalid(ENDS_IN_FIELD))?;
                message = rest;
                Content::Bytes(content)
            }
        };
        visit(number, content)?;
    }
    Ok(())
}

/// Checks that as many bytes are there as a field says.
pub(super) fn expect_length(found: usize, length: u64) -> io::Result<()> {
    if found as u64 == length {
        Ok(())
    } else {
        Err(invalid(ENDS_IN_FIELD))
    }
}

/// The index of a string.
pub(super) fn string_index(number: u64) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| invalid("it refers to a string that is not there"))
}

/// The name and the unit of a value, by the indices of their strings.
pub(super) fn value_type(message: &[u8]) -> io::Result<[u32; 2]> {
    let mut value_type = [0; 2];
    fields(message, |number, content| {
        match number {
            1 => value_type[0] = string_index(unsigned(content))?,
            2 => value_type[1] = string_index(unsigned(content))?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(value_type)
}

/// A part of a program in memory. Strings are by index.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) limit: u64,
    pub(crate) offset: u64,
    pub(crate) file: u32,
    pub(crate) build_id: u32,
    /// Whether its locations have functions, files, lines and inlined frames.
    pub(crate) has: [bool; 4],
}

/// A mapping and its id.
pub(super) fn mapping(message: &[u8]) -> io::Result<(u64, Mapping)> {
    let (mut id, mut mapping) = (0, Mapping::default());
    fields(message, |number, content| {
        let value = unsigned(content);
        match number {
            1 => id = value,
            2 => mapping.start = value,
            3 => mapping.limit = value,
            4 => mapping.offset = value,
            5 => mapping.file = string_index(value)?,
            6 => mapping.build_id = string_index(value)?,
            7 => mapping.has[0] = value != 0,
            8 => mapping.has[1] = value != 0,
            9 => mapping.has[2] = value != 0,
            10 => mapping.has[3] = value != 0,
            _ => {}
        }
        Ok(())
    })?;
    Ok((id, mapping))
}

/// A function. Strings are by index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Function {
    pub(crate) name: u32,
    pub(crate) system_name: u32,
    pub(crate) file: u32,
    pub(crate) start_line: i64,
}

/// A function and its id.
pub(super) fn function(message: &[u8]) -> io::Result<(u64, Function)> {
    let (mut id, mut function) = (0, Function::default());
    fields(message, |number, content| {
        let value = unsigned(content);
        match number {
            1 => id = value,
            2 => function.name = string_index(value)?,
            3 => function.system_name = string_index(value)?,
            4 => function.file = string_index(value)?,
            5 => function.start_line = value.cast_signed(),
            _ => {}
        }
        Ok(())
    })?;
    Ok((id, function))
}

/// A line of a location. Its function is an id in a message, and an index in tables.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    pub(crate) function: u64,
    pub(crate) line: i64,
    pub(crate) column: i64,
}

fn line(message: &[u8]) -> io::Result<Line> {
    let mut line = Line::default();
    fields(message, |number, content| {
        let value = unsigned(content);
        match number {
            1 => line.function = value,
            2 => line.line = value.cast_signed(),
            3 => line.column = value.cast_signed(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(line)
}

/// A location but its lines.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Location {
    pub(super) id: u64,
    /// By its id; 0 is none.
    pub(super) mapping: u64,
    pub(super) address: u64,
    pub(super) is_folded: bool,
}

/// A location, whose lines are added to those that are there.
pub(super) fn location(message: &[u8], lines: &mut Vec<Line>) -> io::Result<Location> {
    let mut location = Location::default();
    fields(message, |number, content| {
        match (number, content) {
            (1, content) => location.id = unsigned(content),
            (2, content) => location.mapping = unsigned(content),
            (3, content) => location.address = unsigned(content),
            (4, Content::Bytes(message)) => lines.push(line(message)?),
            (5, content) => location.is_folded = unsigned(content) != 0,
            (_, Content::Bytes(_) | Content::Number(_)) => {}
        }
        Ok(())
    })?;
    Ok(location)
}

/// A label as it stands in a message. Strings are by index, and 0 is none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Label {
    pub(super) name: u32,
    pub(super) text: u32,
    pub(super) number: i64,
    pub(super) unit: u32,
}

pub(super) fn label(message: &[u8]) -> io::Result<Label> {
    let mut label = Label::default();
    fields(message, |number, content| {
        let value = unsigned(content);
        match number {
            1 => label.name = string_index(value)?,
            2 => label.text = string_index(value)?,
            3 => label.number = value.cast_signed(),
            4 => label.unit = string_index(value)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(label)
}
