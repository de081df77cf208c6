//! The times and numbers of a bucket that a test may shorten.

use std::time::Duration;

/// How long a bucket is waited for.
#[derive(Debug, Clone)]
pub struct BucketLimits {
    /// For one try of a request, such as a part of 5 MiB, of which two are sent at once: a slow bucket may take
    /// its time. The SDK notices earlier that one takes nothing at all.
    pub attempt: Duration,
    /// For one try of completing a multipart upload, which may take a server minutes.
    pub completion: Duration,
    /// How long a request that brings a run's data is sent again, where AWS_MAX_ATTEMPTS does not say how
    /// often. A request to stop and the deadline end it earlier.
    pub patience: Duration,
    /// How long an object that was made may take to show.
    pub appearance: Duration,
    /// The most parts of one object; S3 takes no more.
    pub parts: u32,
}

impl Default for BucketLimits {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(2 * 60),
            completion: Duration::from_secs(5 * 60),
            patience: Duration::from_secs(10 * 60),
            appearance: Duration::from_secs(60),
            parts: 10_000,
        }
    }
}
