//! Small files that others wait for: they appear whole or not at all.

mod output;

use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;
use std::time::Duration;

pub use output::OutputFile;

/// Writes a file under a temporary name beside it, and renames it.
///
/// # Errors
/// The directory is not there, or cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path);
    let written = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    written.inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Whether a file could not be written for want of space: an empty one, which needs none, often still can be.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// Writes a file as [`write_whole`] does, and an empty one where the disk has no room for its content, since that it
/// is there tells the most. Gives the error for which it is empty.
///
/// # Errors
/// As of [`write_whole`].
pub fn write_whole_or_empty(path: &Path, content: &[u8]) -> io::Result<Option<io::Error>> {
    match write_whole(path, content) {
        Ok(()) => Ok(None),
        Err(error) if is_full(&error) => write_whole(path, b"").map(|()| Some(error)),
        Err(error) => Err(error),
    }
}

/// Whether a directory's entry has not been written for longer than this. One that does not say is not.
pub fn is_older_than(entry: &DirEntry, age: Duration) -> bool {
    let modified = entry.metadata().and_then(|metadata| metadata.modified());
    let since = modified.ok().and_then(|modified| modified.elapsed().ok());
    since.is_some_and(|since| since > age)
}

/// Proves that a file can be written here, with another one beside it that is removed again.
///
/// # Errors
/// The other one cannot be written or removed.
pub fn probe(path: &Path) -> io::Result<()> {
    let temporary = temporary_name(path);
    fs::write(&temporary, b"")?;
    fs::remove_file(&temporary)
}

/// A temporary name beside a file.
fn temporary_name(path: &Path) -> OsString {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{:08x}.tmp", fastrand::u32(..)));
    temporary
}

/// Removes a file, if there is one. Gives whether there was.
///
/// # Errors
/// There is one, and it cannot be removed.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
