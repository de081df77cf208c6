//! What a run found, as one page and as tables.
//!
//! `report/tree.rs` adds profiles up by function, `report/findings.rs` has what a page shows, and `report/page.rs`
//! is the page.

mod findings;
mod fold;
mod outliers;
mod page;
mod top;
mod tree;

pub use findings::{Chosen, Findings, Part, PodStacks, PodTop, Profiled, SnapshotTotals, Unread};
pub use outliers::{OUTLIER_RULE, outliers};
pub use page::page;
pub use top::TopRow;
pub use tree::{Tree, TreeNode};
