//! The profiles of many pods in one tree, whose nodes they share.

use std::io::{self, Read, Seek};

use super::profile::each_stack;
use super::top::TopRow;
use super::tree::Tree;
use crate::pprof::{ProfileReader, SampleType, StackEnd};

/// Why a profile is not added.
pub(super) const OTHER_VALUES: &str = "its values mean something else than those of other pods";

/// Profiles added up, and the one that came last by itself.
#[derive(Debug)]
pub struct MergedTree {
    tree: Tree,
    last: Layer,
}

/// The values of one profile by the nodes of a tree. The next one is read into the same memory.
#[derive(Debug, Default)]
struct Layer {
    /// How many values a node has.
    types: usize,
    /// The values of each node's own, one node after another.
    own: Vec<i64>,
    /// Which nodes have values, by index and in the order in which they came.
    has_values: Vec<bool>,
    nodes: Vec<u32>,
    /// Samples whose innermost functions were left out.
    cut: u64,
}

impl MergedTree {
    /// A tree without a profile, for samples that mean this.
    pub fn new(types: Vec<SampleType>) -> Self {
        let last = Layer {
            types: types.len(),
            ..Layer::default()
        };
        let tree = Tree::new(types);
        Self { tree, last }
    }

    /// Adds a profile, whose values mean what those of the others do.
    ///
    /// # Errors
    /// The profile cannot be read. Nothing of it is added then.
    pub fn add<R: Read + Seek>(&mut self, profile: &mut ProfileReader<R>) -> io::Result<()> {
        let Self { tree, last } = self;
        last.clear();
        let before = tree.size();
        let read = each_stack(profile, tree, |_, end, values| last.add(end, values));
        if read.is_err() {
            last.clear();
            tree.shrink_to(before);
        }
        last.add_to(tree);
        read
    }

    /// All profiles together.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// All profiles together, to which none is added any more.
    pub fn into_tree(self) -> Tree {
        self.tree
    }

    /// The sum of each value of the last profile.
    pub fn totals_of_last(&self) -> Vec<i64> {
        let mut totals = vec![0_i64; self.last.types];
        for node in &self.last.nodes {
            for (sum, value) in totals.iter_mut().zip(self.last.of(*node)) {
                *sum = sum.saturating_add(*value);
            }
        }
        totals
    }

    /// The functions that have the most of a value of the last profile, as [`Tree::top`] has them; `None` if the tree had
    /// no room for all of it.
    pub fn top_of_last(&self, value: usize, most: usize) -> Option<Vec<TopRow>> {
        let last = &self.last;
        if last.cut > 0 {
            return None;
        }
        let nodes = self.tree.nodes().len();
        let mut own = vec![0; nodes];
        for node in &last.nodes {
            own[*node as usize] = last.of(*node)[value];
        }
        let mut has_values = last.has_values.clone();
        has_values.resize(nodes, false);
        Some(self.tree.top_of(own, has_values, most))
    }
}

impl Layer {
    fn of(&self, node: u32) -> &[i64] {
        let from = node as usize * self.types;
        &self.own[from..from + self.types]
    }

    fn add(&mut self, end: StackEnd, values: &[i64]) {
        self.cut += u64::from(end.is_cut);
        let node = end.node as usize;
        if self.has_values.len() <= node {
            self.has_values.resize(node + 1, false);
            self.own.resize((node + 1) * self.types, 0);
        }
        if !std::mem::replace(&mut self.has_values[node], true) {
            self.nodes.push(end.node);
        }
        let from = node * self.types;
        for (sum, value) in self.own[from..].iter_mut().zip(values) {
            *sum = sum.saturating_add(*value);
        }
    }

    /// Adds all values to a tree.
    fn add_to(&self, tree: &mut Tree) {
        for node in &self.nodes {
            tree.add_own(*node, self.of(*node));
        }
        tree.add_cut(self.cut);
    }

    fn clear(&mut self) {
        for node in self.nodes.drain(..) {
            let from = node as usize * self.types;
            self.own[from..from + self.types].fill(0);
            self.has_values[node as usize] = false;
        }
        self.cut = 0;
    }
}
