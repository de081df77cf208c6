//! What a run found, as one page and as tables.
//!
//! `report/store.rs` keeps the profiles of an archive that is read (`report/archive.rs`), and `report/collect.rs`
//! makes [`Findings`] of them, which is what the page (`report/page.rs`) shows, without names that tell which cluster
//! they are of if `report/redact.rs` is asked. `report/difference.rs` holds a run's profiles against those of an earlier one. `report/tree.rs` adds profiles up by
//! function.

mod archive;
mod collect;
mod compared_name;
mod difference;
mod download;
mod findings;
mod fold;
mod group;
mod merged_tree;
mod page;
mod path;
mod pod_profiles;
mod profile;
mod redact;
mod section;
mod store;
mod top;
mod tree;
mod units;

pub use archive::read_archive;
pub use collect::{all_unread, collect};
pub use compared_name::{compared, package};
pub use difference::{differences, no_differences};
pub use download::download;
pub use findings::{
    Chosen, Difference, Differences, Findings, Part, PodStacks, PodTop, Profiled, SnapshotTotals,
    Unread,
};
pub use merged_tree::MergedTree;
pub use page::page;
pub use path::Wanted;
pub use pod_profiles::PodProfiles;
pub use profile::{tree, tree_of};
pub use redact::redact;
pub use section::Section;
pub use store::{Group, ProfileStore};
pub use top::TopRow;
pub use tree::Tree;
pub(crate) use units::Unit;
