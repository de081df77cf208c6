//! The error of a destination: what failed, what to do about it, and whether it would fail again.

use std::io;
use std::path::Path;

use crate::errors::plain;
use crate::outcome::ExitCode;

/// What a manifest is that this program is too old for, and what to do.
pub(super) const NEWER: &str = "written by a newer version of this program: use that one";

/// A file or object of a destination that could not be read, written, listed or removed.
#[derive(Debug, thiserror::Error)]
#[error("{action} {}: {}", plain(.object), plain(.detail))]
pub struct DestinationError {
    /// What was tried.
    pub action: &'static str,
    /// The file or object that it was tried on.
    pub object: String,
    /// What went wrong, and what to do where that is known.
    pub detail: String,
    /// Whether it would fail again.
    pub permanent: bool,
}

impl DestinationError {
    /// What the process exits with for it.
    pub fn exit_code(&self) -> ExitCode {
        if self.permanent {
            ExitCode::DestinationRefused
        } else {
            ExitCode::Retry
        }
    }

    /// The error of a file system.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the standard library's has no end"
    )]
    pub(super) fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        use io::ErrorKind as K;
        let (permanent, hint) = match error.kind() {
            K::StorageFull => (true, "; make room or give the volume more"),
            K::QuotaExceeded => (true, "; the quota is used up"),
            K::ReadOnlyFilesystem => (true, "; mount it writable"),
            K::PermissionDenied => (true, "; on plain Kubernetes the pod needs an fsGroup"),
            K::NotFound => (true, "; is the volume mounted there?"),
            K::AlreadyExists
            | K::NotADirectory
            | K::IsADirectory
            | K::InvalidFilename
            | K::FileTooLarge => (true, ""),
            _ => (false, ""),
        };
        Self {
            action,
            object: path.display().to_string(),
            detail: format!("{error}{hint}"),
            permanent,
        }
    }
}
