//! One profile, for a report.

use std::io::{self, Read, Seek};

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
    let mut addresses = Addresses::default();
    profile.each_sample(|sample| {
        if sample.values.iter().all(|value| *value == 0) {
            return Ok(());
        }
        let mut stack: Vec<_> = sample.frames().collect();
        stack.reverse();
        addresses.name_all(&stack);
        let names = stack
            .iter()
            .enumerate()
            .map(|(index, frame)| match frame.function {
                "" => addresses.name(index),
                name => name,
            });
        tree.add(names, sample.values);
        Ok(())
    })?;
    Ok(tree)
}

/// The names of frames that have an address alone.
#[derive(Default)]
struct Addresses(Vec<String>);

impl Addresses {
    fn name_all(&mut self, stack: &[Frame<'_>]) {
        self.0.clear();
        if stack.iter().any(|frame| frame.function.is_empty()) {
            let name = |frame: &Frame<'_>| format!("{:016x}", frame.address);
            self.0.extend(stack.iter().map(name));
        }
    }

    fn name(&self, index: usize) -> &str {
        self.0.get(index).map_or("", String::as_str)
    }
}
