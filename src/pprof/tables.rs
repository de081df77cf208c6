//! The tables of a profile (strings, functions, locations), in which each thing stands once.

use hashbrown::DefaultHashBuilder;
use indexmap::IndexSet;

use super::proto::{FUNCTION, LOCATION, STRING_TABLE, put_bytes, put_number};

/// About how many bytes a string, and a location or function, take beside their content: themselves
/// and their places in the tables, which may be half empty.
const STRING_COST: usize = 40;
const LOCATION_COST: usize = 50;

/// A string table. Its first string is empty, as the format demands.
#[derive(Debug)]
pub(super) struct Strings {
    all: IndexSet<Box<str>, DefaultHashBuilder>,
    bytes: usize,
}

impl Strings {
    pub(super) fn new() -> Self {
        let mut strings = Self {
            all: IndexSet::default(),
            bytes: 0,
        };
        strings.intern("");
        strings
    }

    /// The index of a string, which is added if it is new.
    pub(super) fn intern(&mut self, text: &str) -> usize {
        self.find(text).unwrap_or_else(|| {
            self.bytes += text.len() + STRING_COST;
            self.all.insert_full(text.into()).0
        })
    }

    /// The index of a string, if it is there.
    fn find(&self, text: &str) -> Option<usize> {
        self.all.get_index_of(text)
    }

    /// The string with this index.
    pub(super) fn get(&self, index: usize) -> &str {
        self.all.get_index(index).map_or("", |text| text)
    }

    /// All strings, by index.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|text| &**text)
    }

    /// About how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A function, by the indices of its name and file.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Function {
    name: usize,
    file: usize,
}

/// A location, with its function's id; 0 is none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Location {
    pc: u64,
    function: usize,
    line: i64,
}

/// The three tables. A function's or location's id is its index and 1, for 0 is none.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) strings: Strings,
    functions: IndexSet<Function, DefaultHashBuilder>,
    locations: IndexSet<Location, DefaultHashBuilder>,
}

impl Tables {
    pub(super) fn new() -> Self {
        Self {
            strings: Strings::new(),
            functions: IndexSet::default(),
            locations: IndexSet::default(),
        }
    }

    /// The id of a location by its PC, function, file and line, if it is there.
    pub(super) fn find_location(
        &self,
        pc: u64,
        function: &str,
        file: &str,
        line: i64,
    ) -> Option<u64> {
        let function = self.functions.get_index_of(&Function {
            name: self.strings.find(function)?,
            file: self.strings.find(file)?,
        })?;
        let location = Location {
            pc,
            function: function + 1,
            line,
        };
        let index = self.locations.get_index_of(&location)?;
        Some(index as u64 + 1)
    }

    /// The id of a location by its PC, function, file and line, which is added if it is new.
    pub(super) fn location(&mut self, pc: u64, function: &str, file: &str, line: i64) -> u64 {
        let (function, _) = self.functions.insert_full(Function {
            name: self.strings.intern(function),
            file: self.strings.intern(file),
        });
        self.insert(Location {
            pc,
            function: function + 1,
            line,
        })
    }

    /// The id of a location that has a PC alone, which is added if it is new.
    pub(super) fn bare_location(&mut self, pc: u64) -> u64 {
        let (function, line) = (0, 0);
        self.insert(Location { pc, function, line })
    }

    fn insert(&mut self, location: Location) -> u64 {
        self.locations.insert_full(location).0 as u64 + 1
    }

    /// About how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.strings.bytes() + (self.locations.len() + self.functions.len()) * LOCATION_COST
    }

    /// Appends the tables, as fields of the message Profile.
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        for (id, location) in (1..).zip(&self.locations) {
            let mut message = Vec::new();
            put_number(&mut message, 1, id);
            put_number(&mut message, 2, 1);
            put_number(&mut message, 3, location.pc);
            if location.function != 0 {
                let mut line = Vec::new();
                put_number(&mut line, 1, location.function as u64);
                put_number(&mut line, 2, location.line.cast_unsigned());
                put_bytes(&mut message, 4, &line);
            }
            put_bytes(out, LOCATION, &message);
        }
        for (id, function) in (1..).zip(&self.functions) {
            let mut message = Vec::new();
            put_number(&mut message, 1, id);
            put_number(&mut message, 2, function.name as u64);
            put_number(&mut message, 3, function.name as u64);
            put_number(&mut message, 4, function.file as u64);
            put_bytes(out, FUNCTION, &message);
        }
        for text in self.strings.iter() {
            put_bytes(out, STRING_TABLE, text.as_bytes());
        }
    }
}
