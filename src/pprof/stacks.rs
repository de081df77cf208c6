//! The stacks of one profile in a tree of calls.

use std::ops::Range;

use super::calls::{CallName, Calls, StackEnd};
use super::reader::{Sample, Tables};

/// Where the stacks of a profile stand in a tree, as far as samples were asked for. There are far more samples than
/// locations, and far more locations than functions.
#[derive(Debug, Default)]
pub struct Stacks {
    /// The name of each function, by the function's index, once it is known.
    of_functions: Vec<Option<CallName>>,
    /// Where the names of each location stand, from the outermost, once they are known.
    places: Vec<Option<Range<usize>>>,
    names: Vec<CallName>,
    /// The locations of the last sample from the outermost, and their innermost nodes: the next one begins like it
    /// most often.
    last: Vec<(u32, u32)>,
}

impl Stacks {
    /// Where a sample's stack ends. Nodes that are new are added.
    pub fn end_of(&mut self, sample: &Sample<'_>, calls: &mut Calls) -> StackEnd {
        let outermost_first = sample.locations().iter().rev();
        let both = self.last.iter().zip(outermost_first.clone());
        let shared = both.take_while(|((last, _), location)| last == *location);
        let shared = shared.count();
        self.last.truncate(shared);
        let mut node = self.last.last().map_or(0, |(_, node)| *node);
        for location in outermost_first.skip(shared) {
            for name in self.names_of(*location, sample.tables(), calls) {
                match name.and_then(|name| calls.called(node, name)) {
                    Some(called) => node = called,
                    None => return StackEnd { node, is_cut: true },
                }
            }
            self.last.push((*location, node));
        }
        let is_cut = false;
        StackEnd { node, is_cut }
    }

    /// The names of a location from the outermost.
    fn names_of(&mut self, location: u32, tables: &Tables, calls: &mut Calls) -> &[CallName] {
        let index = location as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, None);
        }
        let place = match &self.places[index] {
            Some(place) => place.clone(),
            None => {
                let place = self.add_names(index, tables, calls);
                self.places[index] = Some(place.clone());
                place
            }
        };
        &self.names[place]
    }

    fn add_names(&mut self, index: usize, tables: &Tables, calls: &mut Calls) -> Range<usize> {
        let begin = self.names.len();
        let location = tables.locations().get(index);
        let lines = location.map_or(&[][..], |location| tables.lines(location));
        // The name of what has no other.
        let address = location.map_or(0, |location| location.address);
        let address = || format!("{address:016x}");
        for line in lines.iter().rev() {
            let function = line.function as usize;
            if self.of_functions.len() <= function {
                self.of_functions.resize(function + 1, None);
            }
            let known = self.of_functions[function];
            let name = known.unwrap_or_else(|| match tables.string(tables.function(line).name) {
                "" => calls.name_index(&address()),
                name => {
                    let name = calls.name_index(name);
                    self.of_functions[function] = Some(name);
                    name
                }
            });
            self.names.push(name);
        }
        if lines.is_empty() {
            self.names.push(calls.name_index(&address()));
        }
        begin..self.names.len()
    }
}
