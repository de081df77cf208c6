//! The virtual machine instances that a window's workload creates: followed by a watch, and by a LIST at its end.

mod api;
mod follower;
mod following;
mod latencies;
mod second;
mod table;

pub use api::{Scope, prove};
pub use follower::Follower;
pub use table::Table;
