//! A bucket: its name, and how it is reached.

use std::path::PathBuf;

use super::claim::Claim;

/// A bucket, and how to reach it. Credentials are not in here: the AWS SDK finds them where it always
/// does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Config {
    /// The bucket.
    pub bucket: String,
    /// What every key begins with: empty, or with a slash at its end.
    pub prefix: String,
    /// How it is reached, and what is asked of it.
    pub settings: S3Settings,
}

/// What is the same for every bucket of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct S3Settings {
    /// The server's URL, where it is not AWS.
    pub endpoint: Option<String>,
    /// The region, where a variable or an ObjectBucketClaim says it; else the AWS SDK finds it.
    pub region: Option<String>,
    /// Which checksums AWS's own variables decide on.
    pub checksums_set: ChecksumsSet,
    /// Tries of one request, the first included, where AWS_MAX_ATTEMPTS says so.
    pub max_attempts: Option<u32>,
    /// Certificates of authorities that are trusted besides the usual ones, as PEM, each with the variable
    /// that names the file.
    pub ca_bundles: Vec<(&'static str, PathBuf)>,
    /// Whether the bucket stands in the path of a URL and not in its host; as the endpoint is, if unset.
    pub path_style: Option<bool>,
    /// The server-side encryption, such as `AES256` or `aws:kms`.
    pub encryption: Option<String>,
    /// The KMS key for it.
    pub kms_key: Option<String>,
    /// The storage class, such as `STANDARD_IA`.
    pub storage_class: Option<String>,
    /// The objects' tags, encoded as a URL's query.
    pub tags: Option<String>,
}

/// Whether a variable says when there are checksums; whoever speaks S3 but is not AWS has another default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChecksumsSet {
    /// Of requests, by AWS_REQUEST_CHECKSUM_CALCULATION.
    pub requests: bool,
    /// Of answers, by AWS_RESPONSE_CHECKSUM_VALIDATION.
    pub answers: bool,
}

impl S3Config {
    /// Understands what follows `s3://`.
    pub(super) fn parse(rest: &str) -> Result<Self, &'static str> {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let inner = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(inner) {
            return Err("has no name of a bucket after s3://");
        }
        let prefix = prefix.trim_matches('/');
        if prefix.len() > LONGEST_PREFIX || prefix.chars().any(char::is_control) {
            return Err("has a prefix that is too long or has control characters");
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            settings: S3Settings::default(),
        })
    }

    /// The same bucket with its settings, and where that is given with those of an ObjectBucketClaim.
    pub(super) fn with(self, settings: &S3Settings, claim: Option<&Claim>) -> Self {
        let mut settings = settings.clone();
        if let Some(claim) = claim {
            settings.endpoint = settings.endpoint.or_else(|| claim.endpoint());
            settings.region = settings.region.or_else(|| claim.region.clone());
        }
        Self { settings, ..self }
    }
}

/// Keys may have 1,024 bytes, of which the longest run's name takes 120.
const LONGEST_PREFIX: usize = 900;
