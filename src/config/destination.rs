//! PROFILER_DESTINATION, understood.

use std::path::PathBuf;

use super::bucket::{S3Config, S3Settings};
use super::claim::Claim;

/// Where the archive goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DestinationConfig {
    /// A directory, such as a mounted volume.
    Directory(PathBuf),
    /// A bucket.
    Bucket(Box<S3Config>),
}

/// What a run's names are appended to, for a person.
impl std::fmt::Display for DestinationConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{}/", path.display()),
            Self::Bucket(at) => write!(f, "s3://{}/{}", at.bucket, at.prefix),
        }
    }
}

const ACCEPTED: &str = "s3://BUCKET[/PREFIX], or file:///DIRECTORY, an absolute path";

impl DestinationConfig {
    /// Understands a destination's URI.
    ///
    /// # Errors
    /// What is wrong, with the URI as far as it can hold no secret, and what is accepted.
    pub(super) fn parse(uri: &str) -> Result<Self, String> {
        let fault = |what: &str| Err(format!("{} {what}; accepted: {ACCEPTED}", redacted(uri)));
        if let Some(rest) = uri.strip_prefix("s3://") {
            let bucket = S3Config::parse(rest);
            return bucket.map_or_else(fault, |bucket| Ok(Self::Bucket(Box::new(bucket))));
        }
        let Some(rest) = uri.strip_prefix("file://") else {
            return fault("is no URI of a kind that is known");
        };
        if !rest.starts_with('/') {
            return fault("has something before the path (two slashes where three are needed?)");
        }
        if rest.split('/').any(|part| part == "..") {
            return fault("has a part that is no plain directory name");
        }
        Ok(Self::Directory(PathBuf::from(rest)))
    }

    /// Whether it is the bucket of an ObjectBucketClaim.
    pub(super) fn is_of(&self, claim: &Claim) -> bool {
        matches!(self, Self::Bucket(at) if claim.bucket.as_ref() == Some(&at.bucket))
    }

    /// The same place; a bucket with its settings.
    pub(super) fn with(self, settings: &S3Settings, claim: Option<&Claim>) -> Self {
        match self {
            Self::Bucket(bucket) => Self::Bucket(Box::new(bucket.with(settings, claim))),
            directory @ Self::Directory(_) => directory,
        }
    }
}

/// Only as much of a URI as can hold no credential: users put keys into all of its parts.
fn redacted(uri: &str) -> String {
    let scheme = uri.split_once("://").map(|(scheme, _)| scheme);
    let known = scheme.filter(|scheme| ["file", "s3", "http", "https", "ftp"].contains(scheme));
    known.map_or_else(
        || "what it is set to".to_owned(),
        |scheme| format!("{scheme}://…"),
    )
}
