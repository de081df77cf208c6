//! One profile, for a report.

use std::io::{self, Read, Seek};
use std::ops::Range;

use super::tree::{Tree, TreeName};
use crate::pprof::{Header, ProfileReader, Sample, SampleType};

/// The index of the value that a viewer shows when none is asked for.
pub(super) fn shown_first(header: &Header) -> usize {
    let types = &header.sample_types;
    let wanted = types
        .iter()
        .position(|value| value.name == header.default_sample_type);
    wanted.unwrap_or(types.len().saturating_sub(1))
}

/// A profile, added up by function.
///
/// # Errors
/// It cannot be read.
pub fn tree<R: Read + Seek>(profile: &mut ProfileReader<R>) -> io::Result<Tree> {
    let types = profile.header().sample_types.clone();
    tree_of(profile, types, |values, own| own.extend_from_slice(values))
}

/// Other values of a profile, which are worked out of each sample's, added up by function.
///
/// # Errors
/// It cannot be read.
pub fn tree_of<R: Read + Seek>(
    profile: &mut ProfileReader<R>,
    types: Vec<SampleType>,
    work_out: impl Fn(&[i64], &mut Vec<i64>),
) -> io::Result<Tree> {
    let mut tree = Tree::new(types);
    let mut named = Named::default();
    let (mut stack, mut values) = (Vec::new(), Vec::new());
    profile.each_sample(|sample| {
        values.clear();
        work_out(sample.values, &mut values);
        if values.iter().all(|value| *value == 0) {
            return Ok(());
        }
        stack.clear();
        for location in sample.locations().iter().rev() {
            stack.extend(named.location(*location, sample, &mut tree));
        }
        tree.add_named(&stack, &values);
        Ok(())
    })?;
    Ok(tree)
}

/// The names of a profile's locations in a tree. There are far more samples than locations.
#[derive(Default)]
struct Named {
    /// Where the names of each location stand, once they are known.
    places: Vec<Option<Range<usize>>>,
    names: Vec<TreeName>,
}

impl Named {
    /// The names of a location from the outermost.
    fn location(&mut self, location: u32, sample: &Sample<'_>, tree: &mut Tree) -> &[TreeName] {
        let index = location as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, None);
        }
        let place = self.places[index].get_or_insert_with(|| {
            let begin = self.names.len();
            let names = sample
                .frames_of(location)
                .map(|frame| match frame.function {
                    "" => tree.name_index(&format!("{:016x}", frame.address)),
                    name => tree.name_index(name),
                });
            self.names.extend(names);
            self.names[begin..].reverse();
            begin..self.names.len()
        });
        &self.names[place.clone()]
    }
}
