//! The place where a run's entries are made.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::entry::{Compressors, Entry, EntryWriter};
use super::framing::{PathError, check_path};
use crate::file;
use crate::limits::ABANDONED;
use crate::pprof;

/// The place where a run's entries are made.
#[derive(Debug, Clone)]
pub struct Spool {
    root: String,
    temporary: PathBuf,
    texts: Texts,
    compressing: Compressors,
    storing: Compressors,
}

/// What becomes of the texts of converted profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texts {
    Kept,
    /// Only that of a profile which lacks some of it is kept.
    Dropped,
    /// They are read, and nothing else.
    Passed,
}

/// A profile as it is served, while nobody knows what it is.
#[derive(Debug)]
pub(super) enum AsServed {
    /// It becomes an entry.
    Copied(Box<EntryWriter>),
    /// It becomes an entry unless it is a text, which its first byte tells.
    Undecided(Spool),
    /// It is a text that nobody wants.
    Passed,
}

/// An entry that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// Its path does not fit the archive.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The temporary file cannot be written.
    #[error("a temporary file: {0}")]
    Temporary(#[from] io::Error),
}

impl Spool {
    /// A spool for the entries below `root`, the archive's one top directory; what outgrows memory goes to
    /// files in `temporary`. `keep_originals` says whether the texts of converted profiles are kept.
    pub fn new(root: String, temporary: PathBuf, keep_originals: bool) -> Self {
        Self {
            root,
            temporary,
            texts: if keep_originals {
                Texts::Kept
            } else {
                Texts::Dropped
            },
            compressing: Compressors::compressing(),
            storing: Compressors::storing(),
        }
    }

    /// The same place, for profiles of which no text is wanted, whatever it is.
    pub fn without_texts(&self) -> Self {
        Self {
            texts: Texts::Passed,
            ..self.clone()
        }
    }

    /// The archive's one top directory, which has the run's name.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The directory for temporary files.
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// The run's own directory among the temporary files, for what has this prefix: the next attempt of a run that was
    /// killed finds it by its name.
    pub(super) fn run_directory(&self, prefix: &str) -> PathBuf {
        self.temporary.join(format!("{prefix}{}", self.root))
    }

    /// Removes the run's own directory, if there is one, and those of other runs that are older than a day.
    ///
    /// # Errors
    /// Its own cannot be removed.
    pub(super) fn remove_run_directory(&self, prefix: &str) -> io::Result<()> {
        self.remove_abandoned(prefix, |_| false);
        match std::fs::remove_dir_all(self.run_directory(prefix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Removes directories that runs left here which were killed: those whose name begins so and is an earlier
    /// attempt's, or which are older than a day. One that cannot be removed is in nobody's way but for its size: it
    /// is warned of.
    pub fn remove_abandoned(&self, prefix: &str, is_earlier_attempts: impl Fn(&str) -> bool) {
        let Ok(entries) = self.temporary.read_dir() else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_abandoned = is_earlier_attempts(&name) || file::is_older_than(&entry, ABANDONED);
            if !name.starts_with(prefix) || !is_abandoned {
                continue;
            }
            let path = entry.path();
            match std::fs::remove_dir_all(&path) {
                Ok(()) => tracing::info!(path = %path.display(), "removed what a dead run left"),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "what a dead run left stays");
                }
            }
        }
    }

    /// Begins an entry.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub fn begin(&self) -> io::Result<EntryWriter> {
        EntryWriter::new(&self.temporary, &self.compressing)
    }

    /// Begins an entry whose content is packed already, and so is stored as it is.
    pub(super) fn begin_packed(&self) -> io::Result<EntryWriter> {
        EntryWriter::new(&self.temporary, &self.storing)
    }

    /// Begins what a profile is as it is served.
    ///
    /// # Errors
    /// The temporary file cannot be written.
    pub(super) fn begin_as_served(&self) -> io::Result<AsServed> {
        Ok(match self.texts {
            Texts::Kept | Texts::Dropped => AsServed::Copied(Box::new(self.begin()?)),
            Texts::Passed => AsServed::Undecided(self.clone()),
        })
    }

    /// Ends what a profile is as it was served. Gives no entry of a text that nobody wants.
    ///
    /// # Errors
    /// As of [`Spool::finish`].
    pub(super) fn finish_as_served(
        &self,
        as_served: AsServed,
        path: &str,
    ) -> Result<Option<Entry>, EntryError> {
        match as_served {
            AsServed::Copied(entry) => self.finish(*entry, path).map(Some),
            AsServed::Undecided(_) | AsServed::Passed => Ok(None),
        }
    }

    /// Whether the text of a profile is kept, which may lack some of it.
    pub(super) fn keeps_text(&self, is_partial: bool) -> bool {
        match self.texts {
            Texts::Kept => true,
            // What the profile lacks is in the text alone.
            Texts::Dropped => is_partial,
            Texts::Passed => false,
        }
    }

    /// Ends an entry, at a path below the archive's top directory.
    ///
    /// # Errors
    /// The path does not fit a ustar header, or the temporary file cannot be written.
    pub fn finish(&self, entry: EntryWriter, path: &str) -> Result<Entry, EntryError> {
        let full_path = format!("{}/{path}", self.root);
        check_path(&full_path)?;
        Ok(entry.finish(full_path)?)
    }
}

impl Write for AsServed {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let (Self::Undecided(spool), Some(first)) = (&*self, data.first()) {
            *self = if *first == pprof::proto::GZIP {
                Self::Copied(Box::new(spool.begin()?))
            } else {
                Self::Passed
            };
        }
        match self {
            Self::Copied(entry) => entry.write(data),
            Self::Undecided(_) | Self::Passed => Ok(data.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Copied(entry) => entry.flush(),
            Self::Undecided(_) | Self::Passed => Ok(()),
        }
    }
}
