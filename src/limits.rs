//! Times and numbers that no user sets, and a test may shorten.

use std::time::Duration;

/// How long calls may take, how often they are tried, and other times that no user sets.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a call's whole answer, and for the head of a dump's.
    pub call: Duration,
    /// For the next piece of a dump's body.
    pub idle: Duration,
    /// Tries of one call, the first included.
    pub tries: usize,
    /// The pause after the first failed try; it doubles up to `longest_pause`.
    pub first_pause: Duration,
    /// The longest pause between tries.
    pub longest_pause: Duration,
    /// How far a cpu profile may fall short of the window.
    pub cpu_slack: Duration,
    /// How long a Lease lives that nobody renews.
    pub lease: Duration,
    /// How often it is renewed.
    pub lease_renewal: Duration,
    /// How long a change of the gate may take to reach every component.
    pub gate: Duration,
    /// How often a line says how far the run is.
    pub progress: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // kube-apiserver cuts an aggregated answer at 60 s.
            call: Duration::from_secs(65),
            idle: Duration::from_secs(30),
            tries: 4,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(8),
            cpu_slack: Duration::from_secs(10),
            lease: Duration::from_secs(60),
            lease_renewal: Duration::from_secs(15),
            gate: Duration::from_secs(5 * 60),
            progress: Duration::from_secs(30),
        }
    }
}

// Of `window`.

/// The time between two looks for the stop file.
pub const STOP_FILE_POLL: Duration = Duration::from_millis(250);
