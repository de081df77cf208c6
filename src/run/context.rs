//! The context of a run: everything that its phases and its rollback are given.

use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use super::archive_worth::ShippedRun;
use super::outcome::Fault;
use super::phase::Phase;
use super::run_lease::RunLease;
use super::shutdown::Shutdown;
use super::status::progress::Progress;
use crate::archive::{Baseline, Snapshots, Spool};
use crate::cluster::call::Connection;
use crate::cluster::install::Install;
use crate::cluster::lease::{self, Acquired, Journal, LeaseError};
use crate::cluster::profiler_switch::Change;
use crate::cluster::stop_confirmation::StopConfirmation;
use crate::component::Component;
use crate::config::{Config, EnablePolicy, RunId};
use crate::destination::{Destination, DestinationError, Found};
use crate::engine::{DumpPlan, Engine};
use crate::errors::{joined, lock};
use crate::manifest::{ExpectedPod, Gate};

/// A configured run. The phases and whoever rolls them back share it.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Config,
    /// How the dump is fetched.
    pub(super) engine: Box<dyn Engine>,
    pub(super) destination: Destination,
    /// Where the run goes instead when the destination fails.
    pub(super) fallback: Option<Destination>,
    pub(super) cluster: LockedCluster,
    pub(super) shutdown: Shutdown,
    pub(super) progress: Progress,
    /// The KubeVirt, once it is found.
    pub(super) install: OnceLock<Box<Install>>,
    /// The stop of what was started. `None` until start is sent.
    pub(super) stop_confirmation: Mutex<Option<StopConfirmation>>,
    /// What was done about what turns the profiler on, for the manifest.
    pub(super) gate: std::sync::Mutex<Gate>,
    /// The manifest of an earlier attempt, while a better archive is about to take its archive's place.
    pub(super) set_aside: std::sync::Mutex<Option<ShippedRun>>,
}

/// The cluster as a run, or `undo`, works on it: under its Lease, with a journal of what was done.
#[derive(Debug)]
pub(crate) struct LockedCluster {
    pub(crate) connection: Connection,
    pub(crate) lease: RunLease,
    /// The id of the run, or the name of whoever holds the Lease in its place.
    pub(crate) run_id: String,
    /// What the user allows to be done about a profiler that is off.
    pub(crate) enable_policy: EnablePolicy,
    /// How long stop is sent again.
    pub(crate) stop_wait: Duration,
}

/// A Lease that was taken.
pub(crate) struct Taken {
    /// The journal of its last holder, if there is anything in it to deal with. It stays in the Lease
    /// until somebody has.
    pub(crate) left: Option<Journal>,
    /// Whether there was a holder to wait for.
    pub(crate) waited: bool,
}

/// One of the places where a run may go.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) destination: &'a Destination,
    /// Of the fallback: why the run is not at its destination.
    pub(super) fallback_reason: Option<String>,
}

impl<'a> Target<'a> {
    /// The destination; or the fallback, after the destination failed.
    pub(super) fn after(context: &'a Context, failed: Option<&Fault>) -> Self {
        Self {
            destination: match (failed, &context.fallback) {
                (Some(_), Some(fallback)) => fallback,
                (None, _) | (_, None) => &context.destination,
            },
            fallback_reason: failed.map(|fault| fault.message.clone()),
        }
    }
}

impl LockedCluster {
    /// The last change of what turns the profiler on that is to be put back.
    pub(super) fn last_change(&self) -> Option<Change> {
        self.lease.journal()?.changes.last().copied()
    }

    /// Takes the Lease, waiting that long for a live holder, and holds it from now on.
    ///
    /// # Errors
    /// A live run keeps it, or the API server failed.
    pub(crate) async fn take_lease(
        &self,
        install: &Install,
        wait: Duration,
    ) -> Result<Taken, LeaseError> {
        let run_id = self.run_id.clone();
        let until = Instant::now() + wait;
        let Acquired {
            lease,
            left,
            waited,
        } = lease::acquire(&self.connection, &install.namespace, &run_id, until).await?;
        let left = left.filter(Journal::is_open);
        let journal = left.clone().unwrap_or_else(|| Journal::new(run_id));
        self.lease.hold(lease, journal);
        Ok(Taken { left, waited })
    }
}

impl Context {
    /// The KubeVirt that preflight found.
    ///
    /// # Errors
    /// It is asked for before preflight: a defect.
    pub(super) fn install(&self) -> Result<&Install, Fault> {
        let found = self.install.get().map(|install| &**install);
        found.ok_or_else(|| Fault::defect("the KubeVirt is not known yet"))
    }

    /// Where the run's entries are made.
    pub(super) fn spool(&self) -> Spool {
        let config = &self.config;
        Spool::new(
            config.run_id.stem(),
            config.temporary.clone(),
            config.keep_originals,
        )
    }

