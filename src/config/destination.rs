//! PROFILER_DESTINATION, understood.

use std::path::PathBuf;

/// Where the archive goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationConfig {
    /// A directory, such as a mounted volume.
    Directory(PathBuf),
}

const ACCEPTED: &str = "file:///DIRECTORY, an absolute path";

impl DestinationConfig {
    /// Understands a destination's URI.
    ///
    /// # Errors
    /// What is wrong, with the URI as far as it can hold no secret, and what is accepted.
    pub(super) fn parse(uri: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("{:?} {what}; accepted: {ACCEPTED}", redacted(uri)));
        let Some(rest) = uri.strip_prefix("file://") else {
            return fault("is no URI of a kind that is known");
        };
        if !rest.starts_with('/') {
            return fault("has something before the path (two slashes where three are needed?)");
        }
        if rest.contains('\0') || rest.split('/').any(|part| part == "..") {
            return fault("has a part that is no plain directory name");
        }
        Ok(Self::Directory(PathBuf::from(rest)))
    }
}

/// The URI without what may be a password in it.
fn redacted(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.split('@').next_back().unwrap_or_default().to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map(|(_, host)| format!("***@{host}"));
    let host = host.as_deref().unwrap_or(authority);
    let path = path.split('?').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}
