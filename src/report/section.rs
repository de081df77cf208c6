//! Parts of a file that are read, and writes that are told from reads.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

/// A part of a file that is read as if it were one.
#[derive(Debug)]
pub struct Section<'a> {
    file: &'a File,
    offset: u64,
    bytes: u64,
    position: u64,
}

impl<'a> Section<'a> {
    pub(super) fn new(file: &'a File, offset: u64, bytes: u64) -> Self {
        Self {
            file,
            offset,
            bytes,
            position: 0,
        }
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.saturating_sub(self.position);
        let most = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let read = self
            .file
            .read_at(&mut buffer[..most], self.offset + self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(from) => self.bytes.checked_add_signed(from),
            SeekFrom::Current(from) => self.position.checked_add_signed(from),
        };
        self.position = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

/// A file that is written, and whether that failed: a copy does not say which of its two sides did.
#[derive(Debug)]
pub(super) struct Written<'a> {
    file: &'a mut File,
    /// Whether a write failed.
    pub(super) failed: bool,
}

impl<'a> Written<'a> {
    pub(super) fn new(file: &'a mut File) -> Self {
        Self {
            file,
            failed: false,
        }
    }
}

impl Write for Written<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.file.write(data).inspect_err(|error| {
            self.failed |= error.kind() != io::ErrorKind::Interrupted;
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
