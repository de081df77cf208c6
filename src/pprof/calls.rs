//! Who calls whom in the stacks of profiles: a tree of calls, in which each function stands once below each that called
//! it.

use std::iter::successors;

use hashbrown::{DefaultHashBuilder, HashMap};
use indexmap::IndexSet;

/// The most nodes that a tree may have.
const MOST_NODES: usize = 60_000;

/// The most that the names in a tree may take, in bytes. Those of a component take a tenth of it.
const MOST_NAMES: usize = 2 << 20;

/// A name in a tree, by index; none if the tree had no room for it.
pub type CallName = Option<u32>;

/// A node of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallNode {
    /// The index of the node that called it; of the root, its own.
    pub caller: u32,
    /// The index of its function's name; of the root, one that means nothing.
    pub name: u32,
    /// Whether its function is above it, too.
    pub is_recursive: bool,
}

/// Where a stack ends in a tree.
#[derive(Debug, Clone, Copy)]
pub struct StackEnd {
    /// The node, by index.
    pub node: u32,
    /// Whether the stack's innermost functions were left out, for there was no room.
    pub is_cut: bool,
}

/// How large a tree is.
#[derive(Debug, Clone, Copy)]
pub struct CallsSize {
    nodes: usize,
    names: usize,
    name_bytes: usize,
}

/// The nodes of a tree, each after its caller, and their names.
#[derive(Debug)]
pub struct Calls {
    names: IndexSet<Box<str>, DefaultHashBuilder>,
    name_bytes: usize,
    nodes: Vec<CallNode>,
    /// Each node by its caller and its name.
    by_call: HashMap<u64, u32>,
}

impl Default for Calls {
    /// Nothing but the root.
    fn default() -> Self {
        let root = CallNode {
            caller: 0,
            name: 0,
            is_recursive: false,
        };
        Self {
            names: IndexSet::default(),
            name_bytes: 0,
            nodes: vec![root],
            by_call: HashMap::new(),
        }
    }
}

impl Calls {
    /// All nodes. The root is the first.
    pub fn nodes(&self) -> &[CallNode] {
        &self.nodes
    }

    /// A function's name by index.
    pub fn name(&self, index: u32) -> &str {
        self.names
            .get_index(index as usize)
            .map_or("", |name| name.as_ref())
    }

    /// How many names there are.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    /// The index of a name, which is added if it is new.
    pub fn name_index(&mut self, name: &str) -> CallName {
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

    /// The node of a function as this one calls it, which is added if it is new; `None` if there is no room.
    pub fn called(&mut self, caller: u32, name: u32) -> Option<u32> {
        let call = call(caller, name);
        if let Some(node) = self.by_call.get(&call) {
            return Some(*node);
        }
        if self.nodes.len() >= MOST_NODES {
            return None;
        }
        // The root, which no node but itself calls, has no name.
        let node = |at: u32| Some(&self.nodes[at as usize]).filter(|_| at > 0);
        let mut above = successors(node(caller), |of| node(of.caller));
        let is_recursive = above.any(|of| of.name == name);
        let node = self.nodes.len() as u32;
        self.nodes.push(CallNode {
            caller,
            name,
            is_recursive,
        });
        self.by_call.insert(call, node);
        Some(node)
    }

    /// How large it is.
    pub fn size(&self) -> CallsSize {
        CallsSize {
            nodes: self.nodes.len(),
            names: self.names.len(),
            name_bytes: self.name_bytes,
        }
    }

    /// Forgets the nodes and the names that came since it had this size.
    pub fn shrink_to(&mut self, size: CallsSize) {
        for node in self.nodes.drain(size.nodes..) {
            self.by_call.remove(&call(node.caller, node.name));
        }
        self.names.truncate(size.names);
        self.name_bytes = size.name_bytes;
    }

    /// The same, to which nothing is added any more, in less memory.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.by_call = HashMap::new();
        self.nodes.shrink_to_fit();
        self
    }
}

fn call(caller: u32, name: u32) -> u64 {
    u64::from(caller) << 32 | u64::from(name)
}
