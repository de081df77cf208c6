//! Profiles added up by function: a tree of calls.

use hashbrown::HashMap;
use indexmap::IndexSet;

use crate::pprof::SampleType;

/// The most nodes that a tree may have. What comes after them is counted at the caller.
const MOST_NODES: usize = 100_000;

/// A tree of calls. A node is a function as it was called by those above it; the root has no name.
#[derive(Debug)]
pub struct Tree {
    types: Vec<SampleType>,
    names: IndexSet<Box<str>>,
    nodes: Vec<TreeNode>,
    by_call: HashMap<(u32, u32), u32>,
    /// The values of each node's own, one node after another.
    own: Vec<i64>,
    /// Samples whose innermost functions were left out.
    cut: u64,
}

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeNode {
    /// The index of the node that called it; of the root, its own.
    pub caller: u32,
    /// The index of its function's name; of the root, one that means nothing.
    pub name: u32,
}

impl Tree {
    /// A tree of nothing but the root, for samples that mean this.
    pub fn new(types: Vec<SampleType>) -> Self {
        let own = vec![0; types.len()];
        Self {
            types,
            names: IndexSet::new(),
            nodes: vec![TreeNode { caller: 0, name: 0 }],
            by_call: HashMap::new(),
            own,
            cut: 0,
        }
    }

    /// The meaning of each value.
    pub fn types(&self) -> &[SampleType] {
        &self.types
    }

    /// All nodes. A node stands after its caller; the root is the first.
    pub fn nodes(&self) -> &[TreeNode] {
        &self.nodes
    }

    /// A function's name by index.
    pub fn name(&self, index: u32) -> &str {
        self.names
            .get_index(index as usize)
            .map_or("", |name| name.as_ref())
    }

    /// How many samples end in a caller, because the tree had no room for what it called.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// Adds a stack, from the outermost function to the innermost, and its values.
    pub fn add<'a>(&mut self, outermost_first: impl IntoIterator<Item = &'a str>, values: &[i64]) {
        let mut node = 0;
        for name in outermost_first {
            let Some(next) = self.called(node, name) else {
                self.cut += 1;
                break;
            };
            node = next;
        }
        let from = node as usize * self.types.len();
        for (sum, value) in self.own[from..].iter_mut().zip(values) {
            *sum = sum.saturating_add(*value);
        }
    }

    /// The value of each node's own by the index of its type.
    pub fn own(&self, value: usize) -> Vec<i64> {
        let own = self.own.iter().skip(value);
        own.step_by(self.types.len().max(1)).copied().collect()
    }

    /// The value of each node with all that it called, by the index of its type.
    pub fn cumulative(&self, value: usize) -> Vec<i64> {
        let mut sums = self.own(value);
        for (index, node) in self.nodes.iter().enumerate().skip(1).rev() {
            sums[node.caller as usize] = sums[node.caller as usize].saturating_add(sums[index]);
        }
        sums
    }

    fn called(&mut self, caller: u32, name: &str) -> Option<u32> {
        let name = match self.names.get_index_of(name) {
            Some(index) => index,
            None => self.names.insert_full(name.into()).0,
        };
        let name = u32::try_from(name).ok()?;
        if let Some(node) = self.by_call.get(&(caller, name)) {
            return Some(*node);
        }
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        let node = u32::try_from(self.nodes.len()).ok()?;
        self.nodes.push(TreeNode { caller, name });
        self.own.extend(self.types.iter().map(|_| 0));
        self.by_call.insert((caller, name), node);
        Some(node)
    }
}
