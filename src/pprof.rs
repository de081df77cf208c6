//! The profiles that a component serves, and the ones with names that its texts become.

mod contention;
mod convert;
mod goroutine;
mod heap;
mod intern;
mod kind;
mod lines;
mod parsed;
mod problem;
mod profile;
pub mod proto;
mod scan;
mod seen;
mod served;
mod stack;
mod threadcreate;
mod wire;

pub use convert::convert;
pub use kind::Kind;
pub use parsed::Parsed;
pub use problem::Problem;
pub use profile::Profile;
pub use served::{Served, read};
