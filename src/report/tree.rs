//! Profiles added up by function: a tree of calls.

use std::borrow::Cow;

use hashbrown::HashMap;

use crate::pprof::{CallNode, Calls, CallsSize, Sample, SampleType, StackEnd, Stacks};

/// The name of a node that stands for small ones.
const SMALL: &str = "(small frames)";

/// A tree of calls. A node is a function as it was called by those above it; the root has no name.
#[derive(Debug)]
pub struct Tree {
    types: Vec<SampleType>,
    calls: Calls,
    /// The values of each node's own, one node after another.
    own: Vec<i64>,
    /// Samples whose innermost functions were left out.
    cut: u64,
    /// How many frames the nodes stand for into which others were folded.
    folded: HashMap<u32, u32>,
}

impl Tree {
    /// A tree of nothing but the root, for samples that mean this.
    pub fn new(types: Vec<SampleType>) -> Self {
        let own = vec![0; types.len()];
        Self {
            types,
            calls: Calls::default(),
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
    pub fn nodes(&self) -> &[CallNode] {
        self.calls.nodes()
    }

    /// A function's name by index.
    pub fn name(&self, index: u32) -> &str {
        self.calls.name(index)
    }

    /// How many names there are.
    pub(super) fn names(&self) -> usize {
        self.calls.names()
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
        let mut node = 0;
        for name in outermost_first {
            match self.called(node, name) {
                Some(called) => node = called,
                None => {
                    self.add_cut(1);
                    break;
                }
            }
        }
        self.add_own(node, values);
    }

    /// Adds all of another tree, whose values mean the same.
    pub fn absorb(&mut self, other: &Self) {
        self.absorb_as(other, |name| name.into());
    }

    /// Adds all of another tree, whose functions have other names here.
    pub fn absorb_as(&mut self, other: &Self, name: impl Fn(&str) -> Cow<'_, str>) {
        self.absorb_with(other, name, |tree, node, values| tree.add_own(node, values));
    }

    /// Visits all of another tree, whose functions have other names here: the node of each here, and its own values.
    pub(super) fn absorb_with(
        &mut self,
        other: &Self,
        name: impl Fn(&str) -> Cow<'_, str>,
        mut visit: impl FnMut(&mut Self, u32, &[i64]),
    ) {
        self.cut += other.cut;
        let names: Vec<_> = (0..other.names())
            .map(|index| name(other.name(index as u32)))
            .collect();
        // Where each node stands here, and whether that is but a caller of it.
        let mut here = vec![(0, false); other.nodes().len()];
        for (index, node) in other.nodes().iter().enumerate() {
            if index > 0 {
                let (caller, is_cut) = here[node.caller as usize];
                let name = names.get(node.name as usize).filter(|_| !is_cut);
                let called = name.and_then(|name| self.called(caller, name));
                here[index] = called.map_or((caller, true), |called| (called, false));
            }
            let (node, is_cut) = here[index];
            let values = other.own_of(index);
            self.cut += u64::from(is_cut && values.iter().any(|value| *value != 0));
            visit(self, node, values);
        }
    }

    /// Where a sample's stack ends. Nodes that are new are added.
    pub(super) fn end_of(&mut self, sample: &Sample<'_>, stacks: &mut Stacks) -> StackEnd {
        let end = stacks.end_of(sample, &mut self.calls);
        self.own.resize(self.nodes().len() * self.types.len(), 0);
        end
    }

    /// Adds values where a stack ends.
    pub(super) fn add_at(&mut self, end: StackEnd, values: &[i64]) {
        self.add_cut(end.is_cut.into());
        self.add_own(end.node, values);
    }

    /// Notes that so many samples end in a caller, because there was no room.
    pub(super) fn add_cut(&mut self, samples: u64) {
        self.cut += samples;
    }

    /// How large it is.
    pub(super) fn size(&self) -> CallsSize {
        self.calls.size()
    }

    /// Forgets the nodes and the names that came since it had this size, which have no values.
    pub(super) fn shrink_to(&mut self, size: CallsSize) {
        self.calls.shrink_to(size);
        self.own.truncate(self.nodes().len() * self.types.len());
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
        for (index, node) in self.nodes().iter().enumerate().skip(1).rev() {
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
        let name = self.calls.name_index(name)?;
        let node = self.calls.called(caller, name);
        self.own.resize(self.nodes().len() * self.types.len(), 0);
        node
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
        self.calls = self.calls.finished();
        self.cut = cut;
        self.own.shrink_to_fit();
        self
    }
}
