//! An archive that is read for a report.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::store::ProfileStore;
use crate::errors::plain;

/// The size of the read buffer.
const BUFFER: usize = 64 * 1024;

/// Keeps the profiles of a run's archive, a .tar.gz. What cannot be read is noted in the store, and what stands before
/// it is kept.
pub fn read_archive(archive: impl Read, store: &mut ProfileStore) {
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, archive));
    if let Err(error) = read_entries(unpacked, store) {
        let why = format!(
            "it cannot be read to its end: {}",
            plain(&error.to_string())
        );
        store.note_unread("the archive", why);
    }
}

fn read_entries(unpacked: impl Read, store: &mut ProfileStore) -> io::Result<()> {
    let mut archive = Archive::new(unpacked);
    // As they stand: a run's archive has plain ustar entries, and an extension may be of any length.
    for entry in archive.entries()?.raw(true) {
        let entry = entry?;
        let header = entry.header();
        if header.entry_type() != EntryType::Regular {
            continue;
        }
        let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
        if !store.wants(&path) {
            continue;
        }
        let promised = header.size()?;
        let mut content = Counted {
            input: entry,
            bytes: 0,
        };
        store.keep(&path, &mut content)?;
        if content.bytes < promised && content.is_at_end()? {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// A reader that counts.
struct Counted<R> {
    input: R,
    bytes: u64,
}

impl<R: Read> Counted<R> {
    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.input.read(&mut [0])? == 0)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes += read as u64;
        Ok(read)
    }
}
