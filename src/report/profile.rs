//! One profile, for a report.

use std::io::{self, Read, Seek};

use super::tree::Tree;
use crate::pprof::{Header, ProfileReader, SampleType, StackEnd, Stacks};

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
    each_stack(profile, &mut tree, Tree::add_at)?;
    Ok(tree)
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
    let (mut stacks, mut own) = (Stacks::default(), Vec::new());
    profile.each_sample(|sample| {
        own.clear();
        work_out(sample.values, &mut own);
        if own.iter().all(|value| *value == 0) {
            return Ok(());
        }
        let end = tree.end_of(sample, &mut stacks);
        tree.add_at(end, &own);
        Ok(())
    })?;
    Ok(tree)
}

/// Visits every sample that has a value: where its stack ends in a tree, which gets the nodes that are new, and its
/// values.
///
/// # Errors
/// The profile cannot be read.
pub(super) fn each_stack<R: Read + Seek>(
    profile: &mut ProfileReader<R>,
    tree: &mut Tree,
    mut visit: impl FnMut(&mut Tree, StackEnd, &[i64]),
) -> io::Result<()> {
    let mut stacks = Stacks::default();
    profile.each_sample(|sample| {
        if sample.values.iter().all(|value| *value == 0) {
            return Ok(());
        }
        let end = tree.end_of(sample, &mut stacks);
        visit(tree, end, sample.values);
        Ok(())
    })
}
