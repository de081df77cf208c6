//! One entry's data, compressed as it comes and kept until it is shipped.

use std::io::{self, Read, Seek, Write};
use std::path::Path;

use sha2::Digest;
use tempfile::SpooledTempFile;

use super::gzip::{Compressors, Member};
use crate::manifest::{File, Sha256};

/// Compressed bytes kept in memory before a temporary file takes them. Heap text of 25 MB
/// compresses to about one MiB.
const MEMORY: usize = 1 << 20;

/// Takes one entry's content, hashing and compressing it on the way.
#[derive(Debug)]
pub struct EntryWriter {
    bytes: u64,
    hash: sha2::Sha256,
    gzip: Member,
}

impl EntryWriter {
    /// An empty entry whose overflow goes to a file in `temporary`.
    pub(super) fn new(temporary: &Path, compressors: &Compressors) -> io::Result<Self> {
        let file = tempfile::spooled_tempfile_in(MEMORY, temporary);
        Ok(Self {
            bytes: 0,
            hash: sha2::Sha256::new(),
            gzip: compressors.begin(file)?,
        })
    }

    /// Ends the content, which stands at this path in the archive.
    pub(super) fn finish(self, path: String) -> io::Result<Entry> {
        let mut compressed = self.gzip.finish()?;
        compressed.rewind()?;
        Ok(Entry {
            file: File {
                path,
                bytes: self.bytes,
                sha256: Sha256(self.hash.finalize().into()),
                samples: None,
                notes: Vec::new(),
                damage: None,
            },
            compressed,
        })
    }
}

impl Write for EntryWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.gzip.write(data)?;
        self.hash.update(&data[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.gzip.flush()
    }
}

/// A finished entry.
#[derive(Debug)]
pub struct Entry {
    /// What the manifest says of it.
    pub file: File,
    compressed: SpooledTempFile,
}

impl Entry {
    /// What the manifest says of it, and its content as a gzip member.
    pub fn into_parts(self) -> (File, impl Read + Send) {
        (self.file, self.compressed)
    }
}
