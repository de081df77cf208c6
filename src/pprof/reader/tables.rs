//! The tables of a profile that is read. What refers to what is known only when all of them are there.

use std::io;

use hashbrown::HashMap;

use super::messages::{self, Content, Function, Line, Mapping};
use crate::proto::{FUNCTION, LOCATION, MAPPING, STRING_TABLE, invalid};

/// The most memory that a profile's tables may take, in bytes. The largest known, of 31 MB of text, take some 2 MB.
const MOST_BYTES: usize = 16 << 20;

/// About how many bytes an entry takes beside itself: its id in a map that may be half empty.
const ID_COST: usize = 32;

/// A frame of a stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Frame<'a> {
    /// The function's name; empty where the profile has an address alone.
    pub function: &'a str,
    /// Its source file.
    pub file: &'a str,
    /// The line in it.
    pub line: i64,
    /// The address, which a frame shares with those that are inlined there; 0 where the profile does not say.
    pub address: u64,
}

/// A location, whose lines stand in a table of their own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Location {
    /// By its id until all are there, then by its index and 1; 0 is none.
    mapping: u64,
    pub(crate) address: u64,
    pub(crate) is_folded: bool,
    lines: u32,
    end_of_lines: u32,
}

/// All tables. Strings, functions and mappings are by index, and every index is checked.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    text: String,
    /// Where each string ends in the text.
    ends: Vec<u32>,
    mappings: Vec<Mapping>,
    functions: Vec<Function>,
    locations: Vec<Location>,
    lines: Vec<Line>,
    /// The locations' indices by id, where some have an id other than their place, counted from 1.
    location_ids: Option<HashMap<u64, u32>>,
}

impl Tables {
    /// A string of the table.
    pub(crate) fn string(&self, index: u32) -> &str {
        let index = index as usize;
        let before = index.checked_sub(1).and_then(|index| self.ends.get(index));
        let start = before.map_or(0, |end| *end as usize);
        let end = self.ends.get(index).map_or(start, |end| *end as usize);
        self.text.get(start..end).unwrap_or_default()
    }

    /// A string of the table.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn checked_string(&self, index: u32) -> io::Result<&str> {
        if index as usize >= self.ends.len() && index != 0 {
            let why = format!("it refers to the string {index}, which is not there");
            return Err(invalid(&why));
        }
        Ok(self.string(index))
    }

    /// The index of the location with this id.
    ///
    /// # Errors
    /// It is not there.
    pub(super) fn location_index(&self, id: u64) -> io::Result<u32> {
        let index = match &self.location_ids {
            Some(ids) => ids.get(&id).copied(),
            None => {
                let place = id
                    .checked_sub(1)
                    .and_then(|place| u32::try_from(place).ok());
                place.filter(|place| (*place as usize) < self.locations.len())
            }
        };
        index.ok_or_else(|| {
            invalid(&format!(
                "it refers to the location {id}, which is not there"
            ))
        })
    }

    /// The frames of a location from the innermost.
    pub(super) fn frames(&self, location: u32) -> impl Iterator<Item = Frame<'_>> {
        let location = self.locations.get(location as usize);
        let address = location.map_or(0, |location| location.address);
        let lines = location.map_or(&[][..], |location| self.lines(location));
        let bare = lines.is_empty().then_some(Frame {
            function: "",
            file: "",
            line: 0,
            address,
        });
        let frame = move |line: &Line| {
            let function = self.function(line);
            Frame {
                function: self.string(function.name),
                file: self.string(function.file),
                line: line.line,
                address,
            }
        };
        bare.into_iter().chain(lines.iter().map(frame))
    }

    /// All locations, by index.
    pub(crate) fn locations(&self) -> &[Location] {
        &self.locations
    }

    /// A location's lines from the innermost function.
    pub(crate) fn lines(&self, location: &Location) -> &[Line] {
        let range = location.lines as usize..location.end_of_lines as usize;
        self.lines.get(range).unwrap_or_default()
    }

    /// A line's function.
    pub(crate) fn function(&self, line: &Line) -> Function {
        let index = usize::try_from(line.function).unwrap_or(usize::MAX);
        self.functions.get(index).copied().unwrap_or_default()
    }

    /// A location's mapping, if it has one.
    pub(crate) fn mapping(&self, location: &Location) -> Option<&Mapping> {
        let index = usize::try_from(location.mapping.checked_sub(1)?).ok()?;
        self.mappings.get(index)
    }

    /// The mapping of the program itself, which stands first.
    pub(crate) fn first_mapping(&self) -> Option<&Mapping> {
        self.mappings.first()
    }
}

