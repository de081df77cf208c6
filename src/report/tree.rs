//! Profiles added up by function: a tree of calls.

use std::borrow::Cow;

use hashbrown::HashMap;
use indexmap::IndexSet;

use crate::pprof::SampleType;

/// The most nodes that a tree may have. What comes after them is counted at the caller.
const MOST_NODES: usize = 60_000;

/// The most that the names in a tree may take, in bytes. Those of a component take a tenth of it.
const MOST_NAMES: usize = 2 << 20;

/// The name of a node that stands for small ones.
const SMALL: &str = "(small frames)";

/// A name in a tree, by index; none if the tree had no room for it.
pub(super) type TreeName = Option<u32>;

/// A caller's node and the name of what it calls.
type Call = u64;

/// A tree of calls. A node is a function as it was called by those above it; the root has no name.
#[derive(Debug)]
pub struct Tree {
    types: Vec<SampleType>,
    names: IndexSet<Box<str>, hashbrown::DefaultHashBuilder>,
    name_bytes: usize,
    nodes: Vec<TreeNode>,
    by_call: HashMap<Call, u32>,
    /// The names and nodes of the stack that was added last: the next one begins like it most often.
    last: Vec<(u32, u32)>,
    /// The values of each node's own, one node after another.
    own: Vec<i64>,
    /// Samples whose innermost functions were left out.
    cut: u64,
    /// How many frames the nodes stand for into which others were folded.
    folded: HashMap<u32, u32>,
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
            names: IndexSet::default(),
            name_bytes: 0,
            nodes: vec![TreeNode { caller: 0, name: 0 }],
            by_call: HashMap::new(),
            last: Vec::new(),
            own,
            cut: 0,
            folded: HashMap::new(),
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

    /// How many names there are.
    pub(super) fn names(&self) -> usize {
        self.names.len()
    }

    /// How many samples end in a caller, because the tree had no room for what it called.
    pub fn cut(&self) -> u64 {
        self.cut
    }

    /// How many frames were folded into a node, which stands for nothing else then; 0 of any other node.
    pub fn small_frames(&self, node: u32) -> u32 {
        self.folded.get(&node).copied().unwrap_or_default()
    }

    /// Whether a node stands for small ones.
    pub(super) fn is_small(&self, node: u32) -> bool {
        self.folded.contains_key(&node)
    }

