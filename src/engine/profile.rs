//! One profile on its way into a bundle: hashed, compressed, and looked at as it passes.

use std::io::{self, BufReader, Read, Write};

use crate::archive::{EntryError, EntryWriter, PodBundle, Spool};
use crate::pprof::Kind;
use crate::pprof::proto;

/// Large enough that neither side is called often, small enough for the processor's cache.
const BUFFER: usize = 32 * 1024;

/// A profile that could not be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    /// There is no room for it, or its path does not fit the archive.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It could not be read or kept.
    #[error("{file}: {source}")]
    Content {
        /// The profile's file name.
        file: &'static str,
        /// The stream's fault, the base64's or the temporary file's.
        source: io::Error,
    },
    /// The pod has it already.
    #[error("{0} is there twice")]
    Twice(&'static str),
}

/// Takes a profile's whole content.
///
/// # Errors
/// The bundle is not to be used any more.
pub(super) fn take(
    content: impl Read,
    pod: &str,
    kind: Kind,
    spool: &Spool,
    bundle: &mut PodBundle,
) -> Result<(), ProfileError> {
    let file = kind.file_name();
    let fault = |source| ProfileError::Content { file, source };
    let mut tee = BufReader::with_capacity(
        BUFFER,
        Tee {
            content,
            entry: spool.profile(pod, kind)?,
        },
    );
    if kind == Kind::Cpu {
        let times = proto::times(&mut tee);
        bundle.cpu_times = Some(times.map_err(|error| error.to_string()));
    }
    // Whatever was thought of the content: all of it is kept.
    let mut tee = tee.into_inner();
    io::copy(&mut tee, &mut io::sink()).map_err(fault)?;
    let entry = tee.entry.finish().map_err(fault)?;
    match bundle.entries.insert(kind, entry) {
        None => Ok(()),
        Some(_) => Err(ProfileError::Twice(file)),
    }
}

/// Passes on what is read and writes it to the entry.
struct Tee<R> {
    content: R,
    entry: EntryWriter,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.content.read(buffer)?;
        self.entry.write_all(&buffer[..length])?;
        Ok(length)
    }
}
