//! Where converted profiles go: a new directory with the source's paths.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::fault::Fault;
use super::source::kind;
use super::tally::{Fate, Tally};
use crate::pprof::{self, Kind, Profile, Served};

/// The directory.
#[derive(Debug)]
pub(super) struct Dest {
    root: PathBuf,
    keep_originals: bool,
}

impl Dest {
    /// Makes the directory, which must not be there.
    pub(super) fn make(root: &Path, keep_originals: bool) -> Result<Self, Fault> {
        fs::create_dir(root).map_err(|error| Fault::make(root, error))?;
        Ok(Self {
            root: root.to_owned(),
            keep_originals,
        })
    }

    /// Takes a file: a profile is converted, any other is copied.
    pub(super) fn take(
        &self,
        name: &Path,
        content: &mut dyn Read,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let path = self.root.join(name);
        let fault = |error| Fault::dest(&path, error);
        let mut copy = match create(&path) {
            Ok(file) => Copy::new(file),
            Err(error) if is_the_sources(&error) => {
                tally.refused(name, error.to_string());
                return Ok(());
            }
            Err(error) => return Err(fault(error)),
        };
        let kind = kind(name);
        let read = match kind {
            Some(kind) => pprof::read(kind, content, &mut copy).map(Some),
            None => io::copy(content, &mut copy).map(|_| None),
        };
        match read {
            Err(error) if !copy.failed => {
                fs::remove_file(&path).map_err(fault)?;
                tally.unreadable(name, error.to_string());
                return Ok(());
            }
            Err(error) => return Err(fault(error)),
            Ok(served) => {
                let text = copy.end().map_err(fault)?;
                let Some((kind, served)) = kind.zip(served) else {
                    return Ok(());
                };
                let fate = match self.settle(&path, (kind, served), text) {
                    Err(error) if is_the_sources(&error) => {
                        Fate::Damaged(format!("there is no place for its text: {error}"))
                    }
                    fate => fate.map_err(fault)?,
                };
                tally.profile(name, fate);
            }
        }
        Ok(())
    }

    /// Puts a profile with names where its text is, and the text aside.
    fn settle(&self, path: &Path, (kind, served): (Kind, Served), text: u64) -> io::Result<Fate> {
        let (profile, notes) = match served {
            Served::Profile(_) => return Ok(Fate::AsItWas),
            Served::Damaged(why) => return Ok(Fate::Damaged(why)),
            Served::Text { profile, notes, .. } => (profile, notes),
        };
        match kind.original_name().filter(|_| self.keep_originals) {
            None => fs::remove_file(path)?,
            Some(original) => {
                let original = path.with_file_name(original);
                fs::create_dir_all(original.parent().unwrap_or(path))?;
                if original.exists() {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                fs::rename(path, original)?;
            }
        }
        let bytes = write(path, &profile)?;
        Ok(Fate::Converted { text, bytes, notes })
    }
}

/// Makes a file that was not there, and the directories above it.
fn create(path: &Path) -> io::Result<File> {
    fs::create_dir_all(path.parent().unwrap_or(path))?;
    File::create_new(path)
}

/// Whether it is the source's own doing that a file cannot be made: it has the name twice, as a
/// file and a directory, or one that is none here.
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

fn write(path: &Path, profile: &Profile) -> io::Result<u64> {
    let mut copy = Copy::new(File::create_new(path)?);
    profile.write(&mut copy)?;
    copy.end()
}

/// A file being written, which knows whether it was the one that failed.
struct Copy {
    file: BufWriter<File>,
    bytes: u64,
    failed: bool,
}

impl Copy {
    fn new(file: File) -> Self {
        Self {
            file: BufWriter::new(file),
            bytes: 0,
            failed: false,
        }
    }

    /// Ends it; gives its size.
    fn end(mut self) -> io::Result<u64> {
        self.file.flush()?;
        Ok(self.bytes)
    }
}

impl Write for Copy {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.file.write(data);
        self.failed |= written.is_err();
        let written = written?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
