//! The profiles that a component serves, and the profiles with names that its texts become.

mod contention;
mod dump_file;
mod goroutine;
mod heap;
mod kind;
mod parsed;
mod profile;
pub mod proto;
mod records;
mod scanner;
mod stack;
mod tables;
mod text;
mod threadcreate;
mod wrong_file;

pub use dump_file::{Served, convert, read};
pub use kind::Kind;
pub use parsed::{Parsed, Partial, Problem};
pub use profile::Profile;
