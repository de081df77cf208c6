//! The directory that `convert` makes, with the source's paths.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::bounds::{StopRequest, UntilTold};
use super::source::{SourceFile, kind};
use super::summary::{ConvertError, Converted, Summary};
use crate::outcome::ExitCode;
use crate::pprof::{self, Kind, Profile, Served};

/// The output directory.
#[derive(Debug)]
pub(super) struct Output {
    root: PathBuf,
    keep_originals: bool,
}

impl Output {
    /// Makes the directory, which must not be there.
    ///
    /// # Errors
    /// It is there, or cannot be made.
    pub(super) fn make(root: &Path, keep_originals: bool) -> Result<Self, ConvertError> {
        fs::create_dir(root).map_err(|error| ConvertError::output_directory(root, error))?;
        Ok(Self {
            root: root.to_owned(),
            keep_originals,
        })
    }

    /// Takes a file as it is. Gives it back if it is a profile, which is then to be converted.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub(super) fn take(
        &self,
        file: SourceFile<'_>,
        summary: &mut Summary,
    ) -> Result<Option<CopiedProfile>, ConvertError> {
        let SourceFile {
            name,
            modified,
            content,
        } = file;
        let path = self.root.join(&name);
        let failed = |error| ConvertError::output(&path, error);
        let mut copy = match create(&path) {
            Ok(file) => Copy::new(file, modified),
            Err(error) if is_the_sources(&error) => {
                summary.skipped(&name, error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        match io::copy(content, &mut copy) {
            Ok(_) => {}
            Err(error) if !copy.failed => {
                fs::remove_file(&path).map_err(failed)?;
                summary.unreadable(&name, error.to_string());
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        }
        let bytes = copy.end().map_err(failed)?;
        Ok(kind(&name).map(|kind| CopiedProfile {
            name,
            kind,
            path,
            bytes,
            modified,
        }))
    }
}

/// Why a conversion has no result.
#[derive(Debug)]
pub(super) enum Unfinished {
    /// It was told to stop, with this exit code. Nothing is left of the file.
    Told(ExitCode),
    /// The output directory cannot be read or written.
    Failed(ConvertError),
}

/// A profile as the source has it, copied to the output directory.
#[derive(Debug)]
pub(super) struct CopiedProfile {
    /// Its plain relative path.
    pub(super) name: PathBuf,
    kind: Kind,
    /// The copy.
    pub(super) path: PathBuf,
    bytes: u64,
    modified: Timestamp,
}

impl CopiedProfile {
    /// The relative paths that its conversion writes.
    pub(super) fn names(&self) -> impl Iterator<Item = PathBuf> {
        let original = self.kind.original_name();
        let original = original.map(|original| self.name.with_file_name(original));
        [self.name.clone()].into_iter().chain(original)
    }

    /// Converts it, in place.
    pub(super) fn convert(
        &self,
        output: &Output,
        stop: &StopRequest,
    ) -> Result<Converted, Unfinished> {
        let failed = |error| Unfinished::Failed(ConvertError::output(&self.path, error));
        let input = UntilTold {
            input: File::open(&self.path).map_err(failed)?,
            stop,
        };
        let served = match pprof::read(self.kind, input, io::sink()) {
            Ok(served) => served,
            Err(error) => {
                let Some(code) = stop.code() else {
                    return Err(failed(error));
                };
                fs::remove_file(&self.path).map_err(failed)?;
                return Err(Unfinished::Told(code));
            }
        };
        match self.replace(served, output.keep_originals) {
            Ok(result) => Ok(result),
            Err(error) if is_the_sources(&error) => {
                let why = format!("there is no place for its text: {error}");
                Ok(Converted::Damaged(why))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Writes a profile with names in place of its text, which is put aside or removed.
    fn replace(&self, served: Served, keep_originals: bool) -> io::Result<Converted> {
        let path = self.path.as_path();
        let (profile, notes, partial) = match served {
            Served::Profile(_) => return Ok(Converted::AlreadyProfile),
            Served::Damaged(why) => return Ok(Converted::Damaged(why)),
            Served::Text {
                profile,
                notes,
                partial,
                ..
            } => (profile, notes, partial),
        };
        // What a profile lacks is in the text alone.
        let is_kept = keep_originals || partial.is_some();
        match self.kind.original_name().filter(|_| is_kept) {
            None => fs::remove_file(path)?,
            Some(name) => {
                let original = path.with_file_name(name);
                fs::create_dir_all(original.parent().unwrap_or(path))?;
                if original.exists() {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                fs::rename(path, original)?;
            }
        }
        Ok(Converted::Text {
            text_bytes: self.bytes,
            profile_bytes: write(path, &profile, self.modified)?,
            notes,
            partial,
        })
    }
}

/// Makes a file that was not there, and the directories above it.
fn create(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    File::create_new(path)
}

/// Whether it is the source's own doing that a file cannot be made: a name is there twice, as a file
/// and a directory, or is no name here.
fn is_the_sources(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
    )
}

/// Writes a profile, of a text that was written at this time, to a new file. Gives its size.
fn write(path: &Path, profile: &Profile, time: Timestamp) -> io::Result<u64> {
    let mut copy = Copy::new(File::create_new(path)?, time);
    profile.write(time, &mut copy)?;
    copy.end()
}

/// A file being written, which knows whether it was the one that failed.
struct Copy {
    file: BufWriter<File>,
    modified: Timestamp,
    bytes: u64,
    failed: bool,
}

impl Copy {
    fn new(file: File, modified: Timestamp) -> Self {
        Self {
            file: BufWriter::new(file),
            modified,
            bytes: 0,
            failed: false,
        }
    }

    /// Writes what is buffered, and gives the file its source's time: a text has no other, and may be converted
    /// again. Gives the file's size.
    fn end(mut self) -> io::Result<u64> {
        self.file.flush()?;
        if self.modified != Timestamp::UNIX_EPOCH {
            // Not every file system takes it, and the content is there without.
            let _ = self.file.get_ref().set_modified(self.modified.into());
        }
        Ok(self.bytes)
    }
}

impl Write for Copy {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let result = self.file.write(data);
        match &result {
            Ok(written) => self.bytes += *written as u64,
            Err(_) => self.failed = true,
        }
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
