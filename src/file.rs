//! Small files that others wait for: they appear whole or not at all.

use std::fs;
use std::io;
use std::path::Path;

/// Writes a file under a temporary name beside it and renames it.
///
/// # Errors
/// The directory is not there or cannot be written.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{:08x}.tmp", fastrand::u32(..)));
    fs::write(&temporary, content)?;
    fs::rename(&temporary, path).inspect_err(|_| drop(fs::remove_file(&temporary)))
}

/// Removes a file; says whether there was one.
///
/// # Errors
/// It is there and cannot be removed.
pub fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