    /// The plan of a dump beside the one that is shipped: without the patience that data at stake are worth, and
    /// without texts.
    ///
    /// # Errors
    /// The KubeVirt is not known: a defect.
    pub(super) fn plan_beside(
        &self,
        pods: &[ExpectedPod],
        order: [Component; 4],
    ) -> Result<DumpPlan, Fault> {
        Ok(DumpPlan {
            connection: self.cluster.connection.clone(),
            namespace: self.install()?.namespace.clone(),
            pods: pods.to_vec(),
            order,
            spool: self.spool().without_texts(),
        })
    }

    /// What is dumped within the window.
    pub(super) fn snapshots(&self) -> Snapshots {
        Snapshots::of_run(&self.spool())
    }

    /// Removes what was dumped within the window, once it is shipped, or is an earlier attempt's of another window.
    pub(super) async fn remove_snapshots(&self) {
        let snapshots = self.snapshots();
        let removed = tokio::task::spawn_blocking(move || snapshots.remove()).await;
        if let Err(error) = joined(removed) {
            tracing::warn!(%error, "snapshots stay in the temporary directory");
        }
    }

    /// Removes what was dumped before start, once nobody compares with it any more.
    pub(super) async fn remove_baseline(&self) {
        let spool = self.spool();
        let removed = tokio::task::spawn_blocking(move || Baseline::remove(&spool)).await;
        if let Err(error) = joined(removed) {
            tracing::warn!(%error, "the baseline stays in the temporary directory");
        }
    }

    /// Removes what this run, or an attempt of it, may have left in the temporary directory.
    pub(super) async fn remove_leftovers(&self) {
        self.remove_baseline().await;
        self.remove_snapshots().await;
    }

    /// Removes what a run left in this temporary directory whose window nobody takes up any more.
    pub(super) async fn remove_left_by(&self, run_id: &str) {
        // A journal is not to be trusted with a path.
        let Ok(run_id) = RunId::parse(run_id) else {
            return;
        };
        let spool = Spool::new(run_id.stem(), self.config.temporary.clone(), false);
        let removed = tokio::task::spawn_blocking(move || {
            Baseline::remove(&spool)?;
            Snapshots::of_run(&spool).remove()
        });
        if let Err(error) = joined(removed.await) {
            tracing::warn!(%run_id, %error, "what it dumped beside its archive stays in the temporary directory");
        }
    }

    /// Tells of the progress every so often, for as long as the future is polled; it never ends.
    pub(super) async fn tell_progress(
        self: Arc<Self>,
        phase: watch::Receiver<Phase>,
        every: Duration,
    ) {
        let waits = &self.cluster.connection.waits;
        self.progress.tell(phase, waits, every).await;
    }

    /// Whether a run that failed at its destination may still go to the fallback.
    pub(super) fn may_fall_back(&self, fault: &Fault) -> bool {
        fault.of_destination && self.fallback.is_some()
    }

    /// The places where the run may be, the one where it should be first.
    pub(super) fn destinations(&self) -> impl Iterator<Item = &Destination> {
        [&self.destination].into_iter().chain(&self.fallback)
    }

    /// The run's places but this one of them.
    pub(super) fn other_destinations<'a>(
        &'a self,
        this: &'a Destination,
    ) -> impl Iterator<Item = &'a Destination> {
        let is_other = move |place: &&Destination| !std::ptr::eq(*place, this);
        self.destinations().filter(is_other)
    }

    /// Finds the run, wherever it is.
    ///
    /// # Errors
    /// None has the run complete, and one cannot be read or has a manifest that cannot be understood.
    pub(super) async fn find(&self) -> Result<Found, DestinationError> {
        let found = self.find_as(&self.config.run_id).await?;
        if !found.is_in_the_way() {
            return Ok(found);
        }
        match self.find_as(&self.config.run_id.beside()).await {
            Ok(beside @ Found::Complete(_)) => Ok(beside),
            Ok(_) | Err(_) => Ok(found),
        }
    }

    async fn find_as(&self, run: &RunId) -> Result<Found, DestinationError> {
        let found = Destination::find_among(self.destinations(), run).await;
        Ok(found?.0.of_cluster(self.cluster_uid()))
    }

    /// This cluster's identity, once it is known.
    pub(super) fn cluster_uid(&self) -> Option<&str> {
        self.install.get()?.uid.as_deref()
    }

    /// Whether this run turned the profiler on.
    pub(super) fn turned_on(&self) -> bool {
        self.gate().changed.is_some()
    }

    /// What was done about what turns the profiler on, so far.
    pub(super) fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.gate)
    }

    /// The manifest of an earlier attempt that is to be put back if no better archive takes its place.
    pub(super) fn set_aside(&self) -> MutexGuard<'_, Option<ShippedRun>> {
        lock(&self.set_aside)
    }
}