    /// Adds a stack, from the outermost function to the innermost, and its values.
    pub fn add<'a>(&mut self, outermost_first: impl IntoIterator<Item = &'a str>, values: &[i64]) {
        let names: Vec<_> = outermost_first
            .into_iter()
            .map(|name| self.name_index(name))
            .collect();
        self.add_named(&names, values);
    }

    /// Adds a stack of names of this tree, from the outermost, and its values.
    pub(super) fn add_named(&mut self, outermost_first: &[TreeName], values: &[i64]) {
        let last = self.last.iter().map(|(name, _)| Some(*name));
        let mut both = last.zip(outermost_first);
        let shared = both.position(|(last, name)| last != *name);
        let shared = shared.unwrap_or(self.last.len().min(outermost_first.len()));
        self.last.truncate(shared);
        let mut node = self.last.last().map_or(0, |(_, node)| *node);
        for name in outermost_first.iter().skip(shared) {
            let next = name.and_then(|name| Some((name, self.called_by(node, name)?)));
            let Some((name, next)) = next else {
                self.cut += 1;
                break;
            };
            node = next;
            self.last.push((name, node));
        }
        self.add_own(node, values);
    }

    /// Adds all of another tree, whose values mean the same.
    pub fn absorb(&mut self, other: &Self) {
        self.absorb_as(other, |name| name.into());
    }

    /// Adds all of another tree, whose functions have other names here.
    pub fn absorb_as(&mut self, other: &Self, name: impl Fn(&str) -> Cow<'_, str>) {
        self.cut += other.cut;
        let names = other.names.iter();
        let names: Vec<_> = names.map(|of| self.name_index(&name(of))).collect();
        let mut here = vec![0; other.nodes.len()];
        let mut is_cut = vec![false; other.nodes.len()];
        for (index, node) in other.nodes.iter().enumerate() {
            let caller = node.caller as usize;
            if index > 0 {
                here[index] = here[caller];
                let name = names[node.name as usize].filter(|_| !is_cut[caller]);
                match name.and_then(|name| self.called_by(here[caller], name)) {
                    Some(called) => here[index] = called,
                    None => is_cut[index] = true,
                }
            }
            let values = other.own_of(index);
            self.cut += u64::from(is_cut[index] && values.iter().any(|value| *value != 0));
            self.add_own(here[index], values);
        }
    }

    /// The value of each node's own by the index of its type.
    pub fn own(&self, value: usize) -> Vec<i64> {
        let own = self.own.iter().skip(value);
        own.step_by(self.types.len().max(1)).copied().collect()
    }

    /// The value of each node with all that it called, by the index of its type.
    pub fn cumulative(&self, value: usize) -> Vec<i64> {
        self.with_called(self.own(value))
    }

    /// The sum of each value.
    pub fn totals(&self) -> Vec<i64> {
        let sum = |value| {
            self.own(value)
                .iter()
                .fold(0, |sum: i64, own| sum.saturating_add(*own))
        };
        (0..self.types.len()).map(sum).collect()
    }

    /// Adds to each node's number those of all that it called.
    pub(super) fn with_called(&self, mut sums: Vec<i64>) -> Vec<i64> {
        for (index, node) in self.nodes.iter().enumerate().skip(1).rev() {
            let sum = sums[index];
            let caller = &mut sums[node.caller as usize];
            *caller = caller.saturating_add(sum);
        }
        sums
    }

    /// The values of a node's own.
    pub(super) fn own_of(&self, node: usize) -> &[i64] {
        let from = node * self.types.len();
        self.own
            .get(from..from + self.types.len())
            .unwrap_or_default()
    }

    /// Adds values to a node's own.
    pub(super) fn add_own(&mut self, node: u32, values: &[i64]) {
        let from = node as usize * self.types.len();
        for (sum, value) in self.own[from..].iter_mut().zip(values) {
            *sum = sum.saturating_add(*value);
        }
    }

    /// The node of a function as this one calls it, which is added if it is new; `None` if there is no room.
    pub(super) fn called(&mut self, caller: u32, name: &str) -> Option<u32> {
        let name = self.name_index(name)?;
        self.called_by(caller, name)
    }

    /// The same of a name of this tree.
    fn called_by(&mut self, caller: u32, name: u32) -> Option<u32> {
        let call = u64::from(caller) << 32 | u64::from(name);
        if let Some(node) = self.by_call.get(&call) {
            return Some(*node);
        }
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        let node = self.nodes.len() as u32;
        self.nodes.push(TreeNode { caller, name });
        self.own.extend(self.types.iter().map(|_| 0));
        self.by_call.insert(call, node);
        Some(node)
    }

    /// The index of a name, which is added if it is new.
    pub(super) fn name_index(&mut self, name: &str) -> TreeName {
        if let Some(known) = self.names.get_index_of(name) {
            return Some(known as u32);
        }
        let has_room = self.name_bytes + name.len() <= MOST_NAMES;
        if self.nodes.len() >= MOST_NODES || !has_room {
            return None;
        }
        self.name_bytes += name.len();
        Some(self.names.insert_full(name.into()).0 as u32)
    }

    /// A new node among what a node calls, for those that are too small for nodes of their own.
    pub(super) fn small_below(&mut self, caller: u32) -> Option<u32> {
        let node = self.called(caller, SMALL)?;
        self.folded.entry(node).or_default();
        Some(node)
    }

    /// Folds so many frames into a node.
    pub(super) fn fold_into(&mut self, node: u32, frames: u32) {
        if let Some(folded) = self.folded.get_mut(&node) {
            *folded = folded.saturating_add(frames);
        }
    }

    /// The same, to which nothing is added any more, in less memory.
    #[must_use]
    pub(super) fn finished(mut self, cut: u64) -> Self {
        self.by_call = HashMap::new();
        self.cut = cut;
        self.nodes.shrink_to_fit();
        self.own.shrink_to_fit();
        self
    }
}
