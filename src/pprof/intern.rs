//! The tables of a profile, in which each thing stands once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::wire::{put_bytes, put_number};

/// About what a string and a location take beside their content: themselves and their places in
/// the tables, which may be half empty.
const STRING_COST: usize = 40;
const LOCATION_COST: usize = 50;

/// A frame as a text names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Frame<'a> {
    /// Zero where the text does not say.
    pub(super) pc: u64,
    pub(super) function: &'a [u8],
    pub(super) file: &'a [u8],
    pub(super) line: i64,
}

/// Where a string table has the empty string.
pub(super) const NO_TEXT: usize = 0;

/// A string table. Its first string is empty, as the format demands.
#[derive(Debug, Default)]
pub(super) struct Strings {
    hasher: DefaultHashBuilder,
    index: HashTable<usize>,
    all: Vec<Box<str>>,
    bytes: usize,
}

impl Strings {
    pub(super) fn new() -> Self {
        let mut strings = Self::default();
        strings.intern("");
        strings
    }

    pub(super) fn intern(&mut self, text: &str) -> usize {
        let Self {
            hasher, index, all, ..
        } = self;
        let hash = |text: &str| hasher.hash_one(text);
        let same = |at: &usize| all.get(*at).is_some_and(|known| **known == *text);
        if let Some(at) = index.find(hash(text), same) {
            return *at;
        }
        let at = all.len();
        all.push(text.into());
        let rehash = |at: &usize| all.get(*at).map_or(0, |text| hash(text));
        index.insert_unique(hash(text), at, rehash);
        self.bytes += text.len() + STRING_COST;
        at
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn get(&self, at: usize) -> &[u8] {
        self.all.get(at).map_or(&[], |text| text.as_bytes())
    }

    /// The strings, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(AsRef::as_ref)
    }
}

#[derive(Debug)]
struct Location {
    pc: u64,
    function: usize,
    line: i64,
}

/// Functions by name and file; locations by PC, function and line.
#[derive(Debug, Default)]
pub(super) struct Locations {
    hasher: DefaultHashBuilder,
    index: HashTable<usize>,
    all: Vec<Location>,
    function_index: HashTable<usize>,
    /// Name and file.
    functions: Vec<(usize, usize)>,
}

impl Locations {
    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        (self.all.len() + self.functions.len()) * LOCATION_COST
    }

    /// The id of a frame that is known already.
    pub(super) fn find(&self, frame: Frame<'_>, strings: &Strings) -> Option<u64> {
        let same = |at: &usize| self.frame(*at, strings) == Some(frame);
        let at = self.index.find(self.hasher.hash_one(frame), same)?;
        Some(*at as u64 + 1)
    }

    /// Adds a frame that is not, of this name and file, and gives its id.
    pub(super) fn add(
        &mut self,
        frame: Frame<'_>,
        name: usize,
        file: usize,
        strings: &Strings,
    ) -> u64 {
        let function = self.function((name, file));
        let at = self.all.len();
        self.all.push(Location {
            pc: frame.pc,
            function,
            line: frame.line,
        });
        let mut index = std::mem::take(&mut self.index);
        index.insert_unique(self.hasher.hash_one(frame), at, |at| {
            self.hasher
                .hash_one(self.frame(*at, strings).unwrap_or(frame))
        });
        self.index = index;
        at as u64 + 1
    }

    fn function(&mut self, key: (usize, usize)) -> usize {
        let Self {
            hasher,
            function_index,
            functions,
            ..
        } = self;
        let same = |at: &usize| functions.get(*at) == Some(&key);
        if let Some(at) = function_index.find(hasher.hash_one(key), same) {
            return *at;
        }
        let at = functions.len();
        functions.push(key);
        let rehash = |at: &usize| hasher.hash_one(functions.get(*at).unwrap_or(&key));
        function_index.insert_unique(hasher.hash_one(key), at, rehash);
        at
    }

    fn frame<'a>(&self, at: usize, strings: &'a Strings) -> Option<Frame<'a>> {
        let location = self.all.get(at)?;
        let (name, file) = *self.functions.get(location.function)?;
        Some(Frame {
            pc: location.pc,
            function: strings.get(name),
            file: strings.get(file),
            line: location.line,
        })
    }

    /// Appends the messages Location and Function.
    pub(super) fn put(&self, out: &mut Vec<u8>, location_field: u64, function_field: u64) {
        for (id, location) in (1..).zip(&self.all) {
            let mut line = Vec::new();
            put_number(&mut line, 1, location.function as u64 + 1);
            put_number(&mut line, 2, location.line.cast_unsigned());
            let mut message = Vec::new();
            put_number(&mut message, 1, id);
            put_number(&mut message, 2, 1);
            put_number(&mut message, 3, location.pc);
            put_bytes(&mut message, 4, &line);
            put_bytes(out, location_field, &message);
        }
        for (id, (name, file)) in (1..).zip(&self.functions) {
            let mut message = Vec::new();
            put_number(&mut message, 1, id);
            put_number(&mut message, 2, *name as u64);
            put_number(&mut message, 3, *name as u64);
            put_number(&mut message, 4, *file as u64);
            put_bytes(out, function_field, &message);
        }
    }
}
