//! The profiles that a component serves, and the profiles with names that its texts become.

mod calls;
mod contention;
mod difference;
mod dump_file;
mod empty;
mod goroutine;
mod heap;
mod kind;
mod merge;
mod parsed;
mod profile;
pub mod proto;
mod reader;
mod records;
mod scanner;
mod stack;
mod stacks;
mod subset;
mod tables;
mod text;
mod threadcreate;
mod window_memory;
mod wrong_file;

pub use calls::{CallName, CallNode, Calls, CallsSize, StackEnd};
pub use difference::{Difference, difference};
pub use dump_file::{Served, convert, read};
pub use empty::why_empty;
pub use kind::Kind;
pub use merge::Merged;
pub use parsed::{Parsed, Partial, Problem};
pub use profile::{Label, Profile};
pub use reader::{Frame, Header, Interval, ProfileReader, Sample, SampleType};
pub use stacks::Stacks;
pub use subset::Subset;
pub use window_memory::{
    LAST_STOPS, WindowMemory, is_another_process, live_heap_bytes, whole_life, window_memory,
};
