//! The archive: ustar (POSIX.1-1988) entries, each in gzip members (RFC 1952) of its own.
//!
//! Members that follow each other are one valid gzip file, so an entry's data can be compressed
//! before its size, and so its header, is known.

mod bundle;
mod entry;
mod framing;
mod gzip;

pub use bundle::{EntryError, PodBundle, Spool};
pub use entry::{Entry, EntryWriter};
pub use framing::{Framing, PathError, check_path};
