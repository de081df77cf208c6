//! What goes wrong at a destination, and whether it would go wrong again.

use std::io;
use std::path::Path;

use crate::outcome::ExitCode;

/// A destination that did not do its part.
#[derive(Debug, thiserror::Error)]
#[error("{action} {object}: {detail}")]
pub struct DestinationError {
    /// What was tried.
    pub action: &'static str,
    /// On which file or object.
    pub object: String,
    /// What came of it, and what to do where that is known.
    pub detail: String,
    /// Whether it would fail again.
    pub permanent: bool,
}

impl DestinationError {
    /// What the process exits with for it.
    pub fn exit_code(&self) -> ExitCode {
        match self.permanent {
            true => ExitCode::DestinationRefused,
            false => ExitCode::Retry,
        }
    }

    /// A fault of a file system.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the standard library's has no end"
    )]
    pub fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
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
