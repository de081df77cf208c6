//! The source of profiles: a directory, or a .tar.gz.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use jiff::Timestamp;
use tar::{Archive, EntryType};

use super::summary::ConvertError;
use crate::pprof::Kind;

/// The first bytes of a gzip file. RFC 1952
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The size of one of the blocks of zeros that an archive ends in, of which one is read, in bytes.
/// POSIX.1-1988, ustar
const BLOCK: usize = 512;

/// A file of a source.
pub(super) struct SourceFile<'a> {
    /// Its plain relative path.
    pub(super) name: PathBuf,
    /// When it was modified; 1970 where nothing tells.
    pub(super) modified: Timestamp,
    pub(super) content: &'a mut dyn Read,
}

/// One thing that is found in a source.
pub(super) enum Found<'a> {
    /// A file.
    File(SourceFile<'a>),
    /// Something that is neither converted nor copied, by name, and why.
    Skipped(PathBuf, String),
    /// Something that cannot be read, by name, and why.
    Unreadable(PathBuf, String),
}

/// A source that can be read.
pub(super) enum Source {
    /// A directory, with what was in it when it was looked at.
    Directory {
        root: PathBuf,
        names: Vec<PathBuf>,
        /// Directories that cannot be looked into, and why.
        closed: Vec<(PathBuf, String)>,
        bytes: u64,
    },
    /// A .tar.gz.
    Archive {
        path: PathBuf,
        file: File,
        bytes: u64,
    },
}

impl Source {
    /// Looks at what is to be converted.
    ///
    /// # Errors
    /// It cannot be read, is of another kind, or is a directory without a profile.
    pub(super) fn open(path: &Path) -> Result<Self, ConvertError> {
        let failed = |error: io::Error| ConvertError::source(path, error);
        if fs::metadata(path).map_err(failed)?.is_dir() {
            return directory(path);
        }
        let mut file = File::open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let mut magic = [0; 2];
        if file.read_exact(&mut magic).is_err() || magic != GZIP {
            return Err(ConvertError::source(
                path,
                "it is neither a directory nor a .tar.gz",
            ));
        }
        io::Seek::rewind(&mut file).map_err(failed)?;
        Ok(Self::Archive {
            path: path.to_owned(),
            file,
            bytes,
        })
    }

    /// The number of bytes that there are to read.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Directory { bytes, .. } | Self::Archive { bytes, .. } => *bytes,
        }
    }

    /// Hands over everything in it, in order.
    ///
    /// # Errors
    /// Those of whoever takes it.
    pub(super) fn each(
        self,
        bar: &ProgressBar,
        mut take: impl FnMut(Found<'_>) -> Result<(), ConvertError>,
    ) -> Result<(), ConvertError> {
        match self {
            Self::Directory {
                root,
                names,
                closed,
                ..
            } => {
                for (name, why) in closed {
                    take(Found::Unreadable(name, why))?;
                }
                for name in names {
                    file(&root, name, bar, &mut take)?;
                }
                Ok(())
            }
            Self::Archive { path, file, .. } => {
                let unpacked = MultiGzDecoder::new(BufReader::new(bar.wrap_read(file)));
                archive(unpacked, &mut take)?.or_else(|error: io::Error| {
                    take(Found::Unreadable(
                        path,
                        format!("it cannot be read to its end: {error}"),
                    ))
                })
            }
        }
    }
}

