//! What a run works with.

use std::sync::OnceLock;

use super::progress::Progress;
use super::told::Told;
use crate::cluster::call::Connection;
use crate::config::Config;
use crate::destination::Destination;
use crate::manifest::ExpectedPod;

/// A configured run; the work and whoever undoes it share it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) config: Config,
    pub(super) connection: Connection,
    pub(super) destination: Destination,
    pub(super) progress: Progress,
    pub(super) told: Told,
    /// What was started, for whoever has to stop it.
    pub(super) started: OnceLock<Started>,
}

/// Pods that start was sent to.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) namespace: String,
    pub(super) pods: Vec<ExpectedPod>,
}
