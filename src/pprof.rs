//! The profiles that a component serves.

mod contention;
mod goroutine;
mod heap;
mod intern;
mod lines;
mod parsed;
mod problem;
mod profile;
pub mod proto;
mod scan;
mod stack;
mod threadcreate;
mod wire;

pub use parsed::Parsed;
pub use problem::Problem;
pub use profile::Profile;

use std::io::{self, BufRead};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One of the seven profiles in a pod's dump.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// All allocations since the process began.
    Allocs,
    /// Waits on synchronisation primitives.
    Block,
    /// CPU time of the window; there only after start and stop.
    Cpu,
    /// The stacks of all goroutines.
    Goroutine,
    /// Live allocations.
    Heap,
    /// Contended mutexes.
    Mutex,
    /// Stacks that created operating system threads.
    Threadcreate,
}

impl Kind {
    /// Every kind, by name.
    pub const ALL: [Self; 7] = [
        Self::Allocs,
        Self::Block,
        Self::Cpu,
        Self::Goroutine,
        Self::Heap,
        Self::Mutex,
        Self::Threadcreate,
    ];

    /// The name of the kind's file in a dump and in the archive.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Allocs => "allocs.pprof",
            Self::Block => "block.pprof",
            Self::Cpu => "cpu.pprof",
            Self::Goroutine => "goroutine.pprof",
            Self::Heap => "heap.pprof",
            Self::Mutex => "mutex.pprof",
            Self::Threadcreate => "threadcreate.pprof",
        }
    }

    /// The kind with this file name.
    pub fn from_file_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file_name() == name)
    }
}

/// Turns the text that a component serves (`debug=2`) into a profile with names; `None` for the
/// kind that is served as a profile.
///
/// # Errors
/// The input cannot be read. What is not the format is no error but [`Problem::Damage`].
pub fn convert(kind: Kind, input: impl BufRead) -> io::Result<Option<Parsed>> {
    match kind {
        Kind::Allocs => heap::parse(input, "alloc_space"),
        Kind::Block => contention::parse(input, "contention"),
        Kind::Cpu => return Ok(None),
        Kind::Goroutine => goroutine::parse(input),
        Kind::Heap => heap::parse(input, "inuse_space"),
        Kind::Mutex => contention::parse(input, "mutex"),
        Kind::Threadcreate => threadcreate::parse(input),
    }
    .map(Some)
}
