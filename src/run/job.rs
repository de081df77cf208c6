//! What a run works with.

use std::sync::{OnceLock, PoisonError};

use tokio::sync::Mutex;

use super::fault::Fault;
use super::progress::Progress;
use super::site::Site;
use super::told::Told;
use crate::cluster::install::Install;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::config::Config;
use crate::destination::{Destination, Found};
use crate::manifest::Gate;

/// A configured run; the work and whoever undoes it share it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) config: Config,
    pub(super) destination: Destination,
    /// Where the run goes instead when that fails.
    pub(super) fallback: Option<Destination>,
    pub(super) progress: Progress,
    pub(super) told: Told,
    /// The cluster, under its lock.
    pub(super) site: Site,
    /// The stop of what was started, shared with whoever undoes. `None` until start is sent.
    pub(super) confirmation: Mutex<Option<StopConfirmation>>,
    /// The KubeVirt, once it is found.
    pub(super) install: OnceLock<Box<Install>>,
    /// What was done about the gate.
    pub(super) gate: std::sync::Mutex<Gate>,
}

impl Job {
    /// The places where the run may be, the one where it should be first.
    pub(super) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        [&self.destination].into_iter().chain(&self.fallback)
    }

    /// What there is of the run, wherever it is.
    ///
    /// # Errors
    /// None has the run complete, and one cannot be read or has a manifest that cannot be understood.
    pub(super) async fn find(&self) -> Result<Found, Fault> {
        let found = Destination::find_among(self.destinations(), &self.config.run_id).await;
        Ok(found.map(|(found, _)| found)?)
    }

    /// Whether this run turned the profiler on.
    pub(super) fn opened(&self) -> bool {
        self.gate().changed.is_some()
    }

    /// What was done about the gate, so far.
    pub(super) fn gate(&self) -> std::sync::MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
