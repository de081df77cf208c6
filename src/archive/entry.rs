//! One entry of the archive: its data is compressed as it comes, into a gzip member (RFC 1952), and kept
//! until it is shipped.
//!
//! A compressor is 300 KiB of tables. A dump has thousands of files, and making a compressor for each costs
//! more in memory management than in compression, so compressors are used again.

use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use flate2::read::MultiGzDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use sha2::Digest;
use tempfile::SpooledTempFile;

use crate::errors::lock;
use crate::manifest::{File, Sha256};

/// Compressed bytes kept in memory before a temporary file takes them, which those of a busy pod's heap and allocs
/// are: a slow destination keeps as many bundles waiting as pods are asked for at once.
const MEMORY: usize = 256 * 1024;

/// zlib's level 3: within a tenth of level 6 in size on profile text, at twice its speed.
const LEVEL: Compression = Compression::new(3);

/// For what is packed already: it is stored as it is.
const STORED: Compression = Compression::none();

/// A gzip header: magic, deflate, no flags, no time, no hint, unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Bytes kept in memory for the end of an empty stream, which is shorter.
const PLACEHOLDER: usize = 64;

/// A writer of one entry's content, which hashes and compresses it on the way.
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

    /// Ends the content. The entry stands at this path in the archive.
    pub(super) fn finish(self, path: String) -> io::Result<Entry> {
        let mut compressed = self.gzip.finish()?;
        let compressed_bytes = compressed.stream_position()?;
        compressed.rewind()?;
        Ok(Entry {
            compressed_bytes,
            file: File {
                path,
                bytes: self.bytes,
                sha256: Sha256(self.hash.finalize().into()),
                samples: None,
                notes: Vec::new(),
                partial: None,
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
    /// The size of its content as a gzip member.
    pub(super) compressed_bytes: u64,
    compressed: SpooledTempFile,
}

impl Entry {
    /// Has its content read, unpacked.
    ///
    /// # Errors
    /// Those of whoever reads it, or its temporary file cannot be read.
    pub fn read_content<T>(
        &mut self,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let done = read(&mut MultiGzDecoder::new(&mut self.compressed));
        self.compressed.rewind()?;
        done
    }

    /// Its content, unpacked. What outgrows memory goes to a file in `temporary`.
    ///
    /// # Errors
    /// A temporary file cannot be read or written.
    pub(super) fn content(&mut self, temporary: &Path) -> io::Result<SpooledTempFile> {
        let mut content = tempfile::spooled_tempfile_in(MEMORY, temporary);
        self.read_content(|unpacked| io::copy(unpacked, &mut content))?;
        content.rewind()?;
        Ok(content)
    }

    /// Writes its content to a file, which appears whole or not at all.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub(super) fn copy_content(&mut self, temporary: &Path, to: &Path) -> io::Result<()> {
        let mut content = self.content(temporary)?;
        let mut file = tempfile::NamedTempFile::new_in(to.parent().unwrap_or(temporary))?;
        io::copy(&mut content, &mut file)?;
        file.persist(to)?;
        Ok(())
    }

    /// What the manifest says of it, and its content as a gzip member.
    pub fn into_parts(self) -> (File, impl Read + Send) {
        (self.file, self.compressed)
    }
}

type Encoder = DeflateEncoder<SpooledTempFile>;

/// Compressors of one level that are not in use.
#[derive(Debug, Clone)]
pub(super) struct Compressors {
    level: Compression,
    idle: Arc<Mutex<Vec<Encoder>>>,
}

/// A member being written.
#[derive(Debug)]
pub(super) struct Member {
    encoder: Encoder,
    crc: Crc,
    idle: Compressors,
}

impl Compressors {
    /// Those that compress.
    pub(super) fn compressing() -> Self {
        Self::of_level(LEVEL)
    }

    /// Those that store what they are given.
    pub(super) fn storing() -> Self {
        Self::of_level(STORED)
    }

    fn of_level(level: Compression) -> Self {
        Self {
            level,
            idle: Arc::default(),
        }
    }

    /// Begins a member in an empty file.
    pub(super) fn begin(&self, mut file: SpooledTempFile) -> io::Result<Member> {
        file.write_all(&HEADER)?;
        let idle = lock(&self.idle).pop();
        let encoder = match idle {
            None => DeflateEncoder::new(file, self.level),
            Some(mut encoder) => {
                encoder.reset(file)?;
                encoder
            }
        };
        Ok(Member {
            encoder,
            crc: Crc::new(),
            idle: self.clone(),
        })
    }
}

impl Member {
    /// Ends the member.
    pub(super) fn finish(self) -> io::Result<SpooledTempFile> {
        let Self {
            mut encoder,
            crc,
            idle,
        } = self;
        // What takes the file's place gets the end of an empty stream, in memory.
        let mut file = encoder.reset(tempfile::spooled_tempfile(PLACEHOLDER))?;
        file.write_all(&crc.sum().to_le_bytes())?;
        file.write_all(&crc.amount().to_le_bytes())?;
        lock(&idle.idle).push(encoder);
        Ok(file)
    }
}

impl Write for Member {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(data)?;
        self.crc.update(&data[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}
