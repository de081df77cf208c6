//! From a text of any kind to a profile.

use std::io::{self, BufRead};

use super::kind::Kind;
use super::parsed::Parsed;
use super::{contention, goroutine, heap, threadcreate};

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