/// Looks into a directory before anything is written, for the output directory may be within.
fn directory(root: &Path) -> Result<Source, ConvertError> {
    let mut names = Vec::new();
    let mut closed = Vec::new();
    let mut bytes = 0;
    let mut pending = vec![PathBuf::new()];
    while let Some(directory) = pending.pop() {
        let path = root.join(&directory);
        let look = || -> io::Result<Vec<_>> {
            let found = |result: io::Result<fs::DirEntry>| {
                let entry = result?;
                Ok((entry.file_name(), entry.metadata()?))
            };
            fs::read_dir(&path)?.map(found).collect()
        };
        match look() {
            Err(error) if directory.as_os_str().is_empty() => {
                return Err(ConvertError::source(root, error));
            }
            Err(error) => closed.push((directory, error.to_string())),
            Ok(entries) => {
                for (name, found) in entries {
                    let name = directory.join(name);
                    if found.is_dir() {
                        pending.push(name);
                    } else {
                        bytes += found.len();
                        names.push(name);
                    }
                }
            }
        }
    }
    if !names.iter().any(|name| kind(name).is_some()) {
        let what = "there is no profile in it: no heap.pprof, cpu.pprof or the like";
        return Err(ConvertError::source(root, what));
    }
    names.sort();
    Ok(Source::Directory {
        root: root.to_owned(),
        names,
        closed,
        bytes,
    })
}

/// Hands over a directory's file.
fn file(
    root: &Path,
    name: PathBuf,
    bar: &ProgressBar,
    take: &mut impl FnMut(Found<'_>) -> Result<(), ConvertError>,
) -> Result<(), ConvertError> {
    let path = root.join(&name);
    let open = || -> io::Result<Option<File>> {
        if !fs::symlink_metadata(&path)?.is_file() {
            return Ok(None);
        }
        File::open(&path).map(Some)
    };
    match open() {
        Ok(Some(file)) => {
            let modified = file.metadata().and_then(|found| found.modified()).ok();
            take(Found::File(SourceFile {
                name,
                modified: modified
                    .and_then(|time| time.try_into().ok())
                    .unwrap_or_default(),
                content: &mut bar.wrap_read(file),
            }))
        }
        Ok(None) => take(Found::Skipped(name, "it is a link, or no file".to_owned())),
        Err(error) => take(Found::Unreadable(name, error.to_string())),
    }
}

/// Hands over an archive's files. The inner result is the archive's: it may be unreadable from some
/// place on. The outer one is that of whoever takes the files.
fn archive(
    unpacked: impl Read,
    take: &mut impl FnMut(Found<'_>) -> Result<(), ConvertError>,
) -> Result<io::Result<()>, ConvertError> {
    let mut archive = Archive::new(Zeros {
        input: unpacked,
        trailing: 0,
    });
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return Ok(Err(error)),
    };
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return Ok(Err(error)),
        };
        let name = match entry.path() {
            Ok(name) => name.into_owned(),
            Err(error) => return Ok(Err(error)),
        };
        let kind = entry.header().entry_type();
        let modified = entry.header().mtime().ok();
        let modified = modified.and_then(|seconds| i64::try_from(seconds).ok());
        let modified = modified.and_then(|seconds| Timestamp::from_second(seconds).ok());
        if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) {
            continue;
        }
        take(match (plain(&name), kind) {
            (None, _) => Found::Skipped(name, "its path leads out of the archive".to_owned()),
            (Some(name), EntryType::Regular | EntryType::Continuous) => Found::File(SourceFile {
                name,
                modified: modified.unwrap_or_default(),
                content: &mut entry,
            }),
            (Some(path), _) => Found::Skipped(path, "it is a link, or no file".to_owned()),
        })?;
    }
    if archive.into_inner().trailing < BLOCK {
        return Ok(Err(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Ok(()))
}

/// A reader that counts the zeros at the end of what was read.
struct Zeros<R> {
    input: R,
    trailing: usize,
}

impl<R: Read> Read for Zeros<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        let read = &buffer[..length];
        let zeros = read.iter().rev().take_while(|byte| **byte == 0).count();
        self.trailing = if zeros == length {
            self.trailing + zeros
        } else {
            zeros
        };
        Ok(length)
    }
}

/// A path with nothing but names in it; `None` if it leads elsewhere.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::ParentDir => return None,
        }
    }
    (!plain.as_os_str().is_empty()).then_some(plain)
}

/// The kind of profile that a file's name says it is.
pub(super) fn kind(path: &Path) -> Option<Kind> {
    Kind::from_file_name(path.file_name()?.to_str()?)
}
