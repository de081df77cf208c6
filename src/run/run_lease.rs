//! The cluster's Lease while a run holds it, and the run's journal that lies in it.

use std::sync::{Arc, MutexGuard};

use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::shutdown::Shutdown;
use crate::cluster::call::Connection;
use crate::cluster::lease::{HeldLease, Journal, LeaseError, Stage};
use crate::cluster::retry::{Waits, persist};
use crate::errors::lock;
use crate::limits::{Limits, WRITE_LIMIT};

/// The Lease, from when it is taken until it is released or lost. Before that, nothing is written to
/// the journal.
#[derive(Debug)]
pub(crate) struct RunLease {
    /// No call is made while it is locked.
    held: std::sync::Mutex<Option<Held>>,
    /// Whose turn it is to change the journal.
    writing: Mutex<()>,
    lost: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct Held {
    lease: Arc<HeldLease>,
    journal: Journal,
    renewing: AbortHandle,
}

impl RunLease {
    /// A Lease that is not taken yet.
    pub(crate) fn new() -> Self {
        Self {
            held: std::sync::Mutex::new(None),
            writing: Mutex::new(()),
            lost: watch::channel(None).0,
        }
    }

    /// Holds a Lease that was taken, and renews it from now on.
    pub(super) fn hold(&self, lease: HeldLease, journal: Journal) {
        let lease = Arc::new(lease);
        let renewing = tokio::spawn({
            let (lease, lost) = (Arc::clone(&lease), self.lost.clone());
            async move { drop(lost.send_replace(Some(lease.keep().await.to_string()))) }
        });
        *self.held() = Some(Held {
            lease,
            journal,
            renewing: renewing.abort_handle(),
        });
    }

    /// Resolves when the Lease is lost, with the reason.
    pub(crate) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    /// Whether the Lease is held and alive, so that nobody else can be at this run.
    pub(super) fn is_held(&self) -> bool {
        let held = self.held();
        let alive = held.as_ref().is_some_and(|held| held.lease.is_alive());
        alive && self.lost.borrow().is_none()
    }

    /// The journal as it is known to be written, while the Lease is held.
    pub(crate) fn journal(&self) -> Option<Journal> {
        self.held().as_ref().map(|held| held.journal.clone())
    }

    /// Changes the journal, where others see it: before what it tells of is done.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed. The caller must not do what it wanted to note.
    pub(super) async fn note(&self, change: impl FnOnce(&mut Journal)) -> Result<(), LeaseError> {
        let _turn = self.writing.lock().await;
        let lease = self.held().as_ref().map(|held| Arc::clone(&held.lease));
        let (Some(lease), Some(journal)) = (lease, self.journal()) else {
            return Ok(());
        };
        let mut changed = journal.clone();
        change(&mut changed);
        if changed == journal {
            return Ok(());
        }
        let written = lease.write(&changed).await;
        if let Err(lost @ LeaseError::Lost(_)) = &written {
            self.lost.send_replace(Some(lost.to_string()));
        }
        written?;
        if let Some(held) = self.held().as_mut() {
            held.journal = changed;
        }
        Ok(())
    }

    /// Notes that something begins which the run may die of, for its next attempt to know. Gives the reason if that
    /// could not be noted in a short time.
    ///
    /// # Errors
    /// The Lease is lost.
    pub(super) async fn note_risk(
        &self,
        change: impl FnOnce(&mut Journal),
    ) -> Result<Option<LeaseError>, LeaseError> {
        let noted = timeout(WRITE_LIMIT, self.note(change)).await;
        match noted.unwrap_or_else(|_| Err(LeaseError::unanswered())) {
            Ok(()) => Ok(None),
            Err(lost @ LeaseError::Lost(_)) => Err(lost),
            Err(error) => Ok(Some(error)),
        }
    }

