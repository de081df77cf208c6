//! The file that a person names for what a command writes.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What a new file may be used for, by whom.
const MODE: u32 = 0o644;

/// A file that appears whole, or not at all. What is there and is no regular file, such as a device or a pipe, stays
/// and is written as it is.
#[derive(Debug)]
pub enum OutputFile {
    /// It gets its name once it is whole.
    Whole {
        /// It, under another name beside it.
        temporary: NamedTempFile,
        /// Its name.
        path: PathBuf,
    },
    /// It is there, and is written at once.
    There(File),
}

impl OutputFile {
    /// Begins a file. A link stays, and so does the mode of a file that is replaced. `-` is the standard output.
    ///
    /// # Errors
    /// The directory is not there, or cannot be written; or what is there cannot be.
    pub fn create(path: &Path) -> io::Result<Self> {
        let path = if path == Path::new("-") {
            Path::new("/dev/stdout")
        } else {
            path
        };
        let there = fs::metadata(path).ok();
        if let Some(there) = &there
            && !there.is_file()
        {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self::There(file));
        }
        let mode = there.map_or(MODE, |there| there.permissions().mode() & 0o777);
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let temporary = tempfile::Builder::new()
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(directory.unwrap_or(Path::new(".")))?;
        Ok(Self::Whole { temporary, path })
    }

    /// Whether a file of this name would be written over that one, whatever links and directories lead to it.
    pub fn is_at(path: &Path, other: &Path) -> bool {
        real(path) == real(other)
    }

    /// Writes all of a file.
    ///
    /// # Errors
    /// As of [`OutputFile::create`], or it cannot be written.
    pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = Self::create(path)?;
        file.write_all(content)?;
        file.finish()
    }

    /// Gives it its name, now that it is whole.
    ///
    /// # Errors
    /// It cannot have it.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        if let Self::Whole { temporary, path } = self {
            temporary.persist(path)?;
        }
        Ok(())
    }
}

/// Where a file is, or would be, behind all links.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let directory = fs::canonicalize(directory.unwrap_or(Path::new(".")));
    match (directory, path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}

impl Write for OutputFile {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match self {
            Self::Whole { temporary, .. } => Write::write(temporary, data),
            Self::There(file) => Write::write(file, data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Whole { temporary, .. } => temporary.flush(),
            Self::There(file) => file.flush(),
        }
    }
}
