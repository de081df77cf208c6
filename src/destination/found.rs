//! What is there already.

use crate::manifest::Manifest;

/// What a destination has of a run.
#[derive(Debug)]
pub enum Found {
    /// Nothing.
    Absent,
    /// An archive that no manifest vouches for.
    Unfinished,
    /// A manifest, and so its archive.
    Complete(Box<Manifest>),
}
