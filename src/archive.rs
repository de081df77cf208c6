//! The archive: a tar.gz with the profiles of each pod. The pod is the unit of commit: all its entries go
//! into the archive, or none.
//!
//! Entries are ustar (POSIX.1-1988), each in gzip members (RFC 1952) of its own. Members that follow each
//! other are one valid gzip file, so an entry's data can be compressed before its size, and so its header,
//! is known.

mod baseline;
mod bundle;
mod comparison;
mod entry;
mod framing;
mod snapshots;
mod spool;

pub use baseline::{Baseline, Before, PodBaseline};
pub use bundle::{PodBundle, ProfileError};
pub use entry::{Entry, EntryWriter};
pub use framing::{Framing, PathError, check_path};
pub use snapshots::{SnapshotProfile, Snapshots, profile_path};
pub use spool::{EntryError, Spool};