/// Tables of which not all are there.
#[derive(Debug, Default)]
pub(super) struct TablesBuilder {
    tables: Tables,
    mapping_ids: HashMap<u64, u32>,
    function_ids: HashMap<u64, u32>,
}

impl TablesBuilder {
    /// Adds an entry of the table whose field has this number.
    ///
    /// # Errors
    /// The entry is damaged, its id is 0 or there already, or there is no room for it.
    pub(super) fn add(&mut self, number: u64, content: Content<'_>) -> io::Result<()> {
        let Content::Bytes(message) = content else {
            return Ok(());
        };
        let tables = &mut self.tables;
        match number {
            STRING_TABLE => {
                if tables.ends.is_empty() && !message.is_empty() {
                    return Err(invalid("its first string is not the empty one"));
                }
                // Names that are no text are names nevertheless.
                tables.text.push_str(&String::from_utf8_lossy(message));
                tables.ends.push(index(tables.text.len())?);
            }
            MAPPING => {
                let (id, mapping) = messages::mapping(message)?;
                tables.mappings.push(mapping);
                add_id(&mut self.mapping_ids, id, "mapping")?;
            }
            FUNCTION => {
                let (id, function) = messages::function(message)?;
                tables.functions.push(function);
                add_id(&mut self.function_ids, id, "function")?;
            }
            LOCATION => {
                let lines = index(tables.lines.len())?;
                let location = messages::location(message, &mut tables.lines)?;
                tables.locations.push(Location {
                    mapping: location.mapping,
                    address: location.address,
                    is_folded: location.is_folded,
                    lines,
                    end_of_lines: index(tables.lines.len())?,
                });
                let place = tables.locations.len() as u64;
                if tables.location_ids.is_none() && location.id != place {
                    tables.location_ids = Some((1..place).zip(0..).collect());
                }
                if let Some(ids) = &mut tables.location_ids {
                    add_id(ids, location.id, "location")?;
                }
            }
            _ => {}
        }
        self.check_room()
    }

    fn check_room(&self) -> io::Result<()> {
        let tables = &self.tables;
        let bytes = tables.text.len()
            + tables.ends.len() * size_of::<u32>()
            + tables.mappings.len() * (size_of::<Mapping>() + ID_COST)
            + tables.functions.len() * (size_of::<Function>() + ID_COST)
            + tables.locations.len() * (size_of::<Location>() + ID_COST)
            + tables.lines.len() * size_of::<Line>();
        if bytes > MOST_BYTES {
            return Err(invalid("its tables take more than 16 MiB of memory"));
        }
        Ok(())
    }

    /// The tables, when all of them are there: ids become indices.
    ///
    /// # Errors
    /// An entry refers to what is not there.
    pub(super) fn finish(self) -> io::Result<Tables> {
        let Self {
            mut tables,
            mapping_ids,
            function_ids,
        } = self;
        if tables.ends.is_empty() {
            return Err(invalid("it has no strings"));
        }
        for line in &mut tables.lines {
            let id = line.function;
            let index = function_ids.get(&id);
            let index = index.ok_or_else(|| {
                invalid(&format!(
                    "it refers to the function {id}, which is not there"
                ))
            })?;
            line.function = u64::from(*index);
        }
        for location in &mut tables.locations {
            // One that is not there is none to pprof, too.
            let index = mapping_ids.get(&location.mapping);
            location.mapping = index.map_or(0, |index| u64::from(*index) + 1);
        }
        for mapping in &tables.mappings {
            tables.checked_string(mapping.file)?;
            tables.checked_string(mapping.build_id)?;
        }
        for function in &tables.functions {
            for name in [function.name, function.system_name, function.file] {
                tables.checked_string(name)?;
            }
        }
        Ok(tables)
    }
}

/// Adds the id of an entry that comes next.
fn add_id(ids: &mut HashMap<u64, u32>, id: u64, what: &str) -> io::Result<()> {
    if id == 0 {
        return Err(invalid(&format!("a {what} has the id 0, which is none")));
    }
    let next = index(ids.len())?;
    if ids.insert(id, next).is_some() {
        return Err(invalid(&format!("there are two {what}s with the id {id}")));
    }
    Ok(())
}

/// An index or a place in a table. The bound on memory is met long before it is too large.
fn index(number: usize) -> io::Result<u32> {
    u32::try_from(number).map_err(|_| invalid("its tables take more than 16 MiB of memory"))
}
