//! The tables of what was merged, in which each thing stands once, whichever profiles it came from.

use hashbrown::DefaultHashBuilder;
use indexmap::{IndexMap, IndexSet};

use crate::reader::{Function, LabelId, Line, Mapping, Tables};
use crate::tables::Strings;

/// About how many bytes an entry of a set takes beside itself: its hash, and its place, which may be half empty.
pub(super) const SET_COST: usize = 20;

/// What a mapping's size is rounded up to, so that small discrepancies make no other of it.
const PAGE: u64 = 0x1000;

/// What tells a mapping from the others.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MappingKey {
    size: u64,
    offset: u64,
    build_id_or_file: u32,
}

/// A location, whose address counts from its mapping's start: where a program lies in memory differs.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Location {
    /// An index and 1; 0 is none.
    pub(super) mapping: u32,
    pub(super) address: u64,
    pub(super) is_folded: bool,
    /// Their functions are indices.
    pub(super) lines: Box<[Line]>,
}

/// The tables.
#[derive(Debug)]
pub(super) struct MergedTables {
    pub(super) strings: Strings,
    mappings: IndexMap<MappingKey, Mapping, DefaultHashBuilder>,
    functions: IndexSet<Function, DefaultHashBuilder>,
    locations: IndexSet<Location, DefaultHashBuilder>,
    line_count: usize,
    /// For each location of the profile that is being added the index here and 1; 0 where it is not known yet.
    known: Vec<u32>,
}

impl Default for MergedTables {
    fn default() -> Self {
        Self {
            strings: Strings::new(),
            mappings: IndexMap::default(),
            functions: IndexSet::default(),
            locations: IndexSet::default(),
            line_count: 0,
            known: Vec::new(),
        }
    }
}

impl MergedTables {
    /// Begins with another profile, which has these tables.
    pub(super) fn begin(&mut self, tables: &Tables) {
        self.known.clear();
        self.known.resize(tables.locations().len(), 0);
        // The first mapping is that of the program itself, and stays the first.
        if let (true, Some(mapping)) = (self.mappings.is_empty(), tables.first_mapping()) {
            self.mapping(mapping, tables);
        }
    }

    /// The index of a string of other tables.
    fn string(&mut self, index: u32, tables: &Tables) -> u32 {
        self.strings.intern(tables.string(index)) as u32
    }

    /// The index of a location, which is added if it is new.
    pub(super) fn location(&mut self, index: u32, tables: &Tables) -> u32 {
        let at = index as usize;
        let known = self.known.get(at).copied().unwrap_or(0);
        if let Some(known) = known.checked_sub(1) {
            return known;
        }
        let merged = self.add_location(at, tables);
        if let Some(known) = self.known.get_mut(at) {
            *known = merged + 1;
        }
        merged
    }

    /// The index of a location of a function that only has a name, which is added if it is new.
    pub(super) fn named_location(&mut self, name: &str) -> u32 {
        let name = self.strings.intern(name) as u32;
        let function = Function {
            name,
            system_name: name,
            ..Function::default()
        };
        let function = self.functions.insert_full(function).0 as u64;
        let line = Line {
            function,
            ..Line::default()
        };
        let location = Location {
            mapping: u32::from(!self.mappings.is_empty()),
            address: 0,
            is_folded: false,
            lines: [line].into(),
        };
        let (index, is_new) = self.locations.insert_full(location);
        self.line_count += usize::from(is_new);
        index as u32
    }

    fn add_location(&mut self, index: usize, tables: &Tables) -> u32 {
        let empty = Location {
            mapping: 0,
            address: 0,
            is_folded: false,
            lines: Box::default(),
        };
        let Some(location) = tables.locations().get(index) else {
            return self.locations.insert_full(empty).0 as u32;
        };
        let mapping = tables.mapping(location);
        let start = mapping.map_or(0, |mapping| mapping.start);
        let lines = tables.lines(location).iter().map(|line| Line {
            function: self.function(tables.function(line), tables),
            ..*line
        });
        let lines: Box<[Line]> = lines.collect();
        let line_count = lines.len();
        let mapping = mapping.map_or(0, |mapping| self.mapping(mapping, tables) + 1);
        let (index, is_new) = self.locations.insert_full(Location {
            mapping,
            address: location.address.wrapping_sub(start),
            is_folded: location.is_folded,
            lines,
        });
        if is_new {
            self.line_count += line_count;
        }
        index as u32
    }

    fn function(&mut self, function: Function, tables: &Tables) -> u64 {
        let function = Function {
            name: self.string(function.name, tables),
            system_name: self.string(function.system_name, tables),
            file: self.string(function.file, tables),
            start_line: function.start_line,
        };
        self.functions.insert_full(function).0 as u64
    }

    /// The index of a mapping, which is added if it is new.
    fn mapping(&mut self, mapping: &Mapping, tables: &Tables) -> u32 {
        let file = self.string(mapping.file, tables);
        let build_id = self.string(mapping.build_id, tables);
        let size = mapping.limit.wrapping_sub(mapping.start);
        let size = size.wrapping_add(PAGE - 1);
        let key = MappingKey {
            size: size - size % PAGE,
            offset: mapping.offset,
            build_id_or_file: if build_id == 0 { file } else { build_id },
        };
        let entry = self.mappings.entry(key);
        let index = entry.index();
        entry.or_insert(Mapping {
            file,
            build_id,
            ..*mapping
        });
        index as u32
    }

    /// A label of other tables.
    pub(super) fn label(&mut self, label: LabelId, tables: &Tables) -> LabelId {
        match label {
            LabelId::Text { name, text } => LabelId::Text {
                name: self.string(name, tables),
                text: self.string(text, tables),
            },
            LabelId::Number { name, number, unit } => LabelId::Number {
                name: self.string(name, tables),
                number,
                unit: self.string(unit, tables),
            },
        }
    }

    /// The mapping with this index.
    pub(super) fn get_mapping(&self, index: u32) -> Option<&Mapping> {
        let entry = self.mappings.get_index(index as usize);
        entry.map(|(_, mapping)| mapping)
    }

    /// The function with this index.
    pub(super) fn get_function(&self, index: u64) -> Option<&Function> {
        self.functions.get_index(usize::try_from(index).ok()?)
    }

    /// The location with this index.
    pub(super) fn get_location(&self, index: u32) -> Option<&Location> {
        self.locations.get_index(index as usize)
    }

    /// For each location whether it is in such a function.
    pub(super) fn locations_in(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<bool> {
        let wanted = |function: &Function| is_wanted(self.strings.get(function.name as usize));
        let functions: Vec<_> = self.functions.iter().map(wanted).collect();
        let is_in = |line: &Line| functions.get(line.function as usize) == Some(&true);
        let locations = self.locations.iter();
        locations
            .map(|location| location.lines.iter().any(is_in))
            .collect()
    }

    /// About how many bytes of memory they take.
    pub(super) fn bytes(&self) -> usize {
        let mapping = size_of::<MappingKey>() + size_of::<Mapping>() + SET_COST;
        self.strings.bytes()
            + self.mappings.len() * mapping
            + self.functions.len() * (size_of::<Function>() + SET_COST)
            + self.locations.len() * (size_of::<Location>() + SET_COST)
            + self.line_count * size_of::<Line>()
            + self.known.len() * size_of::<u32>()
    }
}
