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

// Of `cluster`:

/// How long a run that has something to say waits for what it is to be said with: a schema, and the
/// object that a person changes.
pub const ADVICE_WAIT: Duration = Duration::from_secs(10);

/// Tries of a write that conflicts with other writers.
pub const CONFLICTING_WRITES: usize = 20;

/// How many times in a Lease's life its holder is looked at, by whoever waits for it.
pub const LEASE_LOOKS: u32 = 20;

/// Tries of a pod LIST whose continue token went stale on the way.
pub const POD_LISTINGS: usize = 3;

/// Tries of a continue token, each time with the fresh one that came for a stale one.
pub const TOKEN_EXCHANGES: usize = 5;
