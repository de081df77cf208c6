//! The source of profiles: a directory, or a .tar.gz.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use indicatif::ProgressBar;
use jiff::Timestamp;
use tar::{Archive, EntryType};

use super::bounds::{BLOCK, Meter, Metered, Zeros, end_of};
use super::summary::ConvertError;
use crate::pprof::Kind;

/// The first bytes of a gzip file. RFC 1952
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The longest path of an entry, in bytes. A run's archive has none of more than 255.
const LONGEST_PATH: usize = 1024;

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
    /// It cannot be read, is of another kind, or is a directory without a profile or with too much in it.
    pub(super) fn open(path: &Path, meter: &Meter) -> Result<Self, ConvertError> {
        let failed = |error: io::Error| ConvertError::source(path, error);
        if fs::metadata(path).map_err(failed)?.is_dir() {
            return directory(path, meter);
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
    /// Those of whoever takes it, and a bound that was met.
    pub(super) fn each(
        self,
        bar: &ProgressBar,
        meter: &Meter,
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
                    meter.begin(&name);
                    let metered = |file| Metered {
                        input: bar.wrap_read(file),
                        meter,
                    };
                    file(&root, name, metered, &mut take)?;
                    ConvertError::check(&root, meter)?;
                }
                Ok(())
            }
            Self::Archive { path, file, .. } => {
                let input = MultiGzDecoder::new(BufReader::new(bar.wrap_read(file)));
                let read = archive(Metered { input, meter }, &mut take)?;
                ConvertError::check(&path, meter)?;
                read.or_else(|error: io::Error| {
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
fn directory(root: &Path, meter: &Meter) -> Result<Source, ConvertError> {
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
                    if !meter.counts_entry() {
                        meter.begin(&name);
                        ConvertError::check(root, meter)?;
                    }
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
fn file<R: Read>(
    root: &Path,
    name: PathBuf,
    metered: impl FnOnce(File) -> R,
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
                content: &mut metered(file),
            }))
        }
        Ok(None) => take(Found::Skipped(name, "it is a link, or no file".to_owned())),
        Err(error) => take(Found::Unreadable(name, error.to_string())),
    }
}

/// Hands over an archive's files. The inner result is the archive's: it may be unreadable from some
/// place on. The outer one is that of whoever takes the files.
fn archive(
    unpacked: Metered<'_, impl Read>,
    take: &mut impl FnMut(Found<'_>) -> Result<(), ConvertError>,
) -> Result<io::Result<()>, ConvertError> {
    let meter = unpacked.meter;
    let mut archive = Archive::new(Zeros {
        input: unpacked,
        trailing: 0,
    });
    meter.expect_headers(0);
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
        meter.begin(&name);
        if !meter.counts_entry() {
            return Ok(Ok(()));
        }
        let end = end_of(&entry);
        let modified = entry.header().mtime().ok();
        let modified = modified.and_then(|seconds| i64::try_from(seconds).ok());
        let modified = modified.and_then(|seconds| Timestamp::from_second(seconds).ok());
        if matches!(kind, EntryType::Directory | EntryType::XGlobalHeader) {
            meter.expect_headers(end);
            continue;
        }
        let is_long = name.as_os_str().len() > LONGEST_PATH;
        take(match (plain(&name), kind) {
            _ if is_long => {
                let cut: String = name.to_string_lossy().chars().take(LONGEST_PATH).collect();
                let why = format!("its path is longer than {LONGEST_PATH} bytes");
                Found::Skipped(cut.into(), why)
            }
            (None, _) => Found::Skipped(name, "its path leads out of the archive".to_owned()),
            (Some(name), EntryType::Regular | EntryType::Continuous) => Found::File(SourceFile {
                name,
                modified: modified.unwrap_or_default(),
                content: &mut entry,
            }),
            (Some(path), _) => Found::Skipped(path, "it is a link, or no file".to_owned()),
        })?;
        meter.expect_headers(end);
    }
    if archive.into_inner().trailing < BLOCK {
        return Ok(Err(io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(Ok(()))
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
