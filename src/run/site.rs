//! The cluster as a run, or an undo, works on it: under its lock, with its record.

use std::time::Duration;

use super::hold::Hold;
use crate::cluster::call::Connection;
use crate::config::EnablePolicy;

/// What dealing with the cluster takes.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) connection: Connection,
    /// The lock, with the record, while it is held.
    pub(super) hold: Hold,
    /// The run's id.
    pub(super) run_id: String,
    pub(super) enable_policy: EnablePolicy,
    /// How long stop is sent again.
    pub(super) stop_wait: Duration,
}
