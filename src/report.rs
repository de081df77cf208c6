//! What a run found, as one page and as tables.
//!
//! `report/tree.rs` adds profiles up by function, and `report/findings.rs` has what a page shows.

mod findings;
mod tree;

pub use findings::{Findings, Part, PodStacks, Profiled, Unread};
pub use tree::{Tree, TreeNode};
