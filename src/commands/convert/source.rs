//! Where profiles come from: a directory, or a .tar.gz.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use tar::{Archive, EntryType};

use super::fault::Fault;
use crate::pprof::Kind;

/// How a gzip file begins. RFC 1952
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// An archive ends in blocks of zeros, of which one is read. POSIX.1-1988, ustar
const END: usize = 512;

/// One thing in a source.
pub(super) enum Found<'a> {
    /// A file, at a plain relative path.
    File(PathBuf, &'a mut dyn Read),
    /// Something that is not converted, by name, and why.
    Refused(PathBuf, String),
    /// Something that cannot be read, by name, and why.
    Unreadable(PathBuf, String),
}

/// A source that is there.
pub(super) enum Source {
    /// What was in a directory when it was looked at.
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
    pub(super) fn open(path: &Path) -> Result<Self, Fault> {
        let fault = |error: io::Error| Fault::source(path, error);
        if fs::metadata(path).map_err(fault)?.is_dir() {
            return directory(path);
        }
        let mut file = File::open(path).map_err(fault)?;
        let bytes = file.metadata().map_err(fault)?.len();
        let mut magic = [0; 2];
        if file.read_exact(&mut magic).is_err() || magic != GZIP {
            return Err(Fault::source(
                path,
                "it is neither a directory nor a .tar.gz",
            ));
        }
        io::Seek::rewind(&mut file).map_err(fault)?;
        Ok(Self::Archive {
            path: path.to_owned(),
            file,
            bytes,
        })
    }

    /// How much there is to read.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Directory { bytes, .. } | Self::Archive { bytes, .. } => *bytes,
        }
    }

    /// Hands over everything in it, in order.
    pub(super) fn each(
        self,
        bar: &ProgressBar,
        mut take: impl FnMut(Found<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
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

/// Looks before anything is written, for the destination may be within.
fn directory(root: &Path) -> Result<Source, Fault> {
    let (mut names, mut closed, mut bytes) = (Vec::new(), Vec::new(), 0);
    let mut pending = vec![PathBuf::new()];
    while let Some(directory) = pending.pop() {
        let path = root.join(&directory);
        let look = || -> io::Result<Vec<_>> {
            let found = |entry: io::Result<fs::DirEntry>| {
                let entry = entry?;
                Ok((entry.file_name(), entry.metadata()?))
            };
            fs::read_dir(&path)?.map(found).collect()
        };
        match look() {
            Err(error) if directory.as_os_str().is_empty() => {
                return Err(Fault::source(root, error));
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
        return Err(Fault::source(root, what));
    }
    names.sort();
    Ok(Source::Directory {
        root: root.to_owned(),
        names,
        closed,
        bytes,
    })
}

fn file(
    root: &Path,
    name: PathBuf,
    bar: &ProgressBar,
    take: &mut impl FnMut(Found<'_>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let path = root.join(&name);
    let open = || {
        let found = fs::symlink_metadata(&path)?;
        Ok::<_, io::Error>(if found.is_file() {
            Some(File::open(&path)?)
        } else {
            None
        })
    };
    match open() {
        Ok(Some(file)) => take(Found::File(name, &mut bar.wrap_read(file))),
        Ok(None) => take(Found::Refused(name, "it is a link, or no file".to_owned())),
        Err(error) => take(Found::Unreadable(name, error.to_string())),
    }
}

/// Hands over an archive's files. The inner result is the archive's, the outer that of who takes
/// them.
fn archive(
    unpacked: impl Read,
    take: &mut impl FnMut(Found<'_>) -> Result<(), Fault>,
) -> Result<io::Result<()>, Fault> {
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
        if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) {
            continue;
        }
        take(match (plain(&name), kind) {
            (None, _) => Found::Refused(name, "its path leads out of the archive".to_owned()),
            (Some(path), EntryType::Regular | EntryType::Continuous) => {
                Found::File(path, &mut entry)
            }
            (Some(path), _) => Found::Refused(path, "it is a link, or no file".to_owned()),
        })?;
    }
    if archive.into_inner().trailing < END {
        return Ok(Err(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Ok(()))
}

/// Counts the zeros that what was read ends in: an archive ends in blocks of them.
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

/// A path without anything but names in it.
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
