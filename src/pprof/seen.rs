//! Lines that were seen before, and what came of them. A text repeats its frames some hundred times,
//! and to find a line is cheaper than to take it apart.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// About what a line takes in memory beside its text.
const COST: usize = 40;

/// A line's place in `Seen::text`, and the id that it stands for.
#[derive(Debug, Clone, Copy)]
struct Line {
    start: usize,
    end: usize,
    id: u64,
}

/// Lines by their text.
#[derive(Debug, Default)]
pub(super) struct Seen {
    hasher: DefaultHashBuilder,
    index: HashTable<Line>,
    text: Vec<u8>,
}

impl Seen {
    /// What came of a line.
    pub(super) fn find(&self, line: &[u8]) -> Option<u64> {
        let same = |seen: &Line| self.text.get(seen.start..seen.end) == Some(line);
        let seen = self.index.find(self.hasher.hash_one(line), same)?;
        Some(seen.id)
    }

    /// Notes what came of a line that is new.
    pub(super) fn add(&mut self, line: &[u8], id: u64) {
        let Self {
            hasher,
            index,
            text,
        } = self;
        let start = text.len();
        text.extend_from_slice(line);
        let end = text.len();
        let rehash =
            |seen: &Line| hasher.hash_one(text.get(seen.start..seen.end).unwrap_or_default());
        index.insert_unique(hasher.hash_one(line), Line { start, end, id }, rehash);
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.index.len() * COST
    }
}
