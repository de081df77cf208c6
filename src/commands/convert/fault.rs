//! Why a conversion ends before its source does.

use std::io;
use std::path::{Path, PathBuf};

use crate::outcome::ExitCode;

/// What failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// There is nothing to convert.
    #[error("{}: {what}", path.display())]
    Source {
        /// What was to be converted.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The destination is there already.
    #[error("{}: it is there already; name a directory that is not", .0.display())]
    Exists(PathBuf),
    /// The destination cannot be written.
    #[error("{}: {error}; what was converted before is there, the rest is not", path.display())]
    Dest {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Fault {
    pub(super) fn source(path: &Path, what: impl ToString) -> Self {
        Self::Source {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }

    /// The destination cannot be made.
    pub(super) fn make(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::AlreadyExists {
            Self::Exists(path.to_owned())
        } else {
            Self::dest(path, error)
        }
    }

    pub(super) fn dest(path: &Path, error: io::Error) -> Self {
        Self::Dest {
            path: path.to_owned(),
            error,
        }
    }

    pub(super) fn code(&self) -> ExitCode {
        match self {
            Self::Source { .. } | Self::Exists(_) => ExitCode::Usage,
            Self::Dest { .. } => ExitCode::DestinationRefused,
        }
    }
}
