//! One profile, for a report.

use std::io::{self, Read, Seek};

use hashbrown::HashMap;

use super::tree::Tree;
use crate::pprof::{Frame, Header, ProfileReader};

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
    let mut tree = Tree::new(profile.header().sample_types.clone());
    let mut known = HashMap::new();
    let mut stack = Vec::new();
    profile.each_sample(|sample| {
        if sample.values.iter().all(|value| *value == 0) {
            return Ok(());
        }
        stack.clear();
        stack.extend(
            sample
                .frames()
                .map(|frame| name(&mut tree, &mut known, frame)),
        );
        stack.reverse();
        tree.add_named(&stack, sample.values);
        Ok(())
    })?;
    Ok(tree)
}

/// The index of a frame's name. A name is looked up once, and then known by its place in the profile's table.
fn name(tree: &mut Tree, known: &mut HashMap<usize, Option<u32>>, frame: Frame<'_>) -> Option<u32> {
    match frame.function {
        "" => tree.name_index(&format!("{:016x}", frame.address)),
        name => *known
            .entry(name.as_ptr().addr())
            .or_insert_with(|| tree.name_index(name)),
    }
}