    /// Notes that it has ended, and the run lives. A run that was told to stop has no time to write.
    ///
    /// # Errors
    /// The Lease is lost.
    pub(super) async fn note_survived(
        &self,
        shutdown: &Shutdown,
        change: impl FnOnce(&mut Journal),
    ) -> Result<(), LeaseError> {
        if shutdown.is_requested() {
            return Ok(());
        }
        match timeout(WRITE_LIMIT, self.note(change)).await {
            Ok(noted) => unless_lost(noted),
            Err(_) => Ok(()),
        }
    }

    /// Changes the journal as [`Self::note`] does, and waits for an API server that is away, but not longer
    /// than until `given_up` resolves.
    ///
    /// # Errors
    /// As of [`Self::note`].
    pub(super) async fn note_patiently(
        &self,
        limits: &Limits,
        given_up: impl Future<Output = ()>,
        change: impl Fn(&mut Journal),
    ) -> Result<(), LeaseError> {
        let over = async {
            tokio::select! {
                () = sleep(limits.outage) => {}
                () = given_up => {}
            }
        };
        let waits = self.waits();
        let outlook = LeaseError::outlook;
        let noted = persist(limits, &waits, over, outlook, || self.note(&change));
        noted
            .await
            .map_err(|last| last.unwrap_or_else(LeaseError::unanswered))
    }

    /// Notes that no pod profiles any more, if one did, of this run or of an earlier one.
    ///
    /// # Errors
    /// As of [`Self::note`].
    pub(super) async fn note_stopped(&self) -> Result<(), LeaseError> {
        let now = self
            .held()
            .as_ref()
            .map(|held| held.lease.connection().limits.now);
        let Some(now) = now else { return Ok(()) };
        self.note(|journal| {
            if journal.stage == Stage::Started {
                // If the attempt died during the window, this moment counts as the window's end. A clock that was
                // set back since is no reason for one that ends before it begins.
                let ended = journal.started.max(Some(now()));
                journal.stopped = journal.stopped.or(ended);
                journal.stage = Stage::Stopped;
            }
            journal.unstopped.clear();
        })
        .await
    }

    /// Notes that no pod profiles, and that none has profiled anything worth keeping.
    ///
    /// # Errors
    /// As of [`Self::note`].
    pub(super) async fn note_cancelled(&self) -> Result<(), LeaseError> {
        self.note(|journal| journal.begin_again(journal.run_id.clone()))
            .await
    }

    /// Gives the Lease up, and leaves the journal there or takes it away. That is tried for a Lease's life, for as
    /// long would others wait for its death, or until `given_up` resolves.
    ///
    /// # Errors
    /// The Lease is lost, or the API server failed: it dies by itself then.
    pub(crate) async fn release(
        &self,
        keep_journal: bool,
        given_up: impl Future<Output = ()>,
    ) -> Result<(), LeaseError> {
        let Some(held) = self.held().take() else {
            return Ok(());
        };
        held.renewing.abort();
        let Connection { limits, waits, .. } = held.lease.connection();
        let over = async {
            tokio::select! {
                () = sleep(limits.lease) => {}
                () = given_up => {}
            }
        };
        let released = persist(limits, waits, over, LeaseError::outlook, || {
            held.lease.release(keep_journal)
        });
        let released = released.await;
        released.map_err(|last| last.unwrap_or_else(LeaseError::unanswered))
    }

    fn waits(&self) -> Waits {
        let held = self.held();
        let waits = held.as_ref().map(|held| &held.lease.connection().waits);
        waits.cloned().unwrap_or_default()
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        lock(&self.held)
    }
}

/// Passes over a journal that could not be written, where something would be lost if the run ended for that.
///
/// # Errors
/// The Lease is lost.
pub(super) fn unless_lost(noted: Result<(), LeaseError>) -> Result<(), LeaseError> {
    match noted {
        Err(LeaseError::Call(error)) => {
            tracing::warn!(%error, "the journal of this run could not be written");
            Ok(())
        }
        noted => noted,
    }
}
