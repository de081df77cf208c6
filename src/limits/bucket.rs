//! The times and numbers of a bucket that a test may shorten.

use std::time::Duration;

/// How long a bucket is waited for.
#[derive(Debug, Clone)]
pub struct BucketLimits {
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
            patience: Duration::from_secs(10 * 60),
            appearance: Duration::from_secs(60),
            parts: 10_000,
        }
    }
}
