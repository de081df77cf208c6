//! The bytes between the entries' data: ustar headers, padding, and the end of the archive.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

const BLOCK: u64 = 512;

/// More than one member of framing ever has: at most three blocks, and gzip's own bytes.
pub(super) const LARGEST_MEMBER: u64 = 4 * BLOCK;

/// A path that a plain ustar header cannot carry.
#[derive(Debug, thiserror::Error)]
#[error("the path {path:?} does not fit a ustar header: {source}")]
pub struct PathError {
    path: String,
    source: io::Error,
}

/// A maker of the bytes between the entries' data, each time as a gzip member.
#[derive(Debug, Default)]
pub struct Framing {
    padding: u64,
}

impl Framing {
    /// The gzip member before an entry's data: the padding of the entry before it, and its header. The header
    /// has the time at which the entry was modified in whole seconds.
    ///
    /// # Errors
    /// The path does not fit the header; nothing has changed.
    pub fn open(
        &mut self,
        path: &str,
        bytes: u64,
        modified: Timestamp,
    ) -> Result<Vec<u8>, PathError> {
        let header = ustar_header(path, bytes, modified.as_second().unsigned_abs())?;
        let member = self.member(header.as_bytes());
        self.padding = bytes.next_multiple_of(BLOCK) - bytes;
        Ok(member)
    }

    /// The gzip member that ends the archive, with the padding of its last entry.
    pub fn close(self) -> Vec<u8> {
        self.member(&[0; 2 * BLOCK as usize])
    }

    fn member(&self, content: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let padding = &[0; BLOCK as usize][..self.padding as usize];
        let written = gzip
            .write_all(padding)
            .and_then(|()| gzip.write_all(content));
        written
            .and_then(|()| gzip.finish())
            .expect("memory takes every write")
    }
}

/// Checks that an entry can have this path.
///
/// # Errors
/// The path does not fit the header, or is no plain relative path.
pub fn check_path(path: &str) -> Result<(), PathError> {
    ustar_header(path, 0, 0).map(|_| ())
}

fn ustar_header(path: &str, bytes: u64, modified: u64) -> Result<tar::Header, PathError> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path).map_err(|source| PathError {
        path: path.to_owned(),
        source,
    })?;
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(modified);
    header.set_cksum();
    Ok(header)
}
