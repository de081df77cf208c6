//! The kinds of profile that a component serves.

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

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allocs => "allocs",
            Self::Block => "block",
            Self::Cpu => "cpu",
            Self::Goroutine => "goroutine",
            Self::Heap => "heap",
            Self::Mutex => "mutex",
            Self::Threadcreate => "threadcreate",
        }
    }

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

    /// The name, beside the converted profile, of the text that it was served as; `None` for the
    /// kind that is served as a profile.
    pub fn original_name(self) -> Option<&'static str> {
        match self {
            Self::Allocs => Some("original/allocs.txt"),
            Self::Block => Some("original/block.txt"),
            Self::Cpu => None,
            Self::Goroutine => Some("original/goroutine.txt"),
            Self::Heap => Some("original/heap.txt"),
            Self::Mutex => Some("original/mutex.txt"),
            Self::Threadcreate => Some("original/threadcreate.txt"),
        }
    }

    /// The kind with this file name.
    pub fn from_file_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.file_name() == name)
    }
}
